"""What the reproductions of fine-tuning and translation share: runs that are made once, scores with intervals, and pages.

A study is a script tools/reproduce_NAME.py. Its runs are directories of `roformer finetune` (`train-translator`), which says of a
finished one that it is, so that a study can be interrupted at any time. BUDGET=short trains on less and less often, for a third of the
time, and the page says so; with BUDGET=tiny all of it takes a few minutes and shows only that it works. DTYPE is the number
type of training, float32 unless it is set. Results go to docs/results-NAME.md and a section of docs/results.md, with the
tiny budget to the work folder instead.
"""

import argparse
import json
import math
import os
import pathlib
import random
import shlex
import statistics
import subprocess
import sys
import time

import results_page

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
STUDENT_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # 97.5 %, by degrees of freedom
BUDGETS = ("full", "short", "tiny")
CAVEATS = """The paper's tables are no yardstick for these numbers. Its Table 2 compares a validation score of RoFormer with
BERT's score on GLUE's test server (QQP: 86.4 is an F1 on validation, 71.2 one of the server), and says that BERT's positions
are sinusoidal, though they are learned. Its percentages on CAIL2019-SCM are exactly multiples of 1/1500 and 1/1536, so their
standard error is 1.2 points: the three rows at length 512 cannot be told apart, and 1,024 against 512 (+1.5) is 1.25 standard
errors. No relative encoding is compared there at an equal budget, and no frequency base, speed or memory is reported.
"""


def lines_of(path):
    """The lines of a file without their ends. str.splitlines would also divide at characters that texts have."""
    return path.read_bytes().decode("utf-8-sig").removesuffix("\n").split("\n")


class Score:
    """A metric over seeds, × 100 unless it is in such units already (scale 1)."""

    def __init__(self, evaluations, metric, scale=100):
        self.values = [scale * one["metrics"][metric] for one in evaluations]
        self.examples = evaluations[0]["n"]
        bounds = [one["interval95"][metric] for one in evaluations]
        self.half = scale / 2 * statistics.fmean(high - low for low, high in bounds)

    @property
    def mean(self):
        return statistics.fmean(self.values)

    def over_seeds(self):
        """Half of the 95 % interval of the mean, Student's t; None of one seed."""
        count = len(self.values)
        if count < 2:
            return None
        return STUDENT_T[min(count - 2, len(STUDENT_T) - 1)] * statistics.stdev(self.values) / math.sqrt(count)

    def __str__(self):
        half = self.over_seeds()
        return f"{self.mean:.1f}" + ("" if half is None else f" ± {half:.1f}")

    def cells(self):
        """Of a table with COLUMNS."""
        return [str(self), f"± {self.half:.1f}", str(len(self.values)), f"{self.examples:,}"]


COLUMNS = ["score", "by examples", "seeds", "n"]
HOW_TO_READ = """A score is the mean × 100 over the seeds ± half of its 95 % interval (Student's t), which says how much a run
varies. "By examples" is half of the 95 % bootstrap interval of a single run over the n examples that were measured on: how
far such a score may be from that on all examples of the kind. A difference that is smaller than either is none.
"""


