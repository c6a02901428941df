"""Hostile models of SentencePiece, which are protocol buffers."""

import struct

from hostile_file import put


def proto(number: int, value: object) -> bytes:
    """A field of a protocol buffer: a number, a float, or bytes."""

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 0x80 else bytes([n & 0x7F | 0x80]) + varint(n >> 7)

    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def sentencepiece() -> None:
    normal, unknown, control, byte = 1, 2, 3, 6

    def piece(text: bytes, score: float = 0.0, kind: int = normal) -> bytes:
        return proto(1, proto(1, text) + proto(2, score) + proto(3, kind))

    def trainer(kind: int = 2, more: bytes = b"") -> bytes:
        return proto(2, proto(3, kind) + more)

    def normalizer(rules: bytes, field: int = 3) -> bytes:
        return proto(field, proto(2, rules))

    head = piece(b"<unk>", kind=unknown) + piece(b"<s>", kind=control) + piece(b"</s>", kind=control)
    letters = piece("▁the".encode(), -1.0) + b"".join(piece(c.encode(), -2.0) for c in "▁the")
    good = head + letters + trainer()

    def file(name: str, content: bytes) -> None:
        put(f"sentencepiece/{name}", content)

    file("empty", b"")
    file("text", "<html><body>Not found</body></html>")
    file("lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 499723\n")
    file("zeros", bytes(64))
    file("no_pieces", trainer())
    file("cut_in_a_piece", good[:40])
    file("cut_in_a_number", good + b"\x0a\xff")
    file("piece_length_beyond", head + b"\x0a\x7f" + letters)
    file("piece_length_2_to_63", head + b"\x0a" + b"\x80" * 9 + b"\x01" + letters)
    file("number_without_end", head + b"\x0a" + b"\xff" * 20)
    file("field_of_a_group", good + b"\x0b")
    file("field_zero", good + b"\x02\0")
    file("string_longer_than_its_piece", good + proto(1, b"\x0a\x09abc"))
    file("piece_empty", good + piece(b""))
    file("piece_not_utf8", good + piece(b"k\xffng"))
    file("piece_surrogate", good + piece(b"\xed\xa0\x80"))
    file("piece_twice", good + piece(b"t"))
    file("piece_type_7", good + piece(b"x", kind=7))
    file("piece_type_2_to_32_and_1", good + piece(b"x", kind=2**32 + 1))
    file("score_nan", good + piece(b"x", float("nan")))
    file("score_infinite", good + piece(b"x", float("inf")))
    file("unknown_missing", piece(b"<s>", kind=control) + letters + trainer())
    file("unknown_twice", good + piece(b"<unk2>", kind=unknown))
    file("byte_named_wrong", good + piece(b"<0xfF>", kind=byte))
    file("bytes_missing", good + piece(b"<0x41>", kind=byte) + trainer(more=proto(35, 1)))
    file("model_of_words", head + letters + trainer(3))
    file("model_of_type_0", head + letters + trainer(0))
    file("space_at_the_end", head + letters + trainer(more=proto(24, 1)))
    file("denormalizer", good + normalizer(b"\0", field=5))
    file("rules_short", good + normalizer(b"\x04\0\0\0"))
    file("rules_trie_beyond", good + normalizer(struct.pack("<I", 2**31) + bytes(8)))
    file("rules_trie_in_half_units", good + normalizer(struct.pack("<I", 6) + bytes(12)))
    file("rules_without_end", good + normalizer(struct.pack("<II", 4, 0) + b"x"))
    file("rules_lead_outside", good + normalizer(struct.pack("<II", 4, 0x7FFFFC00) + b"\0"))
    loop = [1 << 10, 1 << 8 | ord("t"), 0]  # unit 1 ^ "t" is what follows a "t"; its value is the text at 2^31 - 1
    units = [0] * 256
    units[0], units[1 ^ ord("t")], units[1 ^ ord("t") ^ 1] = loop[0], 1 << 10 | loop[1], 2**32 - 1
    file("rules_text_outside", good + normalizer(struct.pack("<I", 1024) + struct.pack("<256I", *units) + b"\0"))
    file("begin_and_end_missing", piece(b"<unk>", kind=unknown) + letters + trainer())
