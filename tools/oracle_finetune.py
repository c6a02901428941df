"""Compares `finetune` and `evaluate` on labeled files with transformers and torch.

    tools/venv.sh && venv/bin/python tools/oracle_finetune.py --program build/release/roformer

Tiny random BERTs and RoFormers, all examples in every step, no dropout: the losses of all steps, then the logits of the
saved directory as transformers loads it, must be those of a loop around torch's AdamW; the metrics of `evaluate` those of
scikit-learn, scipy, seqeval and SQuAD's script on what transformers predicts with that directory.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
import numpy as np
import peft
import torch
import transformers
from finetune_cases import MAX_LENGTH, TASKS, WORDS, Classification

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

STEPS, WARMUP, RATE, DECAY, CLIP = 8, 3, 2e-3, 0.1, 1.0
LOSS_TOLERANCE, LOGIT_TOLERANCE, METRIC_TOLERANCE = 1e-5, 1e-4, 1e-5
TRAINING = ("--steps", STEPS, "--warmup", WARMUP, "--learning-rate", RATE, "--weight-decay", DECAY, "--clip-norm", CLIP,
            "--batch-size", 1000, "--log-every", 1, "--validate-every", STEPS)  # fmt: skip
FAMILIES = ("Bert", "RoFormer")


def make_model(folder, family, task):
    torch.manual_seed(11)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": len(WORDS),
             "max_position_embeddings": 64, "initializer_range": 0.15, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    more = {"embedding_size": 24} if family == "RoFormer" else {}
    config = getattr(transformers, f"{family}Config")(**sizes, **more, **task.settings())
    getattr(transformers, f"{family}For{task.model_class}")(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in WORDS))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def load(folder, task):
    return getattr(transformers, f"AutoModelFor{task.model_class}").from_pretrained(folder)


def rate(step):
    """The learning rate of step 1, 2, …: up to the peak at step WARMUP, then down to 0 behind the last one."""
    return RATE * (step / WARMUP if step <= WARMUP else (STEPS - step + 1) / (STEPS - WARMUP))


def optimize(model, loss_now):
    """Losses before each step."""
    model.train()
    decayed = lambda name: not name.endswith("bias") and "LayerNorm" not in name  # noqa: E731
    groups = [{"params": [p for name, p in model.named_parameters() if decayed(name)], "weight_decay": DECAY},
              {"params": [p for name, p in model.named_parameters() if not decayed(name)], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for step in range(1, STEPS + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.zero_grad()
        loss = loss_now()
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
    return losses


def losses_of(output):
    """Of the steps of a run."""
    entries = map(json.loads, (output / "log.jsonl").read_text().splitlines())
    return [entry["loss"] for entry in entries if entry["event"] == "train"]


class Checker:
    def __init__(self, program):
        self.program, self.wrong, self.count = program, [], 0

    def run(self, *arguments):
        command = [self.program, *map(str, arguments), "--threads", "1"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(result.stderr.strip())
        return result.stdout

    def compare(self, name, got, right, tolerance):
        self.count += 1
        got, right = np.asarray(got, dtype=float), np.asarray(right, dtype=float)
        if got.shape != right.shape:
            self.wrong.append(f"{name}: {got.shape}, right is {right.shape}")
            return
        error = float(np.max(np.abs(got - right) / np.maximum(1, np.abs(right))))
        if not error <= tolerance:
            self.wrong.append(f"{name}: off by {error:.2g}: {got.ravel()[:4]}, right is {right.ravel()[:4]}")

    def equal(self, name, got, right):
        self.count += 1
        if got != right:
            self.wrong.append(f"{name}: {got}, right is {right}")


def check(checker, work, family, task):
    name = f"{family} {type(task).__name__}"
    model_folder, data, output = work / "model", work / "data", work / "output"
    work.mkdir(parents=True)
    make_model(model_folder, family, task)
    task.write(data)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    inputs = task.inputs(tokenizer)
    theirs = load(model_folder, task)
    losses = optimize(theirs, lambda: task.loss(theirs, inputs))
    checker.run("finetune", "--model", model_folder, "--task", task.name, "--train", data, "--validation", data, "--output", output,
                *TRAINING, "--max-length", MAX_LENGTH, "--metric", "loss", *task.options, *task.training)  # fmt: skip
    checker.compare(f"{name}: losses", losses_of(output), losses, LOSS_TOLERANCE)

    saved = load(output, task).eval()
    checker.equal(f"{name}: architecture", type(saved).__name__, f"{family}For{task.model_class}")
    if task.labels:
        checker.equal(f"{name}: labels", [saved.config.id2label[i] for i in range(len(task.labels))], task.labels)
    again = transformers.AutoTokenizer.from_pretrained(output)
    checker.equal(f"{name}: tokenizer", again("Who sees the kingdom of Berlin?")["input_ids"],
                  tokenizer("Who sees the kingdom of Berlin?")["input_ids"])
    with torch.no_grad():
        of_saved, of_theirs = (task.logits(model.eval(), inputs) for model in (saved, theirs))
    compared = [task.comparable(logits, inputs) for logits in (of_saved, of_theirs)]
    checker.compare(f"{name}: logits of the saved model", *compared, LOGIT_TOLERANCE)

    metrics = task.metrics(of_saved)
    lines = checker.run("evaluate", "--model", output, "--data", data, "--json", "--predictions", work / "predictions", *task.options)
    check_scores(checker, name, json.loads(lines), metrics)
    check_scores(checker, f"{name}, evaluation.json", json.loads((output / "evaluation.json").read_text()), metrics)
    check_scores(checker, f"{name}, reference device", json.loads(checker.run(
        "evaluate", "--model", output, "--task", task.name, "--data", data, "--json", "--device", "reference", *task.options)), metrics)


def check_adapter(checker, work, family):
    """What `--lora-save adapter` writes, as peft loads it upon the model that was started from."""
    task = Classification()
    work.mkdir(parents=True)
    model_folder, data, output = work / "model", work / "data", work / "output"
    make_model(model_folder, family, task)
    task.write(data)
    checker.run("finetune", "--model", model_folder, "--task", task.name, "--train", data, "--validation", data, "--output", output,
                "--steps", STEPS, "--learning-rate", 2e-2, "--batch-size", 5, "--max-length", MAX_LENGTH, "--lora-rank", 3,
                "--lora-save", "adapter")  # fmt: skip
    (folder,) = {path.parent for path in output.rglob("adapter_config.json")}
    adapted = peft.PeftModel.from_pretrained(load(model_folder, task), folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_folder)
    with torch.no_grad():
        right = task.logits(adapted, task.inputs(tokenizer)).double().softmax(-1)
    said = [json.loads(line)["scores"] for line in (output / "predictions.jsonl").read_text().splitlines()]
    name = f"{family} adapter: probabilities"
    checker.compare(name, [[one[label] for label in task.labels] for one in said], right, LOGIT_TOLERANCE)


def check_scores(checker, name, got, right):
    for metric, value in right.items():
        checker.compare(f"{name}: {metric}", got["metrics"][metric], value, METRIC_TOLERANCE)


def run_checks(description, like, checks):
    """Runs what `checks(checker)` gives, pairs of a name and a function of a folder, as a program with its options."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--keep", help="write the directories here and keep them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    work = pathlib.Path(options.keep or tempfile.mkdtemp())
    checker = Checker(str(pathlib.Path(options.program).resolve()))
    try:
        for name, run in checks(checker):
            try:
                run(work / name.replace(" ", "-"))
            except RuntimeError as error:
                checker.count += 1
                checker.wrong.append(f"{name}: {error}")
    finally:
        if not options.keep:
            shutil.rmtree(work)
    print("\n".join(checker.wrong) or "all right", f"\n{checker.count - len(checker.wrong)} of {checker.count} as {like}", sep="")
    sys.exit(bool(checker.wrong))


def all_checks(checker):
    for family in FAMILIES:
        for kind in TASKS:
            yield f"{family} {kind.__name__}", lambda folder, family=family, kind=kind: check(checker, folder, family, kind())
        yield f"{family} Adapter", lambda folder, family=family: check_adapter(checker, folder, family)


if __name__ == "__main__":
    run_checks(__doc__, "transformers", all_checks)
