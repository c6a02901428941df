"""Pipelines of Hugging Face's tokenizers, of every kind of part that this program runs, and texts to run them on."""

import random

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram, WordLevel, WordPiece

SPACE = "\u2581"
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [
    *"hello world the then an and ana banana un able king kin don 't 's re 12 2024 cafe café ing straße İ ǆ ﬁ ½ paris".split(),
    *"中文 文 東京 한국 각 ё й".split(),
    "e\u0301",
    "\U0001f600",
]
CHARACTERS = sorted(
    set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?'-_#$%&()/@~^`\"" + "éèñßıİǆﬁ½²中文東京한국각\u1100\u1161\u11a8\u0301\u0323ёйЙカガ\u3099\U0001f600…—„“¿")
)
TEXTS = [
    "",
    " ",
    "Hello, world!",
    "  two  spaces  ",
    "The KING's café: naïve, ÉCOLE; cafe\u0301 e\u0323\u0301x",
    "un\u200dable ﬁne ½ x² ①② ǆ İstanbul ıI ß STRASSE ẞ",
    "中文字 東京タワー 한국어 각 \u1100\u1161\u11a8 カ\u3099ガ ｶﾞ",
    "\U0001f600\U0001f601 a\U0001f468\u200d\U0001f469\u200d\U0001f467b ☃\ufe0f",
    "tab\there\nnew\r\nline\u00a0nbsp\u3000wide\u2028sep",
    "don't 12,345.67 2024-01-02 a_b a-b --c-- ... ?!?",
    "\u0301lone \u0345\u0301\u0323 marks\u0327\u0301",
    "[CLS] x [MASK] y[MASK]z [UNK] [SEP]",
    "New YORK newyork New  york NEW York",
    f"a{SPACE}b {SPACE} {SPACE}c",
    "x" * 120 + " ok",
    "banana bananas ananas andand thethe",
    "a\u0000b\ufffdc\u0085d\ufeffe\u200bf",
    "Ünïcödé — „quotes“ … ¿qué? ‘x’",
    "किताब ไทย العربية עִבְרִית ё Й й",
    "£5 €6 ₹7 100% #tag @user ~x^y`z",
    " lead and trail ",
]
PARTS = [*"aeiThk 12.,'-_\n\t", " ", " ", "\u0301", "\u0323", "é", "İ", "ß", "ﬁ", "½", "中", "文", "한", "각", "\u1100", "\u1161", "\u11a8",
         "カ", "\u3099", "\U0001f600", "\u200d", "\u00a0", "\u2028", "[MASK]", "[CLS]", "New York", "new york", "the", "banana", "don't", "café",
         "\u0958", "\u09c7\u09be", "\u0b47\u0b56", "\u0344", "\u2126", "ǆ", "…", SPACE, "##ing", "Σ", "ς", "²", "Ⅷ", "\u0e33", "ｶﾞ", "\ufb2a"]


def random_texts(seed, count):
    rng = random.Random(seed)
    return ["".join(rng.choice(PARTS) for _ in range(rng.randrange(1, 20))) for _ in range(count)]


def vocabulary(prefix="##", suffix="", extra=()):
    names = [*SPECIALS, *CHARACTERS, *(prefix + c for c in CHARACTERS if prefix), *WORDS, *(prefix + w for w in WORDS if prefix)]
    names += [c + suffix for c in CHARACTERS if suffix] + [w + suffix for w in WORDS if suffix] + list(extra)
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+"


def byte_level(prefix=False, regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def split_words(expression):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(expression), "isolated"), byte_level(regex=False)])


