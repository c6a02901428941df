#!/usr/bin/env python3
"""GLUE from MiniLM with its learned positions, and from the same weights with rotary ones.

    make reproduce-glue      three hours on two cores; BUDGET=short: one; BUDGET=tiny: minutes, which shows only that it works

MLM_STEPS (900, half an hour) is how long the rotary weights learn of Wikipedia; more do them good.
"""

import dataclasses
import json

from task_study import COLUMNS, HOW_TO_READ, Score, Study, lines_of

from results_page import table

RATES = ("2e-5", "5e-5")
LENGTH = 128


@dataclasses.dataclass(frozen=True)
class Size:
    epochs: int
    seeds: int = 5
    rows: int | None = None  # to train on; None: all
    test_rows: int | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """What is trained on and measured, and how much of it."""

    title: str
    folder: str
    train: tuple
    test: tuple
    metric: str
    metric_name: str
    full: Size
    short: Size
    headers: tuple = (False, False)  # of the files to train on, to measure on
    published: str = "–"
    fields: object = None  # of a row, for transformers: texts and label
    said: str = ""  # of the data

    @property
    def kind(self):
        return "regression" if self.metric == "spearman" else "classification"


TINY = Size(epochs=1, seeds=2, rows=100, test_rows=100)
TASKS = {
    # In full 1.2, 2.5, 3.2 and 2.2 minutes a run, six runs of each and kind of positions; transformers takes about three times as long.
    "cola": Task("CoLA", "CoLA", ("in_domain_train.tsv",), ("in_domain_dev.tsv", "out_of_domain_dev.tsv"), "matthews",
                 "Matthews correlation", Size(2), Size(1, seeds=3), published="47.5", fields=lambda row: ([row[3]], row[1])),
    "mrpc": Task("MRPC", "MRPC", ("train.tsv", "dev.tsv"), ("test.tsv",), "f1", "F1", Size(2), Size(1, seeds=3), published="88.9",
                 headers=(False, True), fields=lambda row: ([row[3], row[4]], row[0]),
                 said="measured on GLUE's test set, which has labels here"),
    "rte": Task("RTE", "RTE", ("train.tsv",), ("dev.tsv",), "accuracy", "accuracy", Size(3), Size(2, seeds=3), published="68.8",
                headers=(True, True), fields=lambda row: ([row[0], row[1]], row[2])),
    "sts-b": Task("STS-B", "STS-B", ("sts-train.csv",), ("sts-test.csv",), "spearman", "Spearman correlation", Size(2), Size(1, seeds=3),
                  fields=lambda row: ([row[5], row[6]], row[4]), said="measured on the test set"),
    # In full 0.8, 1.3 and 1.5 minutes a run, three runs each.
    "sst-2": Task("SST-2", "SST-2", ("train.tsv",), ("test.tsv",), "accuracy", "accuracy", Size(1, seeds=2, rows=8000),
                  Size(1, seeds=2, rows=3000), headers=(True, True), published="91.5",
                  said="{rows:,} of 60,614 phrases; measured on GLUE's validation sentences"),
    "qnli": Task("QNLI", "QNLI", ("dev.tsv",), ("test.tsv",), "accuracy", "accuracy", Size(1, seeds=2, rows=3000, test_rows=2000),
                 Size(1, seeds=2, rows=1500, test_rows=1000), headers=(True, True),
                 said="{rows:,} of 10,475 rows, a slice of GLUE's training data; measured on {test_rows:,} rows of its validation data"),
    "qqp": Task("QQP", "QQP", ("quora-dev.csv",), ("quora-dev.csv",), "f1", "F1", Size(1, seeds=2, rows=6000, test_rows=4000),
                Size(1, seeds=2, rows=2000, test_rows=2000), headers=(True, True),
                said="20,212 labeled rows, divided at random: {rows:,} to train on, {test_rows:,} others to measure on"),
}  # fmt: skip


SHORT = """
One epoch or two of a few thousand rows teach such a model little: where a score is that of guessing (CoLA, RTE, QNLI, QQP)
nothing can be said of positions. What the short budget shows is that this program and transformers, by the same recipe from
the same weights, come to the same.
"""


