"""The tokenizers that tools/oracle_tokenizers.py compares with: each gives the ids, or the words, of a list of lines."""

import os
import unicodedata
from concurrent.futures import ProcessPoolExecutor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORKERS = os.cpu_count() or 1


class Fast:
    """A tokenizer of transformers 5, made from a vocabulary as a dict."""

    def __init__(self, kind, vocabulary, **options):
        import transformers

        self.tokenizer = getattr(transformers, kind)(vocab=dict(vocabulary), **options)

    def __call__(self, lines):
        encodings = self.tokenizer.backend_tokenizer.encode_batch(lines)
        return [(encoding.ids, encoding.offsets) for encoding in encodings]


class RustWords:
    def __call__(self, lines):
        import rjieba

        return [list(rjieba.cut(line, False)) for line in lines]


class PythonWords:
    def __call__(self, lines):
        import jieba

        jieba.setLogLevel(60)
        return [list(jieba.cut(line, HMM=False)) for line in lines]


def cut_at_specials(text):
    """(piece, whether it is a special token) in order."""
    pieces, start, i = [], 0, 0
    while i < len(text):
        special = next((token for token in SPECIAL if text.startswith(token, i)), None)
        if special is None:
            i += 1
            continue
        pieces += [(text[start:i], False), (special, True)]
        i += len(special)
        start = i
    return [piece for piece in [*pieces, (text[start:], False)] if piece[0]]


class Slow:
    """RoFormerTokenizer as transformers 4 had it: special tokens kept, lower case, rjieba, then BERT's slow tokenizer."""

    def __init__(self, vocabulary, lower=True, strip_accents=None):
        from transformers.models.bert.tokenization_bert_legacy import BasicTokenizer, WordpieceTokenizer

        self.vocabulary, self.lower = vocabulary, lower
        self.basic = BasicTokenizer(do_lower_case=lower, never_split=SPECIAL, strip_accents=strip_accents)
        self.pieces = WordpieceTokenizer(vocab=vocabulary, unk_token="[UNK]")

    def tokens(self, text):
        import rjieba

        for piece, special in cut_at_specials(text):
            if special:
                yield piece
                continue
            if self.lower:
                piece = "".join(character.lower() for character in piece)
            for word in rjieba.cut(piece, False):
                if word in self.vocabulary:
                    yield word
                else:
                    for part in self.basic.tokenize(word):
                        yield from self.pieces.tokenize(part)

    def __call__(self, lines):
        unknown = self.vocabulary["[UNK]"]
        return [[101, *(self.vocabulary.get(token, unknown) for token in self.tokens(line)), 102] for line in lines]


class Bert4keras:
    """bert4keras.tokenizers.Tokenizer with pre_tokenize=jieba.cut without HMM, said again; special tokens are kept."""

    WORD_MAXLEN = 200

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    @staticmethod
    def normalized(text):
        text = unicodedata.normalize("NFD", text.lower())
        return "".join(character for character in text if unicodedata.category(character) != "Mn")

    @staticmethod
    def is_cjk(c):
        return (
            0x4E00 <= c <= 0x9FFF or 0x3400 <= c <= 0x4DBF or 0x20000 <= c <= 0x2A6DF or 0x2A700 <= c <= 0x2B73F
            or 0x2B740 <= c <= 0x2B81F or 0x2B820 <= c <= 0x2CEAF or 0xF900 <= c <= 0xFAFF or 0x2F800 <= c <= 0x2FA1F
        )  # fmt: skip

    @staticmethod
    def is_punctuation(character):
        c = ord(character)
        ascii_sign = 33 <= c <= 47 or 58 <= c <= 64 or 91 <= c <= 96 or 123 <= c <= 126
        return ascii_sign or unicodedata.category(character).startswith("P")

    def pieces(self, word):
        if len(word) > self.WORD_MAXLEN:
            return [word]
        tokens, start = [], 0
        while start < len(word):
            end = len(word)
            while end > start:
                piece = ("##" if start else "") + word[start:end]
                if piece in self.vocabulary:
                    break
                end -= 1
            if start == end:
                return [word]
            tokens.append(piece)
            start = end
        return tokens

    def basic(self, text):
        spaced = []
        for character in self.normalized(text):
            category = unicodedata.category(character)
            if self.is_punctuation(character) or self.is_cjk(ord(character)):
                spaced.append(f" {character} ")
            elif character in " \n\r\t" or category == "Zs":
                spaced.append(" ")
            elif ord(character) not in (0, 0xFFFD) and category not in ("Cc", "Cf"):
                spaced.append(character)
        for word in "".join(spaced).split():
            yield from self.pieces(word)

    def tokens(self, text):
        import jieba

        jieba.setLogLevel(60)
        for piece, special in cut_at_specials(text):
            if special:
                yield piece
                continue
            for word in jieba.cut(self.normalized(piece), HMM=False):
                if word in self.vocabulary:
                    yield word
                else:
                    yield from self.basic(word)

    def __call__(self, lines):
        unknown = self.vocabulary["[UNK]"]
        return [[101, *(self.vocabulary.get(token, unknown) for token in self.tokens(line)), 102] for line in lines]


REFERENCE = None


def start_worker(kind, arguments, options):
    global REFERENCE
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    REFERENCE = kind(*arguments, **options)


def work(lines):
    return REFERENCE(lines)


def expected(reference, lines):
    """The reference's answers, computed by several processes."""
    kind, arguments, options = reference
    size = 2000
    parts = [lines[i : i + size] for i in range(0, len(lines), size)]
    with ProcessPoolExecutor(WORKERS, initializer=start_worker, initargs=(kind, arguments, options)) as pool:
        return [answer for part in pool.map(work, parts) for answer in part]
