#!/usr/bin/env python3
"""Two translators that know no language, a table that compares them with a real one, and examples; for demo_translation.sh.

    demo_translation.py nearest TRAIN_SOURCE TRAIN_TARGET SOURCE OUTPUT     the target of the most similar source to train on
    demo_translation.py table PROGRAM REFERENCES TOKENIZER NAME=FILE…       BLEU and chrF of several files
    demo_translation.py examples SOURCE HYPOTHESES REFERENCES               ten sentences

Only Python's own library is needed.
"""

import argparse
import collections
import json
import math
import pathlib
import re
import subprocess

WORDS = re.compile(r"\w+|[^\w\s]")
EXAMPLES, SHORTEST, LONGEST = 10, 6, 20  # words of a sentence that is shown


def lines_of(path):
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def features(text):
    """Words and pairs of words, with their numbers."""
    words = WORDS.findall(text.casefold())
    return collections.Counter(words + list(zip(words, words[1:])))


class Index:
    """Finds the line with the largest cosine of tf-idf vectors."""

    def __init__(self, lines):
        counted = [features(line) for line in lines]
        documents = collections.Counter(feature for one in counted for feature in one)
        self.weights = {feature: math.log(len(lines) / count) for feature, count in documents.items()}
        self.postings = collections.defaultdict(list)
        for i, one in enumerate(counted):
            vector = {feature: count * self.weights[feature] for feature, count in one.items()}
            norm = math.sqrt(sum(value * value for value in vector.values())) or 1.0
            for feature, value in vector.items():
                self.postings[feature].append((i, value / norm))

    def nearest(self, line):
        """Of equals the first; None where no word is known."""
        scores = collections.defaultdict(float)
        for feature, count in features(line).items():
            weight = count * self.weights.get(feature, 0.0)
            for i, value in self.postings.get(feature, ()):
                scores[i] += weight * value
        return max(scores, key=lambda i: (scores[i], -i), default=None)


def nearest(options):
    targets, index = lines_of(options.train_target), Index(lines_of(options.train_source))
    found = [index.nearest(line) for line in lines_of(options.source)]
    part = options.output.with_name(options.output.name + ".part")
    part.write_text("".join(("" if i is None else targets[i]) + "\n" for i in found), encoding="utf-8")
    part.rename(options.output)


def table(options):
    rows = [("", "BLEU", "95 % interval", "chrF")]
    for name, file in (one.split("=", 1) for one in options.systems):
        command = [options.program, "evaluate", "--task", "translation", "--hypotheses", file, "--references", options.references]
        done = subprocess.run([*command, "--tokenize", options.tokenizer, "--json"], check=True, stdout=subprocess.PIPE, text=True)
        scores = json.loads(done.stdout)
        low, high = scores["interval95"]["bleu"]
        rows.append((name, f"{scores['metrics']['bleu']:.1f}", f"{low:.1f} to {high:.1f}", f"{scores['metrics']['chrf']:.1f}"))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for first, *others in rows:
        print(first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:])), sep="   ")
    print(scores["signatures"]["bleu"])


def examples(options):
    """Evenly spaced ones of those that are sentences of ordinary length: nobody chose them."""
    triples = zip(*map(lines_of, (options.source, options.hypotheses, options.references)), strict=True)
    plain = [one for one in triples if SHORTEST <= len(one[0].split()) <= LONGEST and one[0].endswith(".")]
    for i in range(min(EXAMPLES, len(plain))):
        source, hypothesis, reference = plain[i * len(plain) // min(EXAMPLES, len(plain))]
        print(f"\nEnglish       {source}\nreference     {reference}\ntranslation   {hypothesis}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    files = {
        nearest: ("train_source", "train_target", "source", "output"),
        examples: ("source", "hypotheses", "references"),
        table: ("program", "references"),
    }
    for function, names in files.items():
        command = commands.add_parser(function.__name__)
        command.set_defaults(run=function)
        for name in names:
            command.add_argument(name, type=pathlib.Path)
        if function is table:
            command.add_argument("tokenizer")
            command.add_argument("systems", nargs="+")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
