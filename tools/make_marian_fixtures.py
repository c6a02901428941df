#!/usr/bin/env python3
"""Writes tests/fixtures/marian: small directories of MarianTokenizer, and what transformers gives for texts and ids.

The SentencePiece models are learned by the sentencepiece package from the sentences below, with a few normalization
rules of their own, as the usual ones take 240 kB. The vocabularies are put together by hand. Each expected.json has
`source` and `target`, lists of [text, ids]; `decoded`, a list of [ids, text, text without special tokens]; and `pair`.
The output depends on nothing but this file and the pinned packages.

    tools/venv.sh && venv/bin/python tools/make_marian_fixtures.py
"""

import contextlib
import io
import json
import pathlib
import random
import shutil
import tempfile

import sentencepiece
import transformers

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/marian"
ENGLISH = [
    "A man in a blue shirt is standing on a ladder cleaning a window.",
    "Two young, white males are outside near many bushes: they laugh!",
    "Several men in hard hats are operating a giant pulley system in 2016.",
    "the café said: naïve words with spaces, tete-a-tete, bananas",
] * 3
GERMAN = [
    "Ein Mann in einem blauen Hemd steht auf einer Leiter und putzt ein Fenster.",
    "Zwei junge weiße Männer sind im Freien in der Nähe vieler Büsche: sie lachen!",
    "Mehrere Männer mit Schutzhelmen bedienen ein Antriebsradsystem im Jahr 2016.",
    "das Café sagte: naive Wörter mit Leerzeichen, Straße, Bananen",
] * 3
TEXTS = [
    "",
    " ",
    "   \t ",
    "man",
    "  the   man ",
    "A man in a blue shirt is standing on a ladder.",
    "Ein Mann in einem blauen Hemd steht auf der Straße.",
    ">>deu<< A man",
    ">>deu<<A man",
    ">>xyz<< A man",
    ">>a long code<< man",
    ">>deu A man",
    ">><< man",
    " >>deu<< man",
    "man >>deu<< man",
    ">>deu<<",
    "</s>>>deu<< man</s> the  <unk>x<pad>",
    "man</s>",
    "<s> man <x> in<x>",
    "café cafe\u0301 \ufb01ne \uff21 man\u00a0man \u3000 \u200b\u200d",
    "王 中文 王中 \U0001f600\U0001f468\u200d\U0001f469",
    "\u2581man \u2581",
    "a\u0085b\u2028c\x1cd\x00e",
    "zqxj" * 300,
    "<0x41> \x01\x7f",
]
PARTS = ["man", " ", "the", "ing", "ß", "王", "中", "é", "\U0001f600", "  ", "</s>", ">>deu<<", "<x>", "Mann", ".", "q", "\u00a0"]


def learn(lines, **options):
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # the model holds the name of the rules
        rules = "A0\t20\tno-break space\n3000\t20\tideographic space\nFB01\t66 69\tfi\n200B\t\tzero width\n"
        pathlib.Path("rules.tsv").write_text(rules)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, hard_vocab_limit=False, num_threads=1, minloglevel=2,
            normalization_rule_tsv="rules.tsv", **options,
        )  # fmt: skip
    return model.getvalue()


def pieces(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(number) for number in range(processor.get_piece_size())]


def number(tokens):
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def shared():
    """As OPUS-MT: two models, one vocabulary, which lacks some pieces and has a word of unknown characters."""
    source = learn(ENGLISH, model_type="unigram", vocab_size=90)
    target = learn(GERMAN, model_type="unigram", vocab_size=90)
    known = sorted(set(pieces(source) + pieces(target)))
    known = [piece for place, piece in enumerate(known) if place % 11 != 5 and piece not in ("</s>", "<unk>")]
    vocabulary = number(["</s>", "<unk>", *known, "\u2581王中", "王中", ">>deu<<", ">>fra<<", "<pad>"])
    return source, target, {"vocab.json": vocabulary}, {"source_lang": "eng", "target_lang": "deu"}


def separate():
    """Two vocabularies, bytes, white space preserved."""
    options = dict(model_type="bpe", vocab_size=400, byte_fallback=True, remove_extra_whitespaces=False)
    source, target = learn(ENGLISH, **options), learn(GERMAN, **options)
    specials = ["</s>", "<unk>", "<pad>"]
    files = {"vocab.json": number([*specials, *pieces(source), ">>deu<<"]),
             "target_vocab.json": number([*specials, *reversed(pieces(target))])}  # fmt: skip
    return source, target, files, {"separate_vocabs": True, "model_max_length": 99}


def added():
    """One model; tokens that transformers added, one of them special."""
    model = learn(ENGLISH + GERMAN, model_type="bpe", vocab_size=120)
    specials = ["</s>", "<unk>"]
    vocabulary = number([*specials, *pieces(model), ">>deu<<"])
    return model, model, {"vocab.json": vocabulary}, {}


CASES = {"shared": shared, "separate": separate, "added": added}


def expect(tokenizer, seed):
    rng = random.Random(seed)
    texts = TEXTS + ["".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 20))) for _ in range(40)]
    source = [[text, tokenizer(text)["input_ids"]] for text in texts]
    target = [[text, tokenizer(text_target=text)["input_ids"]] for text in texts]
    size = len(tokenizer.target_encoder if tokenizer.separate_vocabs else tokenizer)
    known = [ids for _, ids in target[:40]]
    known += [[rng.randrange(size if rng.random() < 0.8 else 4) for _ in range(rng.randrange(1, 12))] for _ in range(60)]
    decoded = [[ids, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=True)] for ids in known]
    pair = ["the man", ">>deu<< a man", tokenizer("the man", ">>deu<< a man")["input_ids"]]
    return {"source": source, "target": target, "decoded": decoded, "pair": pair}


def write_json(path, content, **options):
    path.write_text(json.dumps(content, ensure_ascii=False, **options) + "\n", encoding="utf-8")


def write(name, seed):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)  # other files would be read
    folder.mkdir(parents=True)
    source, target, vocabularies, config = CASES[name]()
    (folder / "source.spm").write_bytes(source)
    (folder / "target.spm").write_bytes(target)
    for file, vocabulary in vocabularies.items():
        write_json(folder / file, vocabulary, indent=0, separators=(",", ":"))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "MarianTokenizer"} | config)
    tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    if name == "added":
        tokenizer.add_tokens(["<x>"])
        tokenizer.add_tokens([">>deu<<"], special_tokens=True)
        tokenizer.save_pretrained(folder)
        tokenizer = transformers.MarianTokenizer.from_pretrained(folder)
    write_json(folder / "expected.json", expect(tokenizer, seed), separators=(",", ":"))


if __name__ == "__main__":
    for seed, name in enumerate(CASES):
        write(name, seed)
