"""The hostile GGUF files of make.py."""

import struct

from hostile_file import put

U32, F32, TEXT, ARRAY = 4, 6, 8, 9


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def item(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def number(key: str, value: int) -> bytes:
    return item(key, U32, struct.pack("<I", value))


def word(key: str, value: str) -> bytes:
    return item(key, TEXT, text(value))


def texts(key: str, values: list[str]) -> bytes:
    return item(key, ARRAY, struct.pack("<IQ", TEXT, len(values)) + b"".join(map(text, values)))


def tensor(name: str, dims: list[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}QIQ", *dims, kind, offset)


# A llama of one layer, width 32, in Q4_0 (18 bytes a block of 32), whose vocabulary is two letters.
KEYS = {
    "general.architecture": word("general.architecture", "llama"),
    "llama.block_count": number("llama.block_count", 1),
    "llama.context_length": number("llama.context_length", 16),
    "llama.embedding_length": number("llama.embedding_length", 32),
    "llama.feed_forward_length": number("llama.feed_forward_length", 32),
    "llama.attention.head_count": number("llama.attention.head_count", 2),
    "llama.attention.layer_norm_rms_epsilon": item("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
    "tokenizer.ggml.model": word("tokenizer.ggml.model", "gpt2"),
    "tokenizer.ggml.pre": word("tokenizer.ggml.pre", "gpt-2"),
    "tokenizer.ggml.tokens": texts("tokenizer.ggml.tokens", ["a", "b"]),
    "tokenizer.ggml.merges": texts("tokenizer.ggml.merges", []),
    "tokenizer.ggml.bos_token_id": number("tokenizer.ggml.bos_token_id", 0),
    "tokenizer.ggml.eos_token_id": number("tokenizer.ggml.eos_token_id", 1),
}
MATRICES = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
BLOCKS = 32 * 18  # bytes of a matrix


def layout() -> tuple[dict[str, bytes], int]:
    """The entries of the tensors, and the bytes of their data."""
    entries, at = {}, 0
    for name, dims, kind, size in (
        [("token_embd.weight", [32, 2], 0, 256), ("output_norm.weight", [32], 0, 128)]
        + [(f"blk.0.{n}.weight", [32], 0, 128) for n in ("attn_norm", "ffn_norm")]
        + [(f"blk.0.{n}.weight", [32, 32], 2, BLOCKS) for n in MATRICES]
    ):
        entries[name] = tensor(name, dims, kind, at)
        at += size
    return entries, at


def file(name: str, keys=None, tensors=None, data=None, version=3, claimed_keys=None, claimed_tensors=None, cut=None) -> None:
    """The llama with some of its parts replaced, or left out if None."""
    entries, size = layout()
    items = [value for value in {**KEYS, **(keys or {})}.values() if value is not None]
    table = [value for value in {**entries, **(tensors or {})}.values() if value is not None]
    counts = (
        len(table) if claimed_tensors is None else claimed_tensors,
        len(items) if claimed_keys is None else claimed_keys,
    )
    header = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(items) + b"".join(table)
    header += bytes(-len(header) % 32)
    content = header + (bytes(size) if data is None else data)
    put(f"gguf/{name}", content[:cut])


def gguf() -> None:
    entries, size = layout()
    file("cut_in_data", cut=-1)
    file("cut_in_tokens", cut=600)
    file("cut_in_header", cut=10)
    file("version_1", version=1)
    file("big_endian", version=3 << 24)
    file("keys_2_to_60", claimed_keys=2**60)
    file("tensors_2_to_64", claimed_tensors=2**64 - 1)
    file("tensor_claimed", claimed_tensors=len(entries) + 1)
    put("gguf/empty", b"")
    put("gguf/text", "<html><body>Not found</body></html>")
    file("key_length", keys={"general.architecture": struct.pack("<Q", 2**63) + b"general.architecture"})
    file("value_type", keys={"x": item("x", 99, b"")})
    file("array_of_arrays", keys={"x": item("x", ARRAY, struct.pack("<IQ", ARRAY, 1))})
    file("array_of_2_to_62", keys={"x": item("x", ARRAY, struct.pack("<IQ", TEXT, 2**62))})
    file("key_twice", keys={"x": number("llama.block_count", 1)})
    file("token_not_utf8", keys={"tokenizer.ggml.tokens": item(
        "tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", TEXT, 2) + text("a") + text(b"\xff"))})  # fmt: skip
    file("alignment", keys={"general.alignment": number("general.alignment", 24)})
    file("architecture", keys={"general.architecture": word("general.architecture", "mamba\x1b[31m")})
    file("no_architecture", keys={"general.architecture": None})
    file("experts", keys={"x": number("llama.expert_count", 8)})
    file("layers_of_four_billion", keys={"llama.block_count": number("llama.block_count", 2**32 - 1)})
    file("heads_none", keys={"llama.attention.head_count": number("llama.attention.head_count", 0)})
    file("heads_text", keys={"llama.attention.head_count": word("llama.attention.head_count", "2")})
    file("heads_do_not_divide", keys={"llama.attention.head_count": number("llama.attention.head_count", 5)})
    file("two_layers", keys={"llama.block_count": number("llama.block_count", 2)})
    q = "blk.0.attn_q.weight"
    file("unknown_type", tensors={q: tensor(q, [32, 32], 77, 0)})
    file("type_not_read", tensors={q: tensor(q, [32, 32], 20, 640)})
    file("rows_of_33", tensors={q: tensor(q, [33, 32], 2, 640)})
    file("shape_overflows", tensors={q: tensor(q, [2**40, 2**40], 2, 640)})
    file("six_dimensions", tensors={q: tensor(q, [32, 1, 1, 1, 1, 32], 2, 640)})
    file("beyond_the_file", tensors={q: tensor(q, [32, 32], 2, 2**40)})
    file("offset_2_to_64", tensors={q: tensor(q, [32, 32], 2, 2**64 - 32)})
    file("not_aligned", tensors={q: tensor(q, [32, 32], 2, 641)})
    file("overlap", tensors={q: tensor(q, [32, 32], 2, 0)})
    file("wrong_shape", tensors={q: tensor(q, [32, 16], 2, 640)})
    file("tensor_twice", tensors={"x": tensor(q, [32, 32], 2, 640)})
    file("tensor_missing", tensors={q: None})
    file("no_words", tensors={"token_embd.weight": None})
    nan = bytearray(size)
    nan[640 + 3 * 18 : 640 + 3 * 18 + 2] = b"\x00\x7e"
    file("block_not_a_number", data=bytes(nan))
    words = bytearray(size)
    words[0:4] = struct.pack("<f", float("nan"))
    file("word_not_a_number", data=bytes(words))
    file("factors", tensors={"x": tensor("rope_freqs.weight", [8], 0, size)}, data=bytes(size + 32))
    file("tokenizer_unknown", keys={"tokenizer.ggml.model": word("tokenizer.ggml.model", "rwkv")})
    file("words_unknown", keys={"tokenizer.ggml.pre": word("tokenizer.ggml.pre", "new")})
    file("begin_beyond", keys={"tokenizer.ggml.bos_token_id": number("tokenizer.ggml.bos_token_id", 2)})
    file("no_merges", keys={"tokenizer.ggml.merges": None})
