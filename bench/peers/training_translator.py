"""Training of a small translator on captions, beside torch and Marian: target tokens a second, peak memory."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading

from contestants import TIMEOUT_S, Actor, Failed, environment
from family import Family, Group

# The learning rate rises to RATE at the last step; the first steps are not timed.
STEPS, WARM, TOKENS, RATE = 60, 20, 2500, 1.2e-3
VOCABULARY = 8000
LOSS_TOLERANCE = 0.4  # nats, of the mean of the last ten steps: initial weights, dropout and order of batches differ
TORCH = {"PyTorch": "torch-tuned", "PyTorch, nn.Transformer": "torch-plain"}
CONTESTANTS = ("roformer", *TORCH, "Marian")
ROW = f"Transformer-tiny, Multi30k, {TOKENS:,} tokens a step"
# Its settings for what Transformer-tiny is here. A replica of the model a thread is fastest.
MARIAN = """--type transformer --dim-emb 128 --transformer-dim-ffn 256 --enc-depth 4 --dec-depth 4 --transformer-heads 4
--tied-embeddings-all --transformer-preprocess n --transformer-postprocess da --transformer-postprocess-top n --transformer-dropout 0.3
--label-smoothing 0.1 --optimizer-params 0.9 0.98 1e-09 --clip-norm 1 --mini-batch 1000 --maxi-batch 1000 --maxi-batch-sort trg
--workspace 2000 --disp-freq 10 --cost-type ce-mean-words --seed 1 --max-length 256 --overwrite --no-reload --sync-sgd --shuffle-in-ram""".split()
PROGRESS = re.compile(r"Up\. (\d+) .* Cost ([\d.]+) : Time ([\d.]+)s : ([\d.]+) words/s")

GROUPS = {
    "training-translator": Group("Training of a translator, float32", "target tokens/s", CONTESTANTS),
    "training-translator-memory": Group("Peak memory of training a translator", "MiB", CONTESTANTS, less_is_better=True),
}


def rows_of(name, speed, peak):
    return {ROW: {name: speed}, ("training-translator-memory", ROW): {name: peak / 2**20}}


def ours(bench, texts, few, tokenizer):
    """(target tokens a second, mean loss of the last ten steps, peak memory in bytes)."""
    with bench.temporary() as folder:
        output = pathlib.Path(folder) / "run"
        _, peak = bench.program.measured(
            "train-translator", "--preset", "transformer-tiny", "--source", texts[0], "--target", texts[1], "--validation-source", few[0],
            "--validation-target", few[1], "--tokenizer", tokenizer, "--output", output, "--steps", STEPS, "--learning-rate", RATE,
            "--warmup", STEPS, "--schedule", "constant", "--batch-tokens", TOKENS, "--log-every", 1,
        )  # fmt: skip
        entries = [entry for entry in map(json.loads, (output / "log.jsonl").read_text().splitlines()) if entry["event"] == "train"]
    pairs = list(zip(entries, entries[1:]))[WARM - 1 :]
    seconds = sum((after["tokens"] - before["tokens"]) / after["tokens_per_second"] for before, after in pairs)
    tokens = entries[-1]["tokens"] - entries[WARM - 1]["tokens"]
    return tokens / seconds, sum(entry["loss"] for entry in entries[-10:]) / 10, peak


def marian(bench, pieces):
    with bench.temporary() as folder:
        files = [pieces / "source.pieces", pieces / "target.pieces"]
        vocabularies = [pieces / "vocabulary.yml"] * 2
        words = ["train", *MARIAN, "--train-sets", *files, "--vocabs", *vocabularies, "--model", pathlib.Path(folder) / "model.npz",
                 "--cpu-threads", bench.threads, "--mini-batch-words", TOKENS, "--after-batches", STEPS, "--learn-rate", RATE,
                 "--lr-warmup", STEPS]  # fmt: skip
        log = pathlib.Path(folder) / "log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "pymarian", *map(str, words)], stdout=said, stderr=said, env=environment(1)
            )
            limit = threading.Timer(TIMEOUT_S, process.kill)
            limit.start()
            _, status, usage = os.wait4(process.pid, 0)
            limit.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
        lines = [[float(number) for number in found] for found in PROGRESS.findall(log.read_text())]
        if process.returncode != 0 or not lines or lines[-1][0] != STEPS:
            raise Failed((log.read_text().strip().splitlines() or ["failed"])[-1])
    timed = [(seconds, speed) for step, _, seconds, speed in lines if step > WARM]
    tokens = sum(seconds * speed for seconds, speed in timed)
    return tokens / sum(seconds for seconds, _ in timed), lines[-1][1], usage.ru_maxrss * 1024


def check(name, loss, expected):
    if not abs(loss - expected) <= LOSS_TOLERANCE:
        raise Failed(f"{name} learns otherwise: its loss at steps {STEPS - 9} to {STEPS} is {loss:.3f}, that of PyTorch {expected:.3f}")


def run(bench):
    captions = bench.materials.data("multi30k") / "multi30k"
    texts = [captions / "train.en", captions / "train.de"]
    few = [bench.materials.make(f"captions.{language}", lambda path, language=language: first_lines(captions / f"val.{language}", path))
           for language in ("en", "de")]  # fmt: skip
    command = ["train-tokenizer", "--type", "bpe", "--vocab-size", VOCABULARY, "--input", texts[0], "--target-input", texts[1], "--output"]
    tokenizer = bench.materials.make("captions_tokenizer", lambda path: bench.program.run(*command, path))
    pieces = bench.materials.pieces(tokenizer, texts)
    losses = {}

    def remember(name, speed, loss, peak):
        """The first of them is checked before it counts."""
        if name not in losses:
            losses[name] = loss
            bench.say(f"  {name}: loss at steps {STEPS - 9} to {STEPS}: {loss:.3f}")
            if name in TORCH or "PyTorch" in losses:
                check(name, loss, losses.get("PyTorch", loss))
        return rows_of(name, speed, peak)

    def theirs(name, engine):
        worker = bench.workers.get("training-translator", engine, pieces, "float32")
        result = worker.ask("measure", tokens=TOKENS, steps=STEPS, warm=WARM, rate=RATE)
        return remember(name, result["tokens_per_second"], result["loss"], result["peak_memory"])

    actors = [Actor(name, lambda one=(name, engine): theirs(*one)) for name, engine in TORCH.items()]
    actors.append(Actor("roformer", lambda: remember("roformer", *ours(bench, texts, few, tokenizer))))
    actors.append(Actor("Marian", lambda: remember("Marian", *marian(bench, pieces))))
    rows = bench.measure(actors)
    said = "; ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    bench.notes.append(f"training loss with label smoothing, mean of steps {STEPS - 9} to {STEPS}: {said}")
    return rows


def first_lines(source, path):
    path.write_text("".join(source.read_text(encoding="utf-8").splitlines(keepends=True)[:16]), encoding="utf-8")


FAMILIES = [Family("training-translator", "training-translator", run)]
