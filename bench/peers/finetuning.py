"""Fine-tuning and evaluation of classifiers on pairs and sentences of natural lengths, beside transformers' Trainer; and a
step of contrastive learning beside sentence-transformers."""

import csv
import json
import pathlib

import numpy as np
from contestants import Actor, Failed
from family import FLOAT32_TOLERANCE, Differs, Family, Group

DTYPES = ("float32", "bfloat16")
LOSS_TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2}  # relative, of the first and the last step that is compared
CHECKED_STEPS = 4
EXAMPLES = 512  # of the files to train on
BATCH, MAX_LENGTH, PAIRS = 32, 128, 256
STEPS = {"minilm": EXAMPLES // BATCH, "base": 4}
RANDOM, GROUPED = "transformers Trainer", "transformers Trainer, grouped by length"
ROLES = {RANDOM: "finetuning", GROUPED: "finetuning-grouped"}
SENTENCES = "sentence-transformers"
# Of our task: the folder of the data, and what of its files we train and evaluate on.
TASKS = {"mrpc": ("MRPC", "test.tsv"), "sst-2": ("SST-2", "test.tsv")}
TITLES = {"mrpc": "MRPC (pairs)", "sst-2": "SST-2 (sentences)"}

GROUPS = {
    f"finetuning-{dtype}": Group(
        f"Fine-tuning, batches of {BATCH}, dropout 0.1, {dtype}" + (" (transformers: autocast)" if dtype == "bfloat16" else ""),
        "examples/s",
        ("roformer", RANDOM, GROUPED),
        digits=1,
    )
    for dtype in DTYPES
}
GROUPS["finetuning-memory"] = Group("Peak memory of fine-tuning", "MiB", ("roformer", RANDOM, GROUPED), less_is_better=True)
GROUPS["evaluating"] = Group("Evaluation on labeled files, tokenizing and metrics included", "examples/s", ("roformer", RANDOM))
GROUPS["contrastive"] = Group(f"Contrastive step of {PAIRS} pairs with in-batch negatives", "pairs/s", ("roformer", SENTENCES), digits=1)


def read_rows(path, task):
    """Texts and label of each row, of the files as published."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if task == "mrpc":
        return [([row[3], row[4]], row[0]) for row in rows if row[0] in "01"]
    return [([row[0].strip()], row[1]) for row in rows[1:]]


def write_rows(path, rows):
    """JSON Lines that `--task classification` reads."""
    names = ("text", "text_pair")
    lines = [json.dumps(dict(zip(names, texts)) | {"label": label}) + "\n" for texts, label in rows]
    path.write_text("".join(lines))


def files(bench, task):
    """To train on, to evaluate on."""
    folder, test = TASKS[task]
    source = bench.materials.data("glue") / "glue" / folder
    train = bench.materials.make(
        f"finetuning/{task}-train.jsonl", lambda path: write_rows(path, read_rows(source / "train.tsv", task)[:EXAMPLES])
    )
    return train, bench.materials.make(
        f"finetuning/{task}-test.jsonl", lambda path: write_rows(path, read_rows(source / test, task))
    )


def seconds_of(log):
    """The time of all steps of a run, from its log, of which each line has the tokens so far and their rate since the last."""
    seconds = before = 0
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["event"] == "train":
            seconds += (entry["tokens"] - before) / entry["tokens_per_second"]
            before = entry["tokens"]
    return seconds


def losses_of(log):
    entries = map(json.loads, log.read_text().splitlines())
    return [entry["loss"] for entry in entries if entry["event"] == "train"]


def our_run(bench, model, task, train, dtype, steps, *more):
    """Fine-tunes in a fresh directory: (seconds of the steps, losses, bytes)."""
    with bench.temporary() as folder:
        output = pathlib.Path(folder) / "run"
        options = ["--model", model, "--task", task, "--train", train, "--validation", train, "--output", output, "--dtype", dtype]
        options += ["--max-length", MAX_LENGTH, "--steps", steps, "--validate-every", steps, "--log-every", 1]
        _, peak = bench.program.measured("finetune", *options, *more)
        return seconds_of(output / "log.jsonl"), losses_of(output / "log.jsonl"), peak


def few(bench, train):
    """A few of the examples, the same ones for all: a batch whose order does not matter."""
    lines = train.read_text().splitlines(keepends=True)[:BATCH]
    return bench.materials.make(f"finetuning/{train.stem}-{BATCH}.jsonl", lambda path: path.write_text("".join(lines)))


def check_losses(bench, shape, train, dtype):
    """Losses without dropout must be transformers'. Why ours cannot be measured, or nothing."""
    model, some = bench.materials.classifier(shape, 0), few(bench, train)
    worker = bench.workers.get("finetuning", None, model, "float32")
    theirs = worker.ask("losses", data=str(some), steps=CHECKED_STEPS)["losses"]
    worker.close()
    try:
        _, ours, _ = our_run(
            bench, model, "classification", some, dtype, CHECKED_STEPS, "--learning-rate", "1e-5", "--schedule", "constant",
            "--warmup", 0,
        )  # fmt: skip
    except Failed as reason:
        return str(reason)
    for mine, right in ((ours[0], theirs[0]), (ours[-1], theirs[-1])):
        if not abs(mine - right) <= LOSS_TOLERANCE[dtype] * right:
            raise Differs(f"fine-tuning: our loss is {mine}, theirs {right}")
    bench.note(
        f"{shape}: losses at steps 1 and {CHECKED_STEPS} without dropout: {ours[0]:.5f}, {ours[-1]:.5f}; "
        f"transformers in float32: {theirs[0]:.5f}, {theirs[-1]:.5f}"
    )
    return ""


def finetuning(shape, task, dtype):
    row = f"{'MiniLM' if shape == 'minilm' else 'base'}, {TITLES[task]}"

    def run(bench):
        train, _ = files(bench, task)
        failure = check_losses(bench, shape, train, dtype)
        model, steps = bench.materials.classifier(shape, 0.1), STEPS[shape]
        rounds = bench.rounds if shape == "minilm" else min(2, bench.rounds)

        def rows_of(contestant, seconds, peak):
            return {
                row: {contestant: steps * BATCH / seconds},
                ("finetuning-memory", f"{row}, {dtype}"): {contestant: peak / 2**20},
            }

        def ours():
            seconds, _, peak = our_run(bench, model, "classification", few_or_all(bench, train, steps), dtype, steps)
            return rows_of("roformer", seconds, peak)

        def theirs(contestant):
            worker = bench.workers.get(ROLES[contestant], None, model, dtype)
            result = worker.ask("measure", data=str(few_or_all(bench, train, steps)), steps=steps)
            return rows_of(contestant, result["seconds"], result["peak_memory"])

        actors = [Actor("roformer", ours, failure)]
        actors += [Actor(name, lambda name=name: theirs(name)) for name in ROLES]
        return bench.measure(actors, rounds)

    return Family(f"finetuning-{shape}-{task}-{dtype}", f"finetuning-{dtype}", run)


def few_or_all(bench, train, steps):
    """The file of the first steps · BATCH examples: an epoch of so many steps."""
    lines = train.read_text().splitlines(keepends=True)
    if steps * BATCH == len(lines):
        return train
    name = f"finetuning/{train.stem}-{steps * BATCH}.jsonl"
    return bench.materials.make(name, lambda path: path.write_text("".join(lines[: steps * BATCH])))


def evaluating(task):
    row = f"MiniLM, {TITLES[task]}"

    def run(bench):
        _, test = files(bench, task)
        model = bench.materials.classifier("minilm", 0.1)
        examples = len(test.read_text().splitlines())
        command = ["evaluate", "--model", model, "--task", "classification", "--data", test, "--max-length", MAX_LENGTH]
        worker = bench.workers.get("finetuning", None, model, "float32")
        with bench.temporary() as folder:
            said = pathlib.Path(folder) / "predictions.jsonl"
            bench.program.run(*command, "--predictions", said)
            ours = np.array([list(json.loads(line)["scores"].values()) for line in said.read_text().removesuffix("\n").split("\n")])
            worker.ask("outputs", data=str(test), path=str(pathlib.Path(folder) / "theirs.npy"))
            right = np.load(pathlib.Path(folder) / "theirs.npy")
        difference = float(np.abs(ours - right).max())
        if not difference <= FLOAT32_TOLERANCE:
            raise Differs(f"evaluation: our probabilities differ from theirs by {difference}")
        bench.note(f"{TITLES[task]}: max. difference of probabilities {difference:.1e}")

        def ours_timed():
            return {row: {"roformer": examples / bench.program.measured(*command)[0]}}

        def theirs():
            return {row: {RANDOM: examples / worker.ask("evaluate", data=str(test))["seconds"]}}

        return bench.measure([Actor("roformer", ours_timed), Actor(RANDOM, theirs)])

    return Family(f"evaluating-{task}", "evaluating", run)


def contrastive():
    row = "MiniLM, paraphrases of MRPC"
    steps = 3

    def write(path, source):
        pairs = [texts for texts, label in read_rows(source, "mrpc") if label == "1"][: steps * PAIRS]
        path.write_text("".join(json.dumps({"anchor": a, "positive": b}) + "\n" for a, b in pairs))

    def run(bench):
        source = bench.materials.data("glue") / "glue/MRPC/train.tsv"
        pairs = bench.materials.make("finetuning/pairs.jsonl", lambda path: write(path, source))
        model = bench.materials.minilm()

        def ours():
            seconds, _, _ = our_run(bench, model, "contrastive", pairs, "float32", steps, "--batch-size", PAIRS)
            return {row: {"roformer": steps * PAIRS / seconds}}

        def theirs():
            worker = bench.workers.get("contrastive", None, model, "float32")
            return {row: {SENTENCES: steps * PAIRS / worker.ask("measure", data=str(pairs), batch=PAIRS)["seconds"]}}

        return bench.measure([Actor("roformer", ours), Actor(SENTENCES, theirs)])

    return Family("contrastive-minilm", "contrastive", run)


FAMILIES = [
    *(finetuning("minilm", task, dtype) for dtype in DTYPES for task in TASKS),
    *(finetuning("base", "mrpc", dtype) for dtype in DTYPES),
    *(evaluating(task) for task in TASKS),
    contrastive(),
]