class Study:
    def __init__(self, name, title, description):
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/roformer", help="%(default)s")
        parser.add_argument("--threads", type=int, default=2, help="%(default)s")
        parser.add_argument("--work", type=pathlib.Path, default=ROOT / "demo/tasks", help="%(default)s")
        options = parser.parse_args()
        self.name, self.title, self.program, self.threads = name, title, options.program.resolve(), options.threads
        self.budget, self.dtype = os.environ.get("BUDGET", "full"), os.environ.get("DTYPE", "float32")
        if self.budget not in BUDGETS:
            parser.error(f"BUDGET={self.budget}: expected one of {', '.join(BUDGETS)}")
        self.tiny = self.budget == "tiny"
        self.work = options.work / self.budget
        self.docs = self.work / "docs" if self.tiny else ROOT / "docs"
        self.commands, self.begin = {}, time.monotonic()
        self.docs.mkdir(parents=True, exist_ok=True)
        if not (SHARED / "data/unpack.sh").exists():
            sys.exit(f"reproduce_{name}.py: needs the data of {SHARED}/data, which is absent (ROFORMER_SHARED)")

    def choose(self, full, short, tiny):
        return (full, short, tiny)[BUDGETS.index(self.budget)]

    def say(self, text):
        print(f"[{(time.monotonic() - self.begin) / 60:5.1f} min] {text}", file=sys.stderr, flush=True)

    def data(self, name):
        folder = ROOT / "demo/shared"
        if not (folder / name).is_dir():
            subprocess.run(["bash", SHARED / "data/unpack.sh", folder, name], check=True, stdout=subprocess.DEVNULL)
        return folder / name

    def minilm(self):
        path = ROOT / "demo/minilm"
        path.parent.mkdir(exist_ok=True)
        subprocess.run([sys.executable, ROOT / "tools/minilm.py", path], check=True)
        return path

    def made(self, name, write):
        """work/data/name, written by write(path) unless it is there."""
        path = self.work / "data" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            write(part)
            part.rename(path)
        return path

    def rows(self, name, files, limit=None, header=False, begin=0):
        """Lines of files in a random order: `limit` of them from `begin` on, behind the first file's first if `header`."""

        def write(path):
            lines = []
            for file in files:
                lines += lines_of(file)[1:] if header else lines_of(file)
            random.Random(1).shuffle(lines)
            first = lines_of(files[0])[:1] if header else []
            lines = first + lines[begin : None if limit is None else begin + limit]
            path.write_bytes("".join(line + "\n" for line in lines).encode())

        return self.made(name, write)

    def run(self, *arguments, kind=None):
        """Standard output. The first command of a kind is shown on the page."""
        words = [str(word) for word in arguments]
        if kind is not None:
            self.commands.setdefault(kind, ["roformer", *words])
        done = subprocess.run([self.program, *words, "--threads", str(self.threads)], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"reproduce_{self.name}.py: failed: {shlex.join(['roformer', *words])}")
        return done.stdout

    def pretrain(self, name, *arguments):
        output = self.work / "models" / name
        self.say(f"model {name}")
        self.run("pretrain", "--output", output, "--dtype", self.dtype, *arguments, kind=f"pretrain {name}")
        return output

    def finetune(self, name, model, task, train, *arguments):
        """The run's directory and the scores of its validation examples."""
        output = self.work / self.name / name
        self.say(f"{self.name}: {name}")
        words = ["--model", model, "--task", task, "--train", *train, "--output", output, "--dtype", self.dtype, *arguments]
        self.run("finetune", *words, kind=f"finetune {task}")
        return output, json.loads((output / "evaluation.json").read_text())

    def evaluate(self, model, data, *arguments):
        """Scores of a finished run on files; made once."""
        path = model / "test.json"
        words = ["evaluate", "--model", model, "--data", *data, "--json", *arguments]
        self.commands.setdefault("evaluate", ["roformer", *map(str, words)])
        if not path.exists():
            text = self.run(*words)
            part = path.with_suffix(".part")
            part.write_text(text)
            part.rename(path)
        return json.loads(path.read_text())

    def peer(self, name, model, kind, train, test, rate, epochs, seed, metric):
        """Scores on test of the same recipe in transformers (tools/venv.sh); files of JSON Lines, see the script. None where it
        cannot be had."""
        python = pathlib.Path(os.environ.get("PYTHON", ROOT / "venv/bin/python"))
        path = self.work / self.name / f"{name}.json"
        words = [ROOT / "tools/finetune_transformers.py", model, kind, train, test, path, rate, epochs, seed, metric, self.threads]
        self.commands.setdefault("transformers", ["venv/bin/python", *map(str, words)])
        if not path.exists():
            if not python.exists():
                self.say(f"{name} is left out: there is no {python}")
                return None
            self.say(f"{self.name}: {name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            done = subprocess.run([python, *map(str, words)], stdout=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                sys.exit(f"reproduce_{self.name}.py: {name} failed")
        return json.loads(path.read_text())

    def rotary_minilm(self, minilm):
        """MiniLM with rotary instead of learned positions, after masked language modeling of Wikipedia: half an hour at the
        default MLM_STEPS on two cores."""
        steps = int(os.environ.get("MLM_STEPS", self.choose(900, 300, 2)))
        output = self.pretrain(
            f"minilm-rotary-{steps}", "--init-from", minilm, "--position", "rotary", "--data", self.data("enwiki"),
            "--max-length", 128, "--batch-tokens", self.choose(4096, 4096, 256), "--steps", steps, "--learning-rate", "3e-4",
            "--validate-every", self.choose(200, 300, 1), "--save-every", self.choose(200, 50, 1), "--keep", 1,
            *self.choose([], [], ["--validation-fraction", 0]),
        )  # fmt: skip
        return output, steps

    def choose_rate(self, rates, run):
        """The learning rate whose run of seed 1 validates best: run(rate, seed) gives a directory and its scores, with the
        metric that chooses first among those of the task."""
        return max(rates, key=lambda rate: run(rate, 1)[1])

    def publish(self, body, summary, caveats=CAVEATS):
        """Writes the study's page and its section of docs/results.md."""
        info = json.loads(subprocess.run([self.program, "info", "--json"], check=True, capture_output=True).stdout)
        cpu = info["cpu"]
        machine = f"Measured with roformer {info['version']}, {self.threads} {'thread' if self.threads == 1 else 'threads'} on {cpu['cores']} cores of {cpu['model']} "
        machine += f"({' '.join(cpu['features'])})."
        machine += f" Trained in {self.dtype}."
        if self.budget == "short":
            machine += f" **The short budget: `BUDGET=short make reproduce-{self.name}`;** the full one has more of everything."
        if self.tiny:
            machine += " **A tiny budget: these numbers show nothing but that the study runs.**"
        commands = "\n".join(f"    {shlex.join(self.short(words))}" for words in self.commands.values())
        page = self.docs / f"results-{self.name}.md"
        text = f"# {self.title}\n\nWritten by `make reproduce-{self.name}`. {machine}\n\n{body.strip()}\n\n"
        text += f"## Commands\n\nThe first of each kind:\n\n{commands}\n\n## Caveats\n\n{caveats}"
        page.write_text(text, encoding="utf-8")
        linked = f"All tables and commands: [{page.name}]({page.name}).\n\n{summary.strip()}\n\n"
        results_page.put_section(self.docs / "results.md", self.title, linked)
        self.say(f"wrote {page}")

    def short(self, words):
        return [word.replace(f"{ROOT}/", "") for word in words]
