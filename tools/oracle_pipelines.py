#!/usr/bin/env python3
"""Compares this program's tokenizer.json pipelines with Hugging Face's tokenizers: ids and offsets of the pipelines of
pipeline_cases.py for its texts, random ones and every code point; every line must be equal.

    tools/venv.sh && venv/bin/python tools/oracle_pipelines.py --program build/release/roformer
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from pipeline_cases import CASES, TEXTS, make, random_texts


def code_point_texts():
    points = [c for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and chr(c) not in "\n\r"]
    singles = [f"a{chr(c)}b\u0301{chr(c)}\u0323" for c in points]
    return ["".join(singles[i:i + 16]) for i in range(0, len(singles), 16)]


def compare(program, name, texts):
    tokenizer = make(name)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "texts").write_text("".join(text + "\n" for text in texts), encoding="utf-8")
        done = subprocess.run([program, "tokenize", "--json", "--model", folder, "--input", folder / "texts"],
                              capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name}: {done.stderr.strip()}")
        return 1
    wrong = 0
    for text, line in zip(texts, done.stdout.splitlines(), strict=True):
        got, want = json.loads(line), tokenizer.encode(text)
        if got["ids"] != want.ids or [tuple(o) for o in got["offsets"]] != want.offsets:
            wrong += 1
            if wrong <= 3:
                print(f"{name}: {text!r}\n  is    {got['tokens']} {got['offsets']}\n  right {want.tokens} {want.offsets}")
    print(f"{name}: {wrong} of {len(texts)} differ")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--random", type=int, default=2000, help="random texts for each pipeline")
    parser.add_argument("--every", type=int, default=8, help="every how many pipelines read all code points")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    wrong = 0
    one_line = [text for text in TEXTS if text and "\n" not in text and "\r" not in text and "\0" not in text]
    for number, name in enumerate(options.names or CASES):
        texts = one_line + [t.replace("\n", " ") for t in random_texts(number, options.random)]
        if number % options.every == 0:
            texts += code_point_texts()
        wrong += compare(options.program, name, [text for text in texts if text.strip("\n")])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
