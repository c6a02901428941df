#!/usr/bin/env python3
"""Compares tokenizers of translators with transformers' MarianTokenizer, id by id and text by text; every check must
show 0 differing lines.

Directories: learned here (`roformer train-tokenizer --target-input`: BPE and unigram, one vocabulary and two), and of
models that the sentencepiece package learned: as OPUS-MT (two unigram models, one vocabulary that lacks pieces and has
language codes), and BPE with bytes and two vocabularies. For each the ids of both languages, the texts decoded from
them, and what transformers makes of the directory that `tokenize --save` writes.

    tools/venv.sh && venv/bin/python tools/oracle_translation_tokenizers.py --program build/release/roformer

The texts are lines of Multi30k and newstest of ../shared/data (or $ROFORMER_SHARED), English and German, and lines made
to be nasty; without that folder nothing is compared.
"""

import argparse
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import sentencepiece
import transformers

from oracle_results import Results
from oracle_tokenizers import ask, nasty_lines

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = ("newstest/newstest2013", "newstest/newstest2014", "newstest/newstest2015", "multi30k/train")
SPECIALS = ["</s>", "<unk>"]
CODES = [">>deu<<", ">>eng<<"]


def read_texts(data, language, count):
    """`count` lines, as many of each file."""
    lines = []
    for number, name in enumerate(TEXTS):
        found = (data / f"{name}.{language}").read_text(encoding="utf-8").split("\n")
        found = [line.rstrip("\r") for line in found if line.strip() and "\0" not in line]
        lines += found[: (count - len(lines)) // (len(TEXTS) - number)]
    return lines


def nasty(count):
    lines = [line for line in nasty_lines(count, 5) if "\0" not in line and len(line.splitlines()) == 1]
    lines += [f"{CODES[place % 2]}{' ' * (place % 3)}{line}" for place, line in enumerate(lines[:300])]
    return lines + ["</s>" + line + "<pad>" for line in lines[300:500]] + [">>", ">><<", ">>xx<< a", "a >>deu<< b", " "]


def learn(lines, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, vocab_size=4000, hard_vocab_limit=False, minloglevel=2, **options
    )
    return model.getvalue()


def pieces(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(number) for number in range(processor.get_piece_size())]


def write(directory, source, target, vocabularies, config):
    directory.mkdir()
    (directory / "source.spm").write_bytes(source)
    (directory / "target.spm").write_bytes(target)
    for name, tokens in vocabularies.items():
        ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        (directory / name).write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MarianTokenizer"} | config))
    return directory


def opus(work, english, german):
    source, target = learn(english, model_type="unigram"), learn(german, model_type="unigram")
    both = sorted({*pieces(source), *pieces(target)} - set(SPECIALS))
    known = [piece for place, piece in enumerate(both) if place % 50 != 7]
    tokens = [*SPECIALS, *known, *CODES, "<pad>"]
    return write(work / "opus", source, target, {"vocab.json": tokens}, {"source_lang": "eng", "target_lang": "deu"})


def two_vocabularies(work, english, german):
    source = learn(english, model_type="bpe", byte_fallback=True)
    target = learn(german, model_type="bpe", byte_fallback=True)
    first = [*SPECIALS, "<pad>"]
    files = {"vocab.json": [*first, *pieces(source), *CODES], "target_vocab.json": [*first, *pieces(target)]}
    return write(work / "two", source, target, files, {"separate_vocabs": True})


def learned(program, work, english, german, kind, separate):
    for name, lines in (("en.txt", english), ("de.txt", german)):
        (work / name).write_text("\n".join(lines), encoding="utf-8")
    output = work / f"learned_{kind}_{separate}"
    command = [program, "train-tokenizer", "--type", kind, "--vocab-size", "8000", "--input", work / "en.txt",
               "--target-input", work / "de.txt", "--output", output]  # fmt: skip
    subprocess.run([*command, *(["--separate-vocabularies"] if separate else [])], check=True, capture_output=True)
    return output


def report(results, name, lines, ours, theirs):
    differing = [(line, a, b) for line, a, b in zip(lines, ours, theirs, strict=True) if a != b]
    size = sum(map(len, theirs))
    kind = "ids" if isinstance(theirs[0], list) else "characters"
    results.add(not differing, name, f"{len(differing)} of {len(lines)} lines differ, {size} {kind}")
    for line, a, b in differing[:3]:
        print(f"        {str(line)[:80]!r}: here {str(a)[:200]}, there {str(b)[:200]}")


def decode(program, directory, ids, target):
    lines = [json.dumps(some) for some in ids]
    options = ["--target"] if target else []
    return [answer["text"] for answer in ask(program, directory, lines, "--decode", *options)]


def check(results, program, name, directory, texts, work):
    tokenizer = transformers.MarianTokenizer.from_pretrained(directory)
    for side, lines in texts.items():
        theirs = tokenizer(**{"text" if side == "source" else "text_target": lines})["input_ids"]
        options = ["--target"] if side == "target" else []
        ours = [answer["ids"] for answer in ask(program, directory, lines, *options)]
        report(results, f"{name}, {side}", lines, ours, theirs)
        if side == "target" or not tokenizer.separate_vocabs:  # else transformers has no way back
            there = [tokenizer.decode(ids, skip_special_tokens=True) for ids in theirs]
            report(results, f"{name}, {side} decoded", theirs, decode(program, directory, theirs, side == "target"), there)
    written = work / f"written_{directory.name}"
    command = [program, "tokenize", "--model", directory, "--save", written, ""]
    subprocess.run(command, check=True, capture_output=True)
    again = transformers.AutoTokenizer.from_pretrained(written)
    report(results, f"{name}, saved here, read by AutoTokenizer", texts["source"], again(texts["source"])["input_ids"],
           tokenizer(texts["source"])["input_ids"])  # fmt: skip


def run(results, options, data):
    english, german = read_texts(data, "en", options.lines), read_texts(data, "de", options.lines)
    odd = nasty(2000)
    texts = {"source": english + odd, "target": german + odd}
    print(f"texts: {len(english)} lines of English, {len(german)} of German, {len(odd)} nasty ones", flush=True)
    program = options.program.resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        check(results, program, "as OPUS-MT", opus(work, english, german), texts, work)
        check(results, program, "two vocabularies", two_vocabularies(work, english, german), texts, work)
        for kind in ("bpe", "unigram"):
            for separate in (False, True):
                directory = learned(program, work, english, german, kind, separate)
                name = f"learned here, {kind}, {'two vocabularies' if separate else 'one vocabulary'}"
                check(results, program, name, directory, texts, work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default="build/release/roformer")
    parser.add_argument("--lines", type=int, default=10_000, help="of each language")
    options = parser.parse_args()
    shared = pathlib.Path(os.environ.get("ROFORMER_SHARED", ROOT.parent / "shared"))
    if not (shared / "data/unpack.sh").exists():
        print(f"skipped: {shared}/data is absent, so there is no text to compare on")
        return 0
    warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
    transformers.logging.set_verbosity_error()
    results = Results()
    with tempfile.TemporaryDirectory() as data:
        unpack = ["bash", shared / "data/unpack.sh", data, "multi30k", "newstest"]
        subprocess.run(unpack, check=True, stdout=subprocess.DEVNULL)
        run(results, options, pathlib.Path(data))
    print(f"{results.failed} failed" if results.failed else "all the same")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
