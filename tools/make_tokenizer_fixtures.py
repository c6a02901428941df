#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer_json: small tokenizers of SentencePiece's kinds in files of Hugging Face's tokenizers,
and the ids that library gives for texts.

Each folder has tokenizer.json and expected.json, a list of [text, ids]. Vocabulary, merges and scores are learned from
the text below by tokenizers' own trainers and put together as transformers does for Llama. The output depends on nothing
but this file and the pinned packages.

    tools/venv.sh && venv/bin/python tools/make_tokenizer_fixtures.py
"""

import json
import pathlib
import random

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE, Unigram

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/tokenizer_json"
SPACE = "\u2581"
SPECIALS = ["<unk>", "<s>", "</s>"]
TEXT = [
    "In the beginning God created the heaven and the earth.",
    "And the earth was without form, and void; and darkness was upon the face of the deep.",
    "And the Spirit of God moved upon the face of the waters: aaaa aaa aa a, === == ====;",
    "the café said: naïve words   with  spaces, tete-a-tete, banana bananas ananas",
] * 5
TEXTS = [
    "",
    " ",
    "   ",
    "the",
    " the",
    "  the   earth ",
    "In the beginning God created the heaven and the earth.",
    "aaaaaaaaa aaa ==== ===== a=a=aa",
    "bananananas tetetete",
    "line\nend\ttab\r\n",
    "café cafe\u0301 ﬁne \u00a0 王 中文 \U0001f600\U0001f601",
    f"a{SPACE}b {SPACE}c {SPACE}{SPACE}",
    "<s>the</s> the<s> the <unk>x",
    "before <x> after<x>after",
    "zzz qqq",
]
PARTS = [*"aet= .", "the", "and ", " earth", "ana", "ba", "  ", "é", "王", "\U0001f600", "</s>", "<x>", "\n", SPACE, "q"]


def random_texts(seed, count=60):
    rng = random.Random(seed)
    return ["".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 25))) for _ in range(count)]


def learn(trainer, model):
    learner = Tokenizer(model)
    learner.normalizer = normalizers.Replace(" ", SPACE)
    learner.pre_tokenizer = pre_tokenizers.Split(Regex(f"(?={SPACE})"), "isolated")
    learner.train_from_iterator([" " + line for line in TEXT], trainer)
    return json.loads(learner.to_str())["model"]


def bpe(byte_fallback, across):
    """`across`: merges over a space within, which no trainer of words learns."""
    learned = learn(trainers.BpeTrainer(vocab_size=110, show_progress=False), BPE())
    names = [*SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256) if byte_fallback)]
    names += sorted(learned["vocab"], key=learned["vocab"].get)
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in learned["merges"]]
    if across:
        for left, right in [(SPACE, SPACE), (SPACE + SPACE, SPACE), (f"{SPACE}and", f"{SPACE}the")]:
            merges.append((left, right))
            names.append(left + right)
    vocab = {name: number for number, name in enumerate(names)}
    return BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback)


def unigram():
    learned = learn(trainers.UnigramTrainer(vocab_size=90, show_progress=False), Unigram())
    pieces = [(piece, float(np.float32(score))) for piece, score in learned["vocab"] if piece not in SPECIALS]
    return Unigram([(name, 0.0) for name in SPECIALS] + pieces, unk_id=0, byte_fallback=False)


def frame(tokenizer, single, pair):
    tokens = [(name, SPECIALS.index(name)) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=tokens)


def metaspace(scheme, split):
    return pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=split)


def prepended():
    return normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])


CASES = {
    "llama": (bpe(True, True), prepended(), None, ("<s> $A", "<s> $A <s> $B")),
    "llama_first": (bpe(True, True), None, metaspace("first", False), ("<s> $A </s>", "<s> $A </s> $B </s>")),
    "bpe_words": (bpe(False, False), None, metaspace("always", True), None),
    "bpe_bare": (bpe(True, False), normalizers.Replace(" ", SPACE), None, ("$A </s>", "$A </s> $B </s>")),
    "unigram": (unigram(), None, metaspace("never", False), ("$A </s>", "$A </s> $B </s>")),
    "unigram_words": (unigram(), None, metaspace("always", True), ("<s> $A </s>", "<s> $A </s> <s> $B </s>")),
}


def write(name, seed, model, normalizer, pre_tokenizer, template):
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([AddedToken(special, normalized=False, special=True) for special in SPECIALS])
    tokenizer.add_tokens([AddedToken("<x>", normalized=False)])
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    if template is not None:
        frame(tokenizer, *template)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    texts = TEXTS + random_texts(seed)
    expected = [[text, tokenizer.encode(text).ids] for text in texts]
    pair = [["the earth", "a b", tokenizer.encode("the earth", "a b").ids]]
    content = {"single": expected, "pair": pair}
    (folder / "expected.json").write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    for seed, (name, parts) in enumerate(CASES.items()):
        write(name, seed, *parts)
