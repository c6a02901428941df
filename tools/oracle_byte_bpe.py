#!/usr/bin/env python3
"""Compares this program's byte-level BPE with Hugging Face's tokenizers: ids and offsets of 100,000 lines each of English,
Chinese and source code, of random texts and of every code point, with tokenizers of each pattern that tokenizers learns
itself; and what both learn of the same text. Every line, and every token, must be equal.

    tools/venv.sh && venv/bin/python tools/oracle_byte_bpe.py --program build/release/roformer

Texts: $ROFORMER_SHARED or ../shared, as for oracle_tokenizers.py, and this checkout's source code with that of the
Python that runs this.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import sysconfig
import tempfile

from pipeline_cases import LLAMA3, QWEN2, byte_level, split_words
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
BEGIN, END, MASK = "<s>", "</s>", "<mask>"
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()])
# Name: normalizer, words, whether offsets leave out spaces (None: RoBERTa's post-processor), ignore_merges.
KINDS = {
    "gpt2": (None, byte_level(), False, False),
    "neox": (normalizers.NFC(), byte_level(), True, False),
    "roberta": (None, byte_level(True), None, False),
    "smollm": (None, DIGITS, False, False),
    "llama3": (None, split_words(LLAMA3), True, True),
    "qwen2": (normalizers.NFC(), split_words(QWEN2), False, False),
}
PARTS = [*"aeiThk 12.,'-_\t", " ", "  ", "   ", "\u0301", "\u0323", "é", "İ", "ß", "ﬁ", "½", "²", "Ⅷ", "中", "文", "한", "각",
         "\u1100", "\u1161", "\u11a8", "'s", "'S", "'\u017f", "'ll", "'LL", "'Ve", "don't", "123", "2024", "\u0663", "\u00a0",
         "\u3000", "\u2028", "\u0085", "\u200b", "\U0001f600", "\U0001f468\u200d\U0001f469", MASK, f" {MASK} ", BEGIN, "カ", "\u3099",
         " the", "café", "!!", "==", "->", "\x0b", "\x0c", "\x1c", "Ġ"]


def read_lines(path, count):
    lines = []
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            line = line.rstrip("\n").replace("\r", "")
            if line:
                lines.append(line)
            if len(lines) == count:
                break
    return lines


def read_code(count):
    lines = []
    folders = [ROOT / "src", ROOT / "tools", pathlib.Path(sysconfig.get_paths()["stdlib"])]
    for path in sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in (".h", ".cc", ".py")):
        text = path.read_text(encoding="utf-8", errors="ignore")
        lines += [line for line in text.replace("\r", "").split("\n") if line and "\0" not in line]
        if len(lines) >= count:
            break
    return lines[:count]


def read_shared(name, file, count, folder):
    subprocess.run(["bash", SHARED / "data/unpack.sh", folder, name], check=True, stdout=subprocess.DEVNULL)
    return read_lines(pathlib.Path(folder) / name / file, count)


def random_lines(count):
    rng = random.Random(1)
    return ["".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 25))) for _ in range(count)]


def code_point_lines():
    points = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and chr(c) not in "\n\r"]
    singles = [f"a{c}b {c}1{c}.'{c} {c}" for c in points]
    return ["".join(singles[i:i + 16]) for i in range(0, len(singles), 16)]


def learn(kind, texts, size):
    normalizer, words, trims, ignores_merges = KINDS[kind]
    tokenizer = Tokenizer(BPE(ignore_merges=ignores_merges))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=[BEGIN, END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    tokenizer.add_tokens([AddedToken(" " * count, normalized=False) for count in (8, 4)] if kind == "neox" else [])
    if trims is None:
        tokenizer.post_processor = processors.RobertaProcessing((END, 1), (BEGIN, 0))
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=trims)
    return tokenizer


def compare(program, kind, tokenizer, name, lines, folder):
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "texts").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    done = subprocess.run([program, "tokenize", "--json", "--model", folder, "--input", folder / "texts"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{kind}: {done.stderr.strip()}")
        return 1
    wrong = 0
    for line, found in zip(lines, done.stdout.split("\n"), strict=False):
        got, want = json.loads(found), tokenizer.encode(line)
        if got["ids"] != want.ids or [tuple(o) for o in got["offsets"]] != want.offsets:
            wrong += 1
            if wrong <= 3:
                print(f"{kind}: {line[:200]!r}\n  is    {got['tokens'][:30]} {got['offsets'][:30]}\n  right {want.tokens[:30]} {want.offsets[:30]}")
    print(f"{kind}, {name}: {wrong} of {len(lines):,} lines differ", flush=True)
    return wrong


def compare_learning(program, lines, folder):
    """The tokens of train-tokenizer beside those of BpeTrainer."""
    size, specials = 4000, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    text = "".join(line + "\n" for line in lines if not line.startswith(("<doc", "</doc")))  # which are no text
    (folder / "text").write_text(text, encoding="utf-8", newline="\n")
    subprocess.run([program, "train-tokenizer", "--type", "byte-bpe", "--vocab-size", str(size), "--input", folder / "text", "--output", folder / "learned"], check=True)
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = byte_level()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(vocab_size=size, min_frequency=2, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    want, got = tokenizer.get_vocab(), Tokenizer.from_file(str(folder / "learned/tokenizer.json")).get_vocab()
    wrong = sum(got.get(token) != number for token, number in want.items()) + len(got) - len(want)
    print(f"learning: {wrong} of {len(want):,} tokens differ")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--lines", type=int, default=100_000, help="of each kind of text")
    parser.add_argument("kinds", nargs="*")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = {
            "English": read_shared("enwiki", "enwiki_AA_raw.txt", options.lines, name),
            "Chinese": read_shared("zhwiki", "zhwiki_docs100.txt", options.lines, name),
            "source code": read_code(options.lines),
            "random": random_lines(options.lines // 5),
            "code points": code_point_lines(),
        }
        sample = [line + "\n" for kind in ("English", "Chinese", "source code") for line in texts[kind][-options.lines // 5:]]
        for kind in options.kinds or KINDS:
            tokenizer = learn(kind, sample, 32_000)
            wrong += sum(compare(options.program, kind, tokenizer, name, lines, folder) for name, lines in texts.items())
        # One block of this program's reading, as words do not cross blocks.
        wrong += compare_learning(options.program, texts["English"][:1500], folder)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
