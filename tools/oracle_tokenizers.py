#!/usr/bin/env python3
"""Compares the program's tokenizers with the living references, line by line; every check must show 0 differing lines.

References: transformers' BertTokenizer (uncased, cased, Chinese) and RoFormerTokenizer (the `fast` mode), rjieba.cut and
jieba.cut without HMM (the words), transformers' BasicTokenizer and WordpieceTokenizer over rjieba (the `slow` mode, as
transformers 4 had it), and a statement in Python of bert4keras' tokenizer over jieba (the `bert4keras` mode). Texts: at
least --lines lines each of English and Chinese, lines made to be nasty, and every code point of Unicode. Offsets are
compared with the fast tokenizers', and each must slice the original. The directories that transformers saves must load
here and those written here must load there, with the same ids.

transformers' tokenizers get their vocabulary as a dict: from a path transformers 5 builds another tokenizer.

    tools/venv.sh && venv/bin/python tools/oracle_tokenizers.py --program build/release/roformer

The texts and vocabularies are those of ../shared/data (or $ROFORMER_SHARED); without it nothing is compared.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata

from reference_tokenizers import SPECIAL, Bert4keras, Fast, PythonWords, RustWords, Slow, expected

ROOT = pathlib.Path(__file__).resolve().parent.parent
NEEDED = ("vocab", "enwiki", "glue", "zhwiki", "zh_tasks")
ENGLISH = ("glue/*/*", "enwiki/*.txt")
CHINESE = ("zh_tasks/*/*", "zhwiki/*.txt")
NASTY_LINES = 20_000


# ---- texts -----------------------------------------------------------------------------------------------------------


def read_lines(folder, patterns, count):
    """About `count` lines, half of them from the first pattern's files where those have as many."""
    lines = []
    for number, pattern in enumerate(patterns):
        room = count - len(lines) if number + 1 == len(patterns) else count // 2
        found = []
        for path in sorted(folder.glob(pattern)):
            if path.suffix in (".py", ".md") or "LICENSE" in path.name:
                continue
            text = path.read_text(encoding="utf-8", errors="ignore").replace("\0", "").replace("\r", "")
            found += [line for line in text.split("\n") if line.strip()]
            if len(found) > 8 * room:
                break
        step = max(1, len(found) // max(1, room))
        lines += found[::step][:room]
    return lines


def nasty_lines(count, seed):
    """Random code points of many kinds, glued to words, digits and each other."""
    rng = random.Random(seed)
    pools = [
        lambda: chr(rng.randrange(0x20, 0x7F)),
        lambda: chr(rng.choice([0, 1, 7, 8, 9, 0x0B, 0x0C, 0x1B, 0x1C, 0x1F, 0x7F, 0x85, 0xA0, 0xAD, 0x200B, 0x2028, 0x3000, 0xFEFF])),
        lambda: chr(rng.randrange(0x300, 0x370)),
        lambda: chr(rng.randrange(0xC0, 0x250)),
        lambda: chr(rng.randrange(0x370, 0x600)),
        lambda: chr(rng.randrange(0x600, 0x1000)),
        lambda: chr(rng.randrange(0x1000, 0x2000)),
        lambda: chr(rng.randrange(0x2000, 0x3100)),
        lambda: chr(rng.randrange(0x3100, 0x4E00)),
        lambda: chr(rng.randrange(0x4E00, 0xA000)),
        lambda: chr(rng.randrange(0xAC00, 0xD7A4)),
        lambda: chr(rng.randrange(0xF900, 0xFB00)),
        lambda: chr(rng.randrange(0xFB00, 0x10000)),
        lambda: chr(rng.randrange(0x1F300, 0x1FB00)),
        lambda: chr(rng.randrange(0x20000, 0x30000)),
        lambda: chr(rng.choice([0x130, 0x131, 0x3A3, 0x3C3, 0x3C2, 0xDF, 0x1E9E, 0x212A, 0x212B, 0x1D165, 0x1D16D])),
        lambda: rng.choice(["the", "unaffable", "AT&T", "c++", "T恤", "B超", "ab12", "3.14", "中国", "今天天气", "龟鉴", "ΑΣ", "Σ."]),
        lambda: rng.choice([*SPECIAL, "[mask]", "[unk", "##ing", "<doc>"]),
        lambda: rng.choice([" ", "  ", "\t", "\u200d", "\u0301\u0327", "-", "_", "'", "\u2019", "，", "。"]),
    ]
    lines = []
    for _ in range(count):
        some = [rng.choice(pools) for _ in range(rng.randrange(1, 5))]
        line = "".join(rng.choice(some)() for _ in range(rng.randrange(1, 40)))
        lines.append(line)
    lines += ["a" * n for n in (99, 100, 101, 199, 200, 201, 5000)] + ["中" * 3000, "ab中" * 50 + "x" * 300, "é" * 150, "İ" * 120]
    return [line for line in (line.replace("\n", "").rstrip("\r") for line in lines) if line]


def every_code_point():
    return [f"a{chr(c)}b {chr(c)} 中{chr(c)}国" for c in range(0x110000) if c != 0x0A and not 0xD800 <= c < 0xE000]


# ---- this program ----------------------------------------------------------------------------------------------------


def write_directory(path, vocabulary, config):
    path.mkdir(parents=True, exist_ok=True)
    ordered = sorted(vocabulary, key=vocabulary.get)
    (path / "vocab.txt").write_text("".join(token + "\n" for token in ordered), encoding="utf-8")
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


def ask(program, directory, lines, *options):
    """The program's JSON for each line, read from its standard input (where NUL is a character like any other)."""
    result = subprocess.run(
        [program, "tokenize", "--model", str(directory), "--json", *options],
        input="".join(line + "\n" for line in lines).encode(),
        capture_output=True,
        check=False,
    )
    if result.returncode != 0:
        sys.exit(f"{program} tokenize --model {directory}: {result.stderr.decode()}")
    return [json.loads(line) for line in result.stdout.split(b"\n")[:-1]]


# ---- comparing -------------------------------------------------------------------------------------------------------


def known_to_python(lines):
    """Those without a code point that Python's Unicode does not have, which utf8proc's may know."""
    return [line for line in lines if not any(unicodedata.category(character) == "Cn" for character in line)]


class Oracle:
    def __init__(self, program, work_directory):
        self.program, self.work = program, work_directory
        self.failed = 0

    def report(self, name, lines, differing):
        self.failed += bool(differing)
        print(f"{'FAIL' if differing else 'ok  '}  {name}: {len(lines)} lines, {len(differing)} differ", flush=True)
        for line, ours, theirs in differing[:3]:
            print(f"      {line[:120]!r}\n        here  {str(ours)[:400]}\n        there {str(theirs)[:400]}")

    def words(self, name, directory, reference, lines):
        ours = [answer["words"] for answer in ask(self.program, directory, lines, "--words")]
        theirs = expected(reference, lines)
        self.report(name, lines, [(l, o, t) for l, o, t in zip(lines, ours, theirs, strict=True) if o != t])

    def ids(self, name, directory, reference, lines):
        ours = [answer["ids"] for answer in ask(self.program, directory, lines)]
        theirs = expected(reference, lines)
        self.report(name, lines, [(l, o, t) for l, o, t in zip(lines, ours, theirs, strict=True) if o != t])

    def ids_and_offsets(self, name, directory, reference, lines):
        ours = ask(self.program, directory, lines)
        theirs = expected(reference, lines)
        ids, offsets, outside = [], [], []
        for line, here, (there_ids, there_offsets) in zip(lines, ours, theirs, strict=True):
            here_offsets = [tuple(offset) for offset in here["offsets"]]
            if here["ids"] != there_ids:
                ids.append((line, here["ids"], there_ids))
            elif here_offsets != there_offsets:
                offsets.append((line, here_offsets, there_offsets))
            inner = here_offsets[1:-1]
            if any(not 0 <= begin < end <= len(line) for begin, end in inner):
                outside.append((line, here_offsets, ""))
        self.report(f"{name}, ids", lines, ids)
        self.report(f"{name}, every offset slices the text", lines, outside)
        return offsets

    def pairs(self, name, directory, kind, vocabulary, lines, longest):
        tokenizer = Fast(kind, vocabulary).tokenizer
        first = [line.replace("\t", " ") for line in lines[0::2]]
        second = [line.replace("\t", " ") for line in lines[1::2]]
        first = first[: len(second)]
        ours = ask(self.program, directory, [f"{a}\t{b}" for a, b in zip(first, second, strict=True)], "--pair",
                   "--max-length", str(longest))  # fmt: skip
        differing = []
        for a, b, here in zip(first, second, ours, strict=True):
            there = tokenizer(a, b, max_length=longest, truncation="longest_first", return_token_type_ids=True)
            if (here["ids"], here["segment_ids"]) != (there["input_ids"], there["token_type_ids"]):
                differing.append((f"{a} / {b}", here["ids"], there["input_ids"]))
        self.report(f"{name}, pairs of at most {longest} ids", first, differing)

    def directories(self, name, kind, vocabulary, config, lines):
        """Written there, read here; written here, read there."""
        import tokenizers
        import transformers

        there = Fast(kind, vocabulary)
        saved = self.work / f"saved_{kind}"
        there.tokenizer.save_pretrained(saved)
        theirs = [ids for ids, _ in there(lines)]
        ours = [answer["ids"] for answer in ask(self.program, saved, lines)]
        self.report(f"{name}, saved by transformers, read here", lines,
                    [(l, o, t) for l, o, t in zip(lines, ours, theirs, strict=True) if o != t])  # fmt: skip
        original = write_directory(self.work / f"original_{kind}", vocabulary, config)
        written = self.work / f"written_{kind}"
        subprocess.run(
            [self.program, "tokenize", "--model", original, "--save", written, ""], check=True, stdout=subprocess.DEVNULL
        )
        again = transformers.AutoTokenizer.from_pretrained(written)
        theirs_again = [encoding.ids for encoding in again.backend_tokenizer.encode_batch(lines)]
        self.report(f"{name}, written here, read by AutoTokenizer", lines,
                    [(l, o, t) for l, o, t in zip(lines, theirs, theirs_again, strict=True) if o != t])  # fmt: skip
        if kind == "BertTokenizer":
            plain = tokenizers.Tokenizer.from_file(str(written / "tokenizer.json"))
            theirs_plain = [encoding.ids for encoding in plain.encode_batch(lines)]
            self.report(f"{name}, written here, read by tokenizers", lines,
                        [(l, o, t) for l, o, t in zip(lines, theirs, theirs_plain, strict=True) if o != t])  # fmt: skip


def read_vocabulary(path):
    return {line: number for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1])}


