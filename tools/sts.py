#!/usr/bin/env python3
"""Spearman's correlation (x 100) of `roformer similarity` with people's scores on STS-B, and, with --compare, the
largest difference of the vectors of `roformer embed` from those of transformers (mean of the hidden states, length 1).

    python tools/sts.py --program build/release/roformer --model MINILM --data sts-test.csv [--compare]

Rows of sts-test.csv: genre, file, year, number, score, sentence, sentence, separated by tabs, and sometimes two more
fields; a quote is a quote. Needs NumPy; --compare needs torch and transformers (tools/venv.sh).
"""

import argparse
import pathlib
import subprocess
import tempfile

import numpy as np


def read_pairs(path):
    """[(score, sentence, sentence)]."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    return [(float(row[4]), row[5], row[6]) for row in rows]


def ranks(values):
    """From 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def spearman(a, b):
    return float(np.corrcoef(ranks(np.asarray(a)), ranks(np.asarray(b)))[0, 1])


def run(program, command, model, text, *options):
    """The program's lines for the lines of a text."""
    words = [str(program), command, "--model", str(model), *options]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def transformers_vectors(model, texts):
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    trunk = transformers.AutoModel.from_pretrained(model).double().eval()
    encoded = tokenizer(texts)["input_ids"]
    by_length = {}
    for i, ids in enumerate(encoded):
        by_length.setdefault(len(ids), []).append(i)
    vectors = [None] * len(texts)
    for chosen in by_length.values():  # of one length: nothing is padded
        for begin in range(0, len(chosen), 64):
            part = chosen[begin : begin + 64]
            with torch.inference_mode():
                hidden = trunk(input_ids=torch.tensor([encoded[i] for i in part])).last_hidden_state
            means = torch.nn.functional.normalize(hidden.mean(dim=1))
            for i, vector in zip(part, means.numpy(), strict=True):
                vectors[i] = vector
    return np.stack(vectors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default="build/release/roformer", help="%(default)s")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="a sentence model's directory")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="sts-test.csv")
    parser.add_argument("--compare", action="store_true", help="with transformers, in float64")
    options = parser.parse_args()

    pairs = read_pairs(options.data)
    text = "".join(f"{first}\t{second}\n" for _, first, second in pairs)
    scores = [float(line) for line in run(options.program, "similarity", options.model, text)]
    if len(scores) != len(pairs):
        parser.error(f"{len(scores)} scores for {len(pairs)} pairs")
    print(f"{len(pairs)} pairs: Spearman x 100 = {100 * spearman(scores, [pair[0] for pair in pairs]):.4f}")
    if not options.compare:
        return
    sentences = [sentence for _, *both in pairs for sentence in both]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vectors.npy"
        lines = "".join(sentence + "\n" for sentence in sentences)
        run(options.program, "embed", options.model, lines, "--pooling", "mean", "--normalize", "--output", str(path))
        ours = np.load(path)
    theirs = transformers_vectors(options.model, sentences)
    difference = np.abs(ours - theirs).max()
    print(f"{len(sentences)} vectors of length 1: largest difference from transformers in float64 = {difference:.2e}")


if __name__ == "__main__":
    main()