class Glue(Study):
    def size(self, task):
        return self.choose(task.full, task.short, TINY)

    def files(self, name, task):
        """To train on, to measure on. Test rows of the same file begin behind those to train on."""
        folder = self.data("glue") / task.folder
        train, test = ([folder / file for file in files] for files in (task.train, task.test))
        rows, test_rows = self.size(task).rows, self.size(task).test_rows
        begin = rows if task.train == task.test else 0
        if rows is not None:
            train = [self.rows(f"{name}-train.tsv", train, rows, task.headers[0])]
        if test_rows is not None:
            test = [self.rows(f"{name}-test.tsv", test, test_rows, task.headers[1], begin)]
        return train, test

    def score(self, kind, model, name, rates=RATES):
        """Of a task, by its own choice of the learning rate among these; and that rate."""
        task = TASKS[name]
        train, test = self.files(name, task)
        size = self.size(task)
        length = ["--steps", 2] if self.tiny else ["--epochs", size.epochs]

        def run(rate, seed):
            output, validated = self.finetune(
                f"{name}-{kind}-{rate}-{seed}", model, name, train, "--max-length", LENGTH, *length,
                "--learning-rate", rate, "--seed", seed,
            )  # fmt: skip
            return output, validated["metrics"][task.metric]

        rate = self.choose_rate(rates[:1] if self.tiny else rates, run)
        seeds = range(1, size.seeds + 1)
        return Score([self.evaluate(run(rate, seed)[0], test) for seed in seeds], task.metric), rate

    def transformers(self, model, name, rate):
        task = TASKS[name]
        train, test = (self.made(f"{name}-{which}.jsonl", lambda path, files=files: write_rows(path, files, task))
                       for which, files in zip(("train", "test"), self.files(name, task)))  # fmt: skip
        done = self.peer(f"{name}-transformers", model, task.kind, train, test, rate, self.size(task).epochs, 1, task.metric)
        return done and Score([done], task.metric)


def write_rows(path, files, task):
    """Rows without those that are none: a header, a score that is missing."""
    lines = []
    for file in files:
        for line in lines_of(file):
            texts, label = task.fields(line.rstrip("\r").split("\t"))
            if label.replace(".", "", 1).isdigit():
                lines.append(json.dumps({"texts": texts, "label": float(label) if task.kind == "regression" else label}) + "\n")
    path.write_text("".join(lines))


def main():
    study = Glue("glue", "GLUE: MiniLM with learned and with rotary positions", __doc__)
    minilm = study.minilm()
    rotary, steps = study.rotary_minilm(minilm)
    rows, briefly = [], []
    for name, task in TASKS.items():
        learned, rate = study.score("learned", minilm, name)
        turned, turned_rate = study.score("rotary", rotary, name, *study.choose((), ([rate],), ([rate],)))
        theirs = study.transformers(minilm, name, rate) if task.fields else None
        title = f"{task.title}, {task.metric_name}"
        epochs = str(study.size(task).epochs)
        rows.append([title, "learned", *learned.cells(), rate, epochs, task.published])
        rows.append(["", "rotary", *turned.cells(), turned_rate, epochs, ""])
        if theirs:
            rows.append(["", "learned, transformers", *theirs.cells(), rate, epochs, ""])
        briefly.append([title, str(learned), str(turned), str(theirs or "–"), f"± {learned.half:.1f}"])
    cuts = "\n".join(f"- {task.title}: {task.said.format(**vars(study.size(task)))}." for task in TASKS.values() if task.said)
    body = f"""The same six layers, 384 wide: all-MiniLM-L6-v2 as published (learned positions: the "BERT" of this comparison), and its
weights with rotary positions instead, after {steps:,} steps of masked language modeling of English Wikipedia. That is little: what
the rotary rows lack is also what the exchange of positions forgot, not what the encoding can do. Sequences have up to {LENGTH}
tokens, steps 32 examples. A tenth of the training examples is held out: it chooses the epoch, and with seed 1 the learning rate
among {" and ".join(RATES)}{study.choose("", ", for both kinds of positions with the learned ones", "")}. What is measured on chooses
nothing. "Published" is for that size, other weights (MiniLM before its training on sentence pairs) and all data.
{study.choose("", SHORT, "")}
{HOW_TO_READ}
{table(["task", "positions", *COLUMNS, "rate", "epochs", "published"], rows)}
Cut or divided otherwise than in GLUE:

{cuts}
"""
    summary = "Scores × 100, mean over the seeds with its 95 % interval; the last column is half of the interval over examples.\n\n"
    summary += table(["task", "learned", "rotary", "learned, transformers", "by examples"], briefly)
    study.publish(body, summary)


if __name__ == "__main__":
    main()
