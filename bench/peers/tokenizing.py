#!/usr/bin/env python3
"""Speed of tokenizing beside transformers' fast tokenizers, on the same text in the same run.

Ours is the whole program, `roformer tokenize --ids --input FILE`, from its start to its end: starting, loading the
vocabulary, reading the file and writing the ids to /dev/null are in its time. Theirs is `encode_batch_fast` (no offsets,
the fastest call they have) on lines that are in memory already, in this process, after one call to warm up. Rounds are
interleaved; medians are compared. WordPiece: bert-base-uncased's vocabulary on English Wikipedia; jieba-WordPiece:
RoFormer's on Chinese Wikipedia, where theirs calls rjieba. The ids are compared as well: a fast wrong answer is none.

    tools/venv.sh && venv/bin/python bench/peers/tokenizing.py --program build/release/roformer

Vocabularies and texts are those of ../shared/data (or $ROFORMER_SHARED).
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CASES = {
    "wordpiece, English": ("BertTokenizer", "bert-base-uncased-vocab.txt", "enwiki/enwiki_AA_raw.txt"),
    "jieba-wordpiece, Chinese": ("RoFormerTokenizer", "roformer_chinese_base-vocab.txt", "zhwiki/zhwiki_docs100.txt"),
}


def describe_machine():
    names = {"model name": "", "flags": ""}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in names:
            names[key.strip()] = value.strip()
    features = [f for f in names["flags"].split() if f.startswith(("avx", "amx", "sse4"))]
    return f"{names['model name']}, {os.cpu_count()} cores ({' '.join(features)}); {platform.platform()}"


def make_directory(path, kind, vocabulary):
    path.mkdir()
    (path / "vocab.txt").write_bytes(vocabulary.read_bytes())
    (path / "tokenizer_config.json").write_text(f'{{"tokenizer_class": "{kind}"}}')
    return path


def take_text(source, megabytes, target):
    """Whole lines of about so many megabytes from the start of `source`."""
    text = source.read_bytes()[: int(megabytes * 1e6)]
    text = text[: text.rfind(b"\n") + 1].replace(b"\r", b"")
    target.write_bytes(text)
    return len(text), text.decode().split("\n")[:-1]


def time_ours(program, directory, text, threads):
    start = time.perf_counter()
    command = [program, "tokenize", "--ids", "--model", directory, "--input", text, "--threads", str(threads)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def time_theirs(tokenizer, lines):
    start = time.perf_counter()
    tokenizer.encode_batch_fast(lines)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "build/oracle_data", help="where texts are unpacked")
    parser.add_argument("--megabytes", type=float, default=100, help="of text for this program, per case")
    parser.add_argument("--their-megabytes", type=float, default=2, help="of the same text for theirs")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    shared = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
    if not (shared / "data/unpack.sh").exists():
        sys.exit(f"{shared}/data is absent, so there is no text to measure on")
    missing = [name for name in ("vocab", "enwiki", "zhwiki") if not (arguments.data / name).is_dir()]
    if missing:
        arguments.data.mkdir(parents=True, exist_ok=True)
        subprocess.run(["bash", shared / "data/unpack.sh", arguments.data, *missing], check=True, stdout=subprocess.DEVNULL)

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    import transformers

    print(describe_machine())
    print(f"transformers {transformers.__version__}, tokenizers {metadata.version('tokenizers')}; one thread; "
          f"load average {os.getloadavg()[0]:.1f}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (kind, vocabulary_file, text_file)) in enumerate(CASES.items()):
            work = pathlib.Path(folder) / str(number)
            work.mkdir()
            vocabulary = arguments.data / "vocab" / vocabulary_file
            directory = make_directory(work / "tokenizer", kind, vocabulary)
            size, _ = take_text(arguments.data / text_file, arguments.megabytes, work / "text.txt")
            their_size, lines = take_text(arguments.data / text_file, arguments.their_megabytes, work / "short.txt")
            words = vocabulary.read_text(encoding="utf-8").split("\n")[:-1]
            theirs = getattr(transformers, kind)(vocab={word: i for i, word in enumerate(words)}).backend_tokenizer
            ours = subprocess.run(
                [arguments.program, "tokenize", "--ids", "--model", directory, "--input", work / "short.txt"],
                check=True, capture_output=True, text=True).stdout.split("\n")[:-1]  # fmt: skip
            expected = [" ".join(map(str, encoding.ids)) for encoding in theirs.encode_batch_fast(lines)]
            differing = sum(a != b for a, b in zip(ours, expected, strict=True))
            times = {"theirs": [], 1: [], 2: []}
            for _ in range(arguments.rounds):
                times["theirs"].append(time_theirs(theirs, lines) / their_size)
                for threads in (1, 2):
                    times[threads].append(time_ours(arguments.program, directory, work / "text.txt", threads) / size)
            speed = {key: 1e-6 / statistics.median(values) for key, values in times.items()}
            print(f"{name}: transformers {speed['theirs']:.2f} MB/s, this program {speed[1]:.1f} MB/s on one thread "
                  f"({speed[1] / speed['theirs']:.1f} times), {speed[2]:.1f} MB/s on two ({speed[2] / speed[1]:.2f} "
                  f"times one); {differing} of {len(lines)} lines differ", flush=True)  # fmt: skip
            starts = sorted(time_ours(arguments.program, directory, "/dev/null", 1) for _ in range(arguments.rounds))
            print(f"  start to end with no text: {1000 * statistics.median(starts):.0f} ms")


if __name__ == "__main__":
    main()