def unpack(shared, target):
    missing = [name for name in NEEDED if not (target / name).is_dir()]
    if missing:
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["bash", shared / "data/unpack.sh", target, *missing], check=True, stdout=subprocess.DEVNULL)


def all_characters():
    """A vocabulary that tells every code point apart: each alone and inside a word."""
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and c not in (0, 0x0A, 0x0D, 0xFEFF)]
    tokens = [*SPECIAL, *characters, *("##" + character for character in characters)]
    return {token: number for number, token in enumerate(tokens)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--lines", type=int, default=100_000, help="of English and of Chinese, at least")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/oracle_data", help="where texts are unpacked")
    parser.add_argument("--only", default="", help="run the checks whose name holds this")
    arguments = parser.parse_args()
    shared = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
    if not (shared / "data/unpack.sh").exists():
        print(f"skipped: {shared}/data is absent, so there is no text to compare on")
        return 0
    unpack(shared, arguments.data)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    work_directory = pathlib.Path(tempfile.mkdtemp(prefix="roformer_oracle_"))
    try:
        return run(arguments, work_directory)
    finally:
        shutil.rmtree(work_directory)


def run(arguments, work_directory):
    oracle = Oracle(arguments.program, work_directory)
    vocab = arguments.data / "vocab"
    english = read_lines(arguments.data, ENGLISH, arguments.lines)
    chinese = read_lines(arguments.data, CHINESE, arguments.lines)
    nasty = nasty_lines(NASTY_LINES, seed=1)
    code_points = every_code_point()
    print(f"texts: {len(english)} lines of English, {len(chinese)} of Chinese, {len(nasty)} nasty ones", flush=True)

    uncased = read_vocabulary(vocab / "bert-base-uncased-vocab.txt")
    bert_chinese = read_vocabulary(vocab / "bert-base-chinese-vocab.txt")
    roformer = read_vocabulary(vocab / "roformer_chinese_base-vocab.txt")
    characters = all_characters()
    bert_config = {"tokenizer_class": "BertTokenizer"}
    jieba_config = {"tokenizer_class": "RoFormerTokenizer"}

    def wanted(name):
        return arguments.only in name

    def directory(name, vocabulary, config):
        return write_directory(work_directory / name.replace(" ", "_"), vocabulary, config)

    moved = {}
    bert_checks = [
        ("BERT uncased, English", uncased, {}, english + nasty),
        ("BERT uncased, Chinese", uncased, {}, chinese),
        ("BERT cased, English", uncased, {"do_lower_case": False}, english + nasty),
        ("BERT Chinese, Chinese", bert_chinese, {}, chinese + nasty),
        ("BERT, every code point", characters, {}, code_points),
        ("BERT cased, every code point", characters, {"do_lower_case": False}, code_points),
    ]
    for name, vocabulary, options, lines in bert_checks:
        if wanted(name):
            place = directory(name, vocabulary, bert_config | options)
            moved[name] = oracle.ids_and_offsets(name, place, (Fast, ("BertTokenizer", vocabulary), options), lines)

    place = directory("jieba fast", roformer, jieba_config)
    fast = (Fast, ("RoFormerTokenizer", roformer), {})
    every_seventh = code_points[::7]
    if wanted("jieba fast, Chinese"):
        moved["jieba fast"] = oracle.ids_and_offsets("jieba fast, Chinese", place, fast, chinese + nasty)
    if wanted("jieba fast, English"):
        oracle.ids_and_offsets("jieba fast, English", place, fast, english)
    if wanted("jieba fast, code points"):
        all_place = directory("jieba fast all", characters, jieba_config)
        all_fast = (Fast, ("RoFormerTokenizer", characters), {})
        oracle.ids_and_offsets("jieba fast, code points (one in seven)", all_place, all_fast, every_seventh)

    raw = {"do_lower_case": False}
    if wanted("words"):
        rust = directory("words rjieba", roformer, jieba_config | raw | {"tokenizer_mode": "slow"})
        python = directory("words jieba", roformer, jieba_config | raw | {"tokenizer_mode": "bert4keras"})
        for text, lines in (("Chinese", chinese + nasty), ("English", english), ("code points", code_points)):
            oracle.words(f"words as rjieba.cut, {text}", rust, (RustWords, (), {}), lines)
            oracle.words(f"words as jieba.cut, {text}", python, (PythonWords, (), {}), lines)
    code_points, nasty = known_to_python(code_points), known_to_python(nasty)
    every_seventh = code_points[::7]
    if wanted("jieba slow"):
        slow = directory("jieba slow", roformer, jieba_config | {"tokenizer_mode": "slow"})
        oracle.ids("jieba slow, Chinese", slow, (Slow, (roformer,), {}), chinese + nasty)
        oracle.ids("jieba slow, English", slow, (Slow, (roformer,), {}), english)
        oracle.ids("jieba slow, code points", slow, (Slow, (roformer,), {}), code_points)
        cased = directory("jieba slow cased", roformer, jieba_config | raw | {"tokenizer_mode": "slow"})
        oracle.ids("jieba slow cased, nasty", cased, (Slow, (roformer, False), {}), nasty + every_seventh)
    if wanted("bert4keras"):
        original = directory("bert4keras", roformer, jieba_config | {"tokenizer_mode": "bert4keras"})
        oracle.ids("bert4keras, Chinese", original, (Bert4keras, (roformer,), {}), chinese + nasty)
        oracle.ids("bert4keras, English", original, (Bert4keras, (roformer,), {}), english)
        oracle.ids("bert4keras, code points", original, (Bert4keras, (roformer,), {}), code_points)

    if wanted("pairs"):
        bert = directory("pairs bert", uncased, bert_config)
        for longest in (16, 33, 128):
            oracle.pairs("BERT uncased", bert, "BertTokenizer", uncased, english[:4000], longest)
            oracle.pairs("jieba fast", place, "RoFormerTokenizer", roformer, chinese[:4000], longest)
    if wanted("directories"):
        some = english[:3000] + chinese[:3000] + nasty[:3000]
        oracle.directories("BERT", "BertTokenizer", uncased, bert_config, some)
        oracle.directories("jieba", "RoFormerTokenizer", roformer, jieba_config, some)

    for name, differing in moved.items():
        print(f"      {name}: the fast tokenizer gives {len(differing)} lines other offsets (its ids are the same)")
        for line, ours, theirs in differing[:2]:
            pairs = [(o, t) for o, t in zip(ours, theirs, strict=True) if o != t][:3]
            print(f"        {line[:80]!r}: here and there {pairs}")
    print("all the same" if oracle.failed == 0 else f"{oracle.failed} checks failed")
    return 1 if oracle.failed else 0


if __name__ == "__main__":
    sys.exit(main())
