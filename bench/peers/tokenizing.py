"""Tokenizing beside transformers' fast tokenizers, on the same text.

Ours is the whole program, `roformer tokenize --ids --input FILE`, from its start to its end. Theirs is
`encode_batch_fast` (no offsets, the fastest call they have) on lines that are in memory already, after one call to warm
up, on one thread: jieba-WordPiece of theirs calls Python for each line and so has no more. The ids are compared first.
"""

import json
import time

from contestants import Actor
from family import Differs, Family, Group

OURS_BYTES, THEIRS_BYTES = 100_000_000, 2_000_000
LEARNED_TOKENS = 32_000  # of a vocabulary that this program learns of the text that both are measured on
CASES = {
    "wordpiece": ("WordPiece, English", "BertTokenizer", "bert-base-uncased-vocab.txt", "enwiki/enwiki_AA_raw.txt"),
    "jieba": (
        "jieba and WordPiece, Chinese",
        "RoFormerTokenizer",
        "roformer_chinese_base-vocab.txt",
        "zhwiki/zhwiki_docs100.txt",
    ),
    "byte-bpe": ("byte-level BPE, English", "byte-bpe", None, "enwiki/enwiki_AA_raw.txt"),
    "byte-bpe-zh": ("byte-level BPE, Chinese", "byte-bpe", None, "zhwiki/zhwiki_docs100.txt"),
}

GROUPS = {"tokenizing": Group("Tokenizing", "MB/s", ("roformer", "transformers"), digits=2)}


def take_text(source, size, target):
    """Whole lines of about so many bytes from the start of `source`."""
    with source.open("rb") as file:
        text = file.read(size)
    target.write_bytes(text[: text.rfind(b"\n") + 1].replace(b"\r", b""))


def family(case):
    name, kind, vocabulary_file, text_file = CASES[case]

    def run(bench):
        materials = bench.materials
        source = materials.data(text_file.split("/")[0]) / text_file
        long = materials.make(f"{case}_long.txt", lambda path: take_text(source, OURS_BYTES, path))
        short = materials.make(f"{case}_short.txt", lambda path: take_text(source, THEIRS_BYTES, path))

        def make_tokenizer(path):
            if vocabulary_file is None:
                options = ["--type", kind, "--vocab-size", LEARNED_TOKENS, "--input", short, "--output", path]
                bench.program.run("train-tokenizer", *options, threads=bench.threads)
                return
            path.mkdir()
            (path / "vocab.txt").write_bytes((materials.data("vocab") / "vocab" / vocabulary_file).read_bytes())
            (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind}))

        tokenizer = materials.make(f"tokenizer_{case}", make_tokenizer)

        def tokenize(text, threads, *more):
            options = ["tokenize", "--ids", "--model", tokenizer, "--input", text]
            return bench.program.run(*options, *more, threads=threads)

        def ours(threads):
            begin = time.perf_counter()
            bench.program.discard("tokenize", "--ids", "--model", tokenizer, "--input", long, threads=threads)
            return long.stat().st_size / 1e6 / (time.perf_counter() - begin)

        def worker():
            return bench.workers.get("tokenizing", model=tokenizer, threads=1)

        with bench.temporary() as folder:
            worker().ask("write_ids", texts=str(short), path=f"{folder}/ids.txt")
            with open(f"{folder}/ids.txt") as file:
                expected = file.read().splitlines()
        found = tokenize(short, 1).splitlines()
        differing = sum(a != b for a, b in zip(found, expected, strict=True))
        bench.note(f"{name}: {differing} of {len(expected):,} lines differ")
        if differing:
            raise Differs(f"{name}: {differing} lines differ from transformers'")

        one, all_threads = f"{name}, 1 thread", f"{name}, {bench.threads} threads (transformers: 1)"

        def ours_on_all():
            return {one: {"roformer": ours(1)}, all_threads: {"roformer": ours(bench.threads)}}

        def theirs():
            speed = short.stat().st_size / 1e6 / worker().ask("measure", texts=str(short))["seconds"]
            return {one: {"transformers": speed}, all_threads: {"transformers": speed}}

        return bench.measure([Actor("roformer", ours_on_all), Actor("transformers", theirs)])

    return Family(f"tokenizing-{case}", "tokenizing", run)


FAMILIES = [family(case) for case in CASES]
