"""Fine-tunes with transformers' Trainer by the recipe of `roformer finetune`, and measures on a test file.

usage: finetune_transformers.py MODEL KIND TRAIN TEST OUTPUT RATE EPOCHS SEED METRIC THREADS

KIND is classification, regression or token-classification. Files are JSON Lines: "texts" (one or two, or the words) and
"label" (a string, a number, or the tags). As in the program: batches of 32, here of texts of similar length, AdamW without decay of biases and norms,
clipping, 10 % linear warm-up, the weights of the epoch that is best on 10 % of the training examples. Writes OUTPUT with
the keys of evaluation.json.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import scipy.stats
import seqeval.metrics
import sklearn.metrics
import torch
import transformers

MAX_LENGTH, RESAMPLED = 128, 1000
MODELS = {
    "classification": transformers.AutoModelForSequenceClassification,
    "regression": transformers.AutoModelForSequenceClassification,
    "token-classification": transformers.AutoModelForTokenClassification,
}


def encode(tokenizer, kind, examples, ids):
    if kind != "token-classification":
        pairs = [one["texts"][1] for one in examples] if len(examples[0]["texts"]) > 1 else None
        encoded = tokenizer([one["texts"][0] for one in examples], pairs, truncation=True, max_length=MAX_LENGTH)
        labels = [float(one["label"]) if kind == "regression" else ids[one["label"]] for one in examples]
    else:
        encoded = tokenizer([one["texts"] for one in examples], is_split_into_words=True, truncation=True, max_length=MAX_LENGTH)
        labels = []
        for i, one in enumerate(examples):
            words, before = [], None
            for word in encoded.word_ids(i):
                words.append(-100 if word is None or word == before else ids[one["label"][word]])
                before = word
            labels.append(words)
    return [{name: values[i] for name, values in encoded.items()} | {"labels": label} for i, label in enumerate(labels)]


def measure(kind, names, logits, labels):
    """Of arrays of examples; padding has the label -100."""
    if kind == "regression":
        said = logits[:, 0]
        return {"pearson": scipy.stats.pearsonr(labels, said).statistic, "spearman": scipy.stats.spearmanr(labels, said).statistic}
    said = logits.argmax(-1)
    if kind == "token-classification":
        right = [[names[i] for i in row[row >= 0]] for row in labels]
        tags = [[names[i] for i in one[row >= 0]] for one, row in zip(said, labels)]
        return {"f1": seqeval.metrics.f1_score(right, tags), "accuracy": seqeval.metrics.accuracy_score(right, tags)}
    result = {"accuracy": sklearn.metrics.accuracy_score(labels, said)}
    if len(names) == 2:
        result["f1"] = sklearn.metrics.f1_score(labels, said, zero_division=0)
        result["matthews"] = sklearn.metrics.matthews_corrcoef(labels, said)
    return result


def bootstrap(kind, names, logits, labels):
    numbers = np.random.default_rng(1)
    drawn = [numbers.integers(len(labels), size=len(labels)) for _ in range(RESAMPLED if kind != "token-classification" else 100)]
    values = [measure(kind, names, logits[i], labels[i]) for i in drawn]
    return {name: np.percentile([one[name] for one in values], [2.5, 97.5]).tolist() for name in values[0]}


def main():
    if len(sys.argv) != 11:
        sys.exit(__doc__)
    model_path, kind, train_path, test_path, output, rate, epochs, seed, metric, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    transformers.utils.logging.disable_progress_bar()
    transformers.set_seed(int(seed))
    train, test = ([json.loads(line) for line in pathlib.Path(path).read_text().splitlines()] for path in (train_path, test_path))
    labels = [one["label"] for one in train]
    names = [] if kind == "regression" else sorted({tag for one in labels for tag in ([one] if isinstance(one, str) else one)})
    ids = {name: i for i, name in enumerate(names)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_path)
    settings = {"num_labels": 1, "problem_type": "regression"} if kind == "regression" else {"id2label": dict(enumerate(names)), "label2id": ids}
    model = MODELS[kind].from_pretrained(model_path, **settings)
    examples = encode(tokenizer, kind, train, ids)
    order = np.random.default_rng(1).permutation(len(examples))
    held_out = max(1, len(examples) // 10)
    collate = (transformers.DataCollatorForTokenClassification if kind == "token-classification" else transformers.DataCollatorWithPadding)(tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=folder, use_cpu=True, per_device_train_batch_size=32, per_device_eval_batch_size=32,
                learning_rate=float(rate), num_train_epochs=float(epochs), warmup_steps=0.1, weight_decay=0.01, seed=int(seed),
                train_sampling_strategy="group_by_length", eval_strategy="epoch", save_strategy="epoch",
                load_best_model_at_end=True, metric_for_best_model=metric, greater_is_better=True, save_total_limit=1,
                report_to="none", disable_tqdm=True,
            ),
            train_dataset=[examples[i] for i in order[held_out:]],
            eval_dataset=[examples[i] for i in order[:held_out]],
            data_collator=collate,
            compute_metrics=lambda said: measure(kind, names, said.predictions, said.label_ids),
        )  # fmt: skip
        trainer.train()
        said = trainer.predict(encode(tokenizer, kind, test, ids))
    result = {
        "n": len(test),
        "metrics": measure(kind, names, said.predictions, said.label_ids),
        "interval95": bootstrap(kind, names, said.predictions, said.label_ids),
    }
    path = pathlib.Path(output)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, default=float) + "\n")
    part.rename(path)


if __name__ == "__main__":
    main()