def byte_bpe(without=(), **options):
    """Every byte, and merges that put WORDS together, with and without a space before."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    spell = byte_level(regex=False).pre_tokenize_str
    merges, names = [], [*SPECIALS, *letters]
    for number, word in enumerate(w for word in WORDS for w in (word, " " + word)):
        symbols = list(spell(word)[0][0])
        while len(symbols) > 1:
            at = 0 if number % 3 else len(symbols) - 2
            merges.append((symbols[at], symbols[at + 1]))
            symbols[at:at + 2] = ["".join(symbols[at:at + 2])]
            names.append(symbols[at])
    names.append("xyz")  # no merges lead there
    names = [name for name in names if not set(name) & set(without)]
    merges = [merge for merge in merges if not set("".join(merge)) & set(without)]
    vocab = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return BPE(vocab, list(dict.fromkeys(merges)), **options)


def wordpiece(**options):
    return WordPiece(vocabulary(options.get("continuing_subword_prefix", "##")), **({"unk_token": "[UNK]"} | options))


def bpe(prefix="", suffix="", unknown="[UNK]", **options):
    """Merges that put the words together from the left and, for some, from the right."""
    merges, names = [], []
    for number, word in enumerate(w for w in WORDS if len(w) > 1):
        symbols = [(prefix if i else "") + c + (suffix if i == len(word) - 1 else "") for i, c in enumerate(word)]
        names += symbols
        while len(symbols) > 1:
            at = 0 if number % 3 else len(symbols) - 2
            left, right = symbols[at], symbols[at + 1]
            whole = left + right[len(prefix):]
            merges.append((left, right))
            names.append(whole)
            symbols[at:at + 2] = [whole]
    merges = list(dict.fromkeys(merges))
    if options.get("byte_fallback"):
        names += [f"<0x{byte:02X}>" for byte in range(256)]
    vocab = vocabulary(prefix, suffix, [SPACE, *names])
    for left, right in [(SPACE, "t"), (SPACE + "t", "h"), (SPACE, "a")]:
        if left in vocab and right in vocab and not prefix:
            vocab.setdefault(left + right, len(vocab))
            merges.append((left, right))
    named = {"unk_token": unknown, "continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    return BPE(vocab, merges, **{key: value for key, value in named.items() if value}, **options)


def unigram(byte_fallback=False):
    rng = random.Random(7)
    pieces = [(name, 0.0) for name in SPECIALS]
    pieces += [(name, round(-rng.uniform(3, 9), 3)) for name in dict.fromkeys([*CHARACTERS[20:], *WORDS, SPACE, SPACE + "the", SPACE + "a", "xx"])]
    if byte_fallback:
        pieces += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    return Unigram(pieces, unk_id=1, byte_fallback=byte_fallback)


def wordlevel():
    return WordLevel({name: number for number, name in enumerate([*SPECIALS, *WORDS, "Hello", ",", "."])}, unk_token="[UNK]")


N, P, D = normalizers, pre_tokenizers, decoders
ACCENTS = N.Sequence([N.NFD(), N.Lowercase(), N.StripAccents()])
LLAMA = D.Sequence([D.Replace(SPACE, " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])


def split(pattern, behavior, invert=False, regex=True):
    return P.Split(Regex(pattern) if regex else pattern, behavior, invert)


# Name: model, normalizer, pre-tokenizer, decoder, post-processor ("bert", "roberta", templates or None).
CASES = {
    "accents": (wordpiece(), ACCENTS, P.Whitespace(), D.WordPiece(), "bert"),
    "nfc": (wordpiece(), N.NFC(), P.WhitespaceSplit(), D.WordPiece(cleanup=False), None),
    "nfd": (wordpiece(), N.NFD(), P.BertPreTokenizer(), None, ("[CLS] $A", "[CLS] $A $B:1")),
    "nfkc": (wordpiece(max_input_chars_per_word=7), N.NFKC(), P.Whitespace(), D.WordPiece(), None),
    "nfkd_lower": (wordpiece(continuing_subword_prefix="@@"), N.Sequence([N.NFKD(), N.Lowercase()]), P.Whitespace(), D.WordPiece(prefix="@@"), None),
    "strip": (wordlevel(), N.Strip(), P.WhitespaceSplit(), None, None),
    "strip_left": (wordlevel(), N.Sequence([N.Strip(True, False), N.Lowercase()]), P.Punctuation(), None, None),
    "strip_right": (wordpiece(), N.Strip(False, True), P.Sequence([P.WhitespaceSplit(), P.Punctuation("removed")]), D.WordPiece(), None),
    "replace": (wordpiece(), N.Sequence([N.Replace("'", "\""), N.Replace(Regex(r"\s+"), " "), N.Replace(Regex("[0-9]+"), "12")]), P.WhitespaceSplit(), D.WordPiece(), None),
    "replace_accents": (wordpiece(), N.Sequence([N.NFKD(), N.Replace(Regex(r"\p{Mn}"), ""), N.Lowercase()]), P.Whitespace(), D.WordPiece(), None),
    "prepend": (bpe(), N.Sequence([N.Prepend(SPACE), N.Replace(" ", SPACE)]), None, LLAMA, ("[CLS] $A", "[CLS] $A [CLS] $B")),
    "prepend_two": (bpe(unknown=None), N.Sequence([N.Prepend("a—"), N.NFC()]), P.WhitespaceSplit(), D.Fuse(), None),
    "bert": (wordpiece(), N.BertNormalizer(), P.BertPreTokenizer(), D.WordPiece(), "bert"),
    "bert_raw": (wordpiece(), N.BertNormalizer(False, False, False, False), P.BertPreTokenizer(), D.WordPiece(), "bert"),
    "bert_then": (wordpiece(), N.Sequence([N.Replace("k", "K"), N.BertNormalizer(True, True, True, False), N.NFKC()]), P.Whitespace(), D.WordPiece(), "bert"),
    "punctuation": (wordpiece(), N.Lowercase(), P.Sequence([P.WhitespaceSplit(), P.Punctuation()]), D.WordPiece(), None),
    "punctuation_contiguous": (wordpiece(), None, P.Sequence([P.WhitespaceSplit(), P.Punctuation("contiguous")]), D.WordPiece(), None),
    "punctuation_previous": (bpe(fuse_unk=True), None, P.Punctuation("merged_with_previous"), None, None),
    "punctuation_next": (bpe(), None, P.Punctuation("merged_with_next"), None, None),
    "digits": (wordpiece(), None, P.Sequence([P.WhitespaceSplit(), P.Digits(False)]), D.WordPiece(), None),
    "digits_alone": (wordpiece(), None, P.Sequence([P.WhitespaceSplit(), P.Digits(True)]), D.WordPiece(), None),
    "metaspace": (unigram(), None, P.Metaspace(), D.Metaspace(), "bert"),
    "metaspace_first": (unigram(), N.NFKC(), P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="first")]), D.Metaspace(), None),
    "metaspace_never": (unigram(True), N.Sequence([N.Strip(), N.Replace(Regex(" {2,}"), " ")]), P.Metaspace(prepend_scheme="never", split=False), LLAMA, None),
    "metaspace_whole": (unigram(), N.Sequence([N.NFKC(), N.Strip()]), P.Metaspace(prepend_scheme="first", split=False), D.Metaspace(), None),
    "metaspace_underscore": (bpe(), N.Lowercase(), P.Metaspace(replacement="_"), D.Metaspace("_"), None),
    "split_removed": (bpe(), None, split(r"\s+", "removed"), None, None),
    "split_isolated": (bpe(ignore_merges=True), None, split(r"\p{N}{1,3}|\p{P}", "isolated"), None, None),
    "split_gpt4": (bpe(), None, split(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", "removed", True), None, None),
    "split_previous": (bpe(), None, split("[aeiou]", "merged_with_previous"), None, None),
    "split_next": (bpe(), None, split(" ", "merged_with_next", regex=False), None, None),
    "split_contiguous": (bpe(), None, split("-", "contiguous", regex=False), None, None),
    "split_empty": (bpe(), None, split(r"(?=[A-Z])|\d*", "isolated"), None, None),
    "split_lookbehind": (bpe(), None, split(r"(?<=a)n|\bk\w+|(.)\1", "isolated"), None, None),
    "split_invert": (wordpiece(), N.Lowercase(), split(r"\w+|[^\w\s]+", "removed", True), D.WordPiece(), None),
    "words_suffix": (bpe(suffix="</w>"), N.Lowercase(), P.Whitespace(), D.BPEDecoder(), "roberta"),
    "words_prefix": (bpe(prefix="##"), None, P.Whitespace(), D.WordPiece(), None),
    "bytes": (bpe(byte_fallback=True), N.Prepend(SPACE), split(r"(?<=\s)|(?=\s)", "isolated"), LLAMA, None),
    "bytes_fused": (bpe(byte_fallback=True, fuse_unk=True), None, P.CharDelimiterSplit(" "), D.Sequence([D.ByteFallback(), D.Fuse()]), None),
    "unigram_bytes": (unigram(True), N.Lowercase(), P.Whitespace(), D.Sequence([D.ByteFallback(), D.Strip("a", 1, 0), D.Fuse()]), None),
    "byte_gpt2": (byte_bpe(), None, byte_level(), D.ByteLevel(), None),
    "byte_neox": (byte_bpe(), N.NFC(), byte_level(), D.ByteLevel(), "trim"),
    "byte_roberta": (byte_bpe(), None, byte_level(True), D.ByteLevel(), "roberta_trim"),
    "byte_smollm": (byte_bpe(), None, P.Sequence([P.Digits(True), byte_level()]), D.ByteLevel(), None),
    "byte_llama3": (byte_bpe(ignore_merges=True), None, split_words(LLAMA3), D.ByteLevel(), "trim_begin"),
    "byte_qwen2": (byte_bpe(), N.NFC(), split_words(QWEN2), D.Sequence([D.ByteLevel(), D.Fuse()]), None),
    "byte_o200k": (byte_bpe(), None, split_words(O200K), D.ByteLevel(), "trim"),
    "byte_gaps": (byte_bpe(without="ðéA"), None, byte_level(), D.ByteLevel(), "trim"),
    "byte_lower": (byte_bpe(), N.Sequence([N.Lowercase(), N.Strip()]), byte_level(True), D.ByteLevel(), "trim"),
    "byte_letters": (bpe(fuse_unk=True), None, byte_level(), D.ByteLevel(), "trim"),
    "byte_spaces": (byte_bpe(), None, P.Sequence([P.Punctuation(), byte_level(True, False)]), D.ByteLevel(), None),
    "nothing": (wordlevel(), None, None, None, None),
}


def make(name):
    model, normalizer, pre_tokenizer, decoder, around = CASES[name]
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    if decoder is not None:
        tokenizer.decoder = decoder
    tokenizer.add_special_tokens([AddedToken(special, special=True, normalized=False, lstrip=special == "[MASK]" and name.startswith("byte_")) for special in SPECIALS])
    tokenizer.add_tokens([AddedToken("New York", normalized=True), AddedToken("café", normalized=True, single_word=True)])
    cls, sep = ("[CLS]", tokenizer.token_to_id("[CLS]")), ("[SEP]", tokenizer.token_to_id("[SEP]"))
    if around == "bert":
        tokenizer.post_processor = processors.BertProcessing(sep, cls)
    elif around == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(sep, cls, trim_offsets=False)
    elif around == "roberta_trim":
        tokenizer.post_processor = processors.RobertaProcessing(sep, cls)
    elif around == "trim":
        tokenizer.post_processor = processors.ByteLevel()
    elif around == "trim_begin":
        template = processors.TemplateProcessing(single="[CLS] $A", pair="[CLS] $A [CLS] $B:1", special_tokens=[cls])
        tokenizer.post_processor = processors.Sequence([processors.ByteLevel(add_prefix_space=False), template])
    elif around is not None:
        tokenizer.post_processor = processors.TemplateProcessing(single=around[0], pair=around[1], special_tokens=[cls, sep])
    return tokenizer
