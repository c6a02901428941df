#!/usr/bin/env python3
"""Compares SentencePiece tokenizers with the living libraries, id by id; every check must show 0 differing lines.

1. Models that the sentencepiece package learns of a text, BPE and unigram, with and without bytes, rules, and white
   space kept: `roformer tokenize` beside `SentencePieceProcessor.encode`. Two ways to cut a text may have the same sum
   of scores but for rounding; this program takes the one that Debian's 0.1.97 does, later ones may take the other.
2. Such a model as a Llama's: transformers reads tokenizer.model and saves a tokenizer.json; `roformer tokenize` of that
   file alone beside transformers.
3. What `roformer train-tokenizer` learns: this program beside the package.

    tools/venv.sh && venv/bin/python tools/oracle_sentencepiece.py --program build/release/roformer

The text is enwiki's of ../shared/data (or $ROFORMER_SHARED); without it this file's and its neighbors'.
"""

import argparse
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import sentencepiece
import transformers

from oracle_results import Results
from oracle_tokenizers import nasty_lines, read_lines, unpack
from reference_tokenizers import SPECIAL

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = {
    "BPE with bytes": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                           remove_extra_whitespaces=False),
    "BPE, NFKC": dict(model_type="bpe", normalization_rule_name="nmt_nfkc"),
    "unigram with bytes": dict(model_type="unigram", byte_fallback=True, normalization_rule_name="identity"),
    "unigram, NFKC and case folding": dict(model_type="unigram", normalization_rule_name="nmt_nfkc_cf"),
}  # fmt: skip


def texts(count):
    shared = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
    if (shared / "data/unpack.sh").exists():
        data = ROOT / "build/oracle_data"
        unpack(shared, data)
        return read_lines(data, ("enwiki/*.txt",), count)
    lines = [line for path in sorted(ROOT.glob("docs/*.md")) for line in path.read_text().splitlines()]
    return [line for line in lines if line.strip()]


def ask(program, directory, lines):
    command = [program, "tokenize", "--model", directory, "--json"]
    done = subprocess.run(command, input="".join(line + "\n" for line in lines), capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return [json.loads(line)["ids"] for line in done.stdout.splitlines()]


def report(results, name, lines, ours, theirs, scores=None):
    """`scores`, of a unigram model by id: a line is a tie where both ways to cut it have the same sum but for rounding."""
    differing, ties = [], 0
    for line, a, b in zip(lines, ours, theirs, strict=True):
        if a != b and scores is not None and abs(sum(map(scores, a)) - sum(map(scores, b))) < 1e-4:
            ties += 1
        elif a != b:
            differing.append((line, a, b))
    found = f"{len(differing)} of {len(lines)} lines differ" + (f", {ties} are ties" if ties else "")
    results.add(not differing, name, found)
    for line, a, b in differing[:3]:
        print(f"        {line[:80]!r}: here {a[:20]}, there {b[:20]}")


def without(lines, specials):
    return [line for line in lines if not any(special in line for special in specials)]


def learn(lines, options, size):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=size, hard_vocab_limit=False, character_coverage=0.9995,
        minloglevel=2,
        **options,
    )  # fmt: skip
    return model.getvalue()


def write(directory, files):
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return directory


def check(results, program, ordinary, lines, work):
    llama = b'{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false}'
    for name, options in KINDS.items():
        model = learn(ordinary, options, 2000)
        directory = write(work / name.replace(" ", "_"), {"tokenizer.model": model, "tokenizer_config.json": llama})
        theirs = sentencepiece.SentencePieceProcessor(model_proto=model)
        plain = without(lines, ("<s>", "</s>", "<unk>"))
        report(results, f"{name}, sentencepiece {sentencepiece.__version__}", plain, ask(program, directory, plain),
               theirs.encode(plain), theirs.get_score if "unigram" in name else None)  # fmt: skip
    check_transformers(results, program, lines, work, work / "BPE_with_bytes/tokenizer.model")
    for kind in ("bpe", "unigram"):
        (work / "text.txt").write_text("\n".join(ordinary))
        command = [program, "train-tokenizer", "--type", kind, "--vocab-size", "2000", "--input", work / "text.txt"]
        subprocess.run([*command, "--output", work / kind], check=True, capture_output=True)
        theirs = sentencepiece.SentencePieceProcessor(model_file=str(work / kind / "tokenizer.model"))
        plain = without(lines, SPECIAL)
        expected = [[2, *ids, 3] for ids in theirs.encode(plain)]
        report(results, f"learned here, {kind}", plain, ask(program, work / kind, plain), expected,
               theirs.get_score if kind == "unigram" else None)  # fmt: skip


def check_transformers(results, program, lines, work, model):
    for legacy in (True, False):
        config = json.dumps({"tokenizer_class": "LlamaTokenizer", "legacy": legacy}).encode()
        source = write(work / f"llama_{legacy}", {"tokenizer.model": model.read_bytes(), "tokenizer_config.json": config})
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        tokenizer.save_pretrained(work / f"saved_{legacy}")
        saved = work / f"saved_{legacy}"
        (saved / "tokenizer.model").unlink(missing_ok=True)
        theirs = tokenizer(lines)["input_ids"]
        try:
            ours = ask(program, saved, lines)
        except RuntimeError as error:
            results.add(False, f"tokenizer.json of transformers, legacy {legacy}", str(error))
            continue
        report(results, f"tokenizer.json of transformers {transformers.__version__}, legacy {legacy}", lines, ours, theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default="build/release/roformer")
    parser.add_argument("--lines", type=int, default=5000)
    options = parser.parse_args()
    results = Results()
    ordinary = texts(options.lines)
    lines = [line for line in ordinary + nasty_lines(2000, 3) if "\0" not in line]
    lines = [line for line in lines if len(line.splitlines()) == 1 and line.encode(errors="ignore").decode() == line]
    with tempfile.TemporaryDirectory() as work:
        check(results, options.program.resolve(), ordinary, lines, pathlib.Path(work))
    print(f"{results.failed} failed" if results.failed else "all the same")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
