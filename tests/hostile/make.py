#!/usr/bin/env python3
"""Writes tests/hostile/files: inputs that must be refused with a reason (expected.tsv says which).

Here one can read what is hostile about each. The files are kept in git, so the tests need no Python; run this after
changing it. Every file is smaller than 10 KB: what they claim is large, not what they hold.
"""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile

from hostile_file import INT64, put
from make_gguf import gguf
from make_pytorch import pytorch
from make_sentencepiece import sentencepiece


def tensors(name: str, header: object, data: int = 0, claim: int | None = None) -> None:
    """A safetensors file: header (an object, or raw bytes), `data` zero bytes; `claim` is a false header length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    put(f"safetensors/{name}", struct.pack("<Q", len(text) if claim is None else claim) + text + bytes(data))


def tensor(shape: list, begin: object, end: object, dtype: object = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors() -> None:
    put("safetensors/empty", b"")
    put("safetensors/seven_bytes", b"\x02\0\0\0\0\0\0")
    tensors("header_beyond_file", b"{}", claim=3)
    tensors("header_of_100_mb", b"{}", claim=100_000_000)
    tensors("header_of_2_to_64", b"{}", claim=2**64 - 1)
    tensors("header_not_json", b"{x}")
    tensors("header_is_a_list", b"[]")
    tensors("header_cut", b'{"a":{"dtype":"F32"')
    tensors("header_zero_byte", b'{"a":1\0}')
    tensors("name_not_utf8", b'{"\xff":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4)
    tensors("deep", b'{"a":' + b"[" * 5000)
    tensors("entry_not_object", {"a": 1})
    tensors("no_dtype", {"a": {"shape": [1], "data_offsets": [0, 4]}}, 4)
    tensors("no_offsets", {"a": {"dtype": "F32", "shape": [1]}}, 4)
    tensors("unknown_dtype", {"a": tensor([1], 0, 4, "F99")}, 4)
    tensors("dtype_number", {"a": tensor([1], 0, 4, 32)}, 4)
    tensors("key_twice", b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4)
    tensors("offsets_negative", {"a": tensor([1], -4, 0)}, 4)
    tensors("offsets_backwards", {"a": tensor([1], 4, 0)}, 4)
    tensors("offsets_not_whole", {"a": tensor([1], 0, 4.0)}, 4)
    tensors("offsets_three", {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 4]}}, 4)
    tensors("offsets_overlap", {"a": tensor([2], 0, 8), "b": tensor([1], 4, 8)}, 8)
    tensors("offsets_hole", {"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, 12)
    tensors("offsets_beyond_file", {"a": tensor([1024], 0, 4096)}, 4)
    tensors("offsets_beyond_int64", {"a": tensor([1], 2**64 - 4, 2**64)}, 4)
    tensors("bytes_left_over", {"a": tensor([1], 0, 4)}, 5)
    tensors("data_cut", {"a": tensor([2], 0, 8)}, 7)
    tensors("shape_too_small", {"a": tensor([1], 0, 8)}, 8)
    tensors("shape_product_overflows", {"a": tensor([2**32, 2**32], 0, 0)})
    tensors("shape_bits_overflow", {"a": tensor([2**62], 0, 4)}, 4)
    tensors("shape_overflows_to_right_size", {"a": tensor([2**63 - 1, 2, 2], 0, 4)}, 4)
    tensors("shape_negative", {"a": tensor([-1], 0, 4)}, 4)
    tensors("shape_nan", b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', 4)
    tensors("shape_text", {"a": tensor(["1"], 0, 4)}, 4)
    tensors("shape_empty_but_vast", {"roformer.embeddings.word_embeddings.weight": tensor([0, 2**40, 2**40], 0, 0)})
    tensors("rank_five", {"roformer.embeddings.word_embeddings.weight": tensor([1, 1, 1, 1, 1], 0, 4)}, 4)
    tensors("half_byte", {"a": tensor([1], 0, 1, "F4")}, 1)
    tensors("complex", {"roformer.embeddings.word_embeddings.weight": tensor([1], 0, 8, "C64")}, 8)
    tensors("metadata_number", {"__metadata__": {"a": 1}})
    tensors("metadata_list", {"__metadata__": []})
    tensors("unaligned", {"a": tensor([1], 0, 1, "U8"), "b": tensor([1], 1, 5)}, 5)


def shards() -> None:
    def index(name: str, weight_map: object) -> None:
        put(f"shards/{name}", json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))

    index("parent", {"a": "../tokenizer/vocab.txt"})
    index("absolute", {"a": "/etc/passwd"})
    index("folder", {"a": "training/model.safetensors"})
    index("dots", {"a": ".."})
    index("zero_byte", {"a": "model.safetensors\0x"})
    index("missing", {"a": "model-00001-of-00002.safetensors"})
    index("number", {"a": 1})
    index("list", ["model.safetensors"])
    index("empty", {})
    index("itself", {"a": "model.safetensors.index.json"})
    index("tensor_elsewhere", {"no.such.tensor": "model.safetensors"})
    put("shards/cut", '{"weight_map": {"a": "model')
    put("shards/no_map", "{}")


CONFIG = {
    "model_type": "roformer", "architectures": ["RoFormerForMaskedLM"], "vocab_size": 60, "hidden_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128,
}


def config() -> None:
    def change(name: str, **keys: object) -> None:
        put(f"config/{name}", json.dumps(CONFIG | keys))

    put("config/empty", "")
    put("config/utf16", json.dumps(CONFIG).encode("utf-16"))
    put("config/byte_order_mark_then_garbage", b"\xef\xbb\xbf{]")
    put("config/trailing_garbage", json.dumps(CONFIG) + "x")
    put("config/two_objects", json.dumps(CONFIG) * 2)
    put("config/nan", json.dumps(CONFIG)[:-1] + ', "layer_norm_eps": NaN}')
    put("config/infinity", json.dumps(CONFIG)[:-1] + ', "layer_norm_eps": 1e999}')
    put("config/deep", "[" * 9999)
    put("config/deep_in_unknown_key", '{"x":' + "[" * 4000 + "]" * 4000 + "}")
    put("config/key_twice", '{"vocab_size": 60, "vocab_size": 61}')
    put("config/list", "[1, 2]")
    put("config/not_utf8", b'{"model_type": "\xff\xfe"}')
    change("control_characters", model_type="\u001b[31mred\n\u0007")
    change("endless_message", model_type="x" * 9000)
    change("hidden_text", hidden_size="32")
    change("hidden_list", hidden_size=[32])
    change("hidden_real", hidden_size=32.0)
    change("hidden_negative", hidden_size=-32)
    change("hidden_huge", hidden_size=2**31)
    change("hidden_beyond_int64", hidden_size=2**64)
    change("heads_zero", num_attention_heads=0)
    change("heads_do_not_divide", num_attention_heads=3)
    change("head_odd", num_attention_heads=32)
    change("layers_negative", num_hidden_layers=-1)
    change("layers_huge", num_hidden_layers=2**40)
    change("vocabulary_huge", vocab_size=10**9)
    change("more_than_the_file_holds", hidden_size=65536, num_hidden_layers=1000, vocab_size=10**7)
    change("positions_beyond_rotation", max_position_embeddings=2**40)
    change("learned_table_of_2_to_29", model_type="roformer_variant", position_embedding_type="learned",
           max_position_embeddings=2**29)
    change("dropout_two", hidden_dropout_prob=2)
    change("epsilon_negative", layer_norm_eps=-1e-3)
    change("architecture_number", architectures=[1])
    change("pad_outside", pad_token_id=60)
    without = {key: value for key, value in CONFIG.items() if key != "hidden_size"}
    put("config/hidden_missing", json.dumps(without))


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizers() -> None:
    listing = "".join(token + "\n" for token in SPECIAL)
    put("vocab/empty", "")
    put("vocab/token_twice", listing + "king\nriver\nking\n")
    put("vocab/not_utf8", listing.encode() + b"k\xffing\n")
    put("vocab/overlong_utf8", listing.encode() + b"\xc0\xaf\n")
    put("vocab/surrogate", listing.encode() + b"\xed\xa0\x80\n")
    put("vocab/zero_byte", listing + "ki\0ng\n")
    put("vocab/utf16", (listing + "king\n").encode("utf-16"))
    put("vocab/no_specials", "king\nriver\n")
    put("vocab/one_blank_line", "\n")
    put("vocab/carriage_return", (listing + "the\nking\r\r\n").encode())

    put("tokenizer_config/list", "[]")
    put("tokenizer_config/unknown_class", json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    put("tokenizer_config/class_number", json.dumps({"tokenizer_class": 1}))
    put("tokenizer_config/lowercase_text", json.dumps({"do_lower_case": "no"}))
    put("tokenizer_config/mask_missing", json.dumps({"mask_token": "<mask>"}))
    put("tokenizer_config/mask_empty", json.dumps({"mask_token": ""}))
    put("tokenizer_config/mask_object", json.dumps({"mask_token": {"text": "[MASK]"}}))
    put("tokenizer_config/byte_without_bytes", json.dumps({"tokenizer_class": "RoFormerNativeByteTokenizer"}))
    jieba = {"tokenizer_class": "RoFormerTokenizer", "tokenizer_mode": "quick"}
    put("tokenizer_config/unknown_mode", json.dumps(jieba))
    put("tokenizer_config/added_id_text", json.dumps({"added_tokens_decoder": {"x": {"content": "<x>"}}}))
    put("tokenizer_config/added_far_away", json.dumps({"added_tokens_decoder": {"16777215": {"content": "<x>"}}}))
    put("tokenizer_config/length_text", json.dumps({"model_max_length": "512"}))
    put("tokenizer_config/deep", '{"a":' * 1500)

    def fast(name: str, **changes: object) -> None:
        content = {
            "model": {"type": "WordPiece", "vocab": {token: i for i, token in enumerate(SPECIAL + ["king"])}},
            "normalizer": {"type": "BertNormalizer"},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
        }
        put(f"tokenizer_json/{name}", json.dumps(content | changes))

    fast("bpe", model={"type": "BPE", "vocab": {}, "merges": []})
    pieces = {"type": "BPE", "unk_token": "[UNK]", "fuse_unk": True, "vocab": {"[UNK]": 0, "a": 1, "b": 2, "ab": 3}}
    unknown = [{"id": 0, "content": "[UNK]", "special": True}]
    scores = [["[UNK]", 0], ["a", -1], ["b", "x"]]

    def sentencepiece_json(name: str, model: dict, **changes: object) -> None:
        space = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
        fast(name, **{"added_tokens": unknown, "normalizer": space, "pre_tokenizer": None, "model": model} | changes)

    sentencepiece_json("merge_of_nothing", pieces | {"merges": [["b", "a"]]})
    sentencepiece_json("merge_of_three", pieces | {"merges": ["a b a"]})
    sentencepiece_json("merges_absent", pieces)
    sentencepiece_json("score_text", {"type": "Unigram", "unk_id": 0, "vocab": scores})
    sentencepiece_json("unknown_outside", {"type": "Unigram", "unk_id": -1, "vocab": scores[:2]})
    rules = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    sentencepiece_json("precompiled", pieces | {"merges": ["a b"]}, normalizer=rules)
    fast("no_vocabulary", model={"type": "WordPiece"})
    fast("ids_with_a_hole", model={"type": "WordPiece", "vocab": {"[PAD]": 0, "a": 2}})
    fast("ids_twice", model={"type": "WordPiece", "vocab": {"[PAD]": 0, "a": 0}})
    fast("id_huge", model={"type": "WordPiece", "vocab": {"[PAD]": 2**40}})
    fast("id_negative", model={"type": "WordPiece", "vocab": {"[PAD]": -1}})
    fast("id_text", model={"type": "WordPiece", "vocab": {"[PAD]": "0"}})
    fast("prefix", model={"type": "WordPiece", "vocab": {"[PAD]": 0}, "continuing_subword_prefix": "@@"})
    fast("no_normalizer", normalizer=None)
    fast("added_outside", added_tokens=[{"content": "<extra>"}])
    fast("added_number", added_tokens=[7])
    fast("added_id_of_another", added_tokens=[{"id": 5, "content": "<extra>"}])
    fast("added_id_huge", added_tokens=[{"id": 2**33, "content": "<extra>"}])
    fast("added_strips", added_tokens=[{"id": 4, "content": "[MASK]", "lstrip": True}])
    put("tokenizer_json/surrogate", '{"model": {"type": "WordPiece", "vocab": {"\\ud800": 0}}}')
    put("tokenizer_json/zero_byte", '{"model": {"type": "WordPiece", "vocab": {"a\0": 0}}}')
    fast("token_with_line_end", model={"type": "WordPiece", "vocab": {t: i for i, t in enumerate(SPECIAL + ["the", "a\nb"])}})


def dictionaries() -> None:
    good = "今天 100 t\n天气 80 n\n"
    put("jieba/no_frequency", good + "非常\n")
    put("jieba/frequency_text", good + "非常 many d\n")
    put("jieba/frequency_negative", good + "非常 -3 d\n")
    put("jieba/frequency_real", good + "非常 1.5 d\n")
    put("jieba/frequency_huge", good + "非常 18446744073709551617 d\n")
    put("jieba/word_huge", good + "非" * 256 + " 1 d\n")
    put("jieba/not_utf8", good.encode() + b"\xff\xfe 1 d\n")
    put("jieba/surrogate", good.encode() + b"\xed\xa0\x80 1 d\n")
    put("jieba/zero_byte", good + "非\0常 1 d\n")
    put("jieba/tabs", "今天\t100\tt\n")
    put("jieba/empty", "")
    put("jieba/all_zero", "今天 0 t\n")


def texts() -> None:
    put("text/not_utf8", b"the old king\n\nsees \xff\xfe\n")
    put("text/cut_character", "the old king 王".encode()[:-1])
    put("text/zero_byte", "the old king\nsees\0the river\n")
    put("text/utf16", "the old king sees the river\n".encode("utf-16"))
    put("text/utf32", "the old king sees the river\n".encode("utf-32"))
    put("text/latin1", "the old k\xefng\n".encode("latin-1"))
    put("text/empty", "")
    put("text/blank", " \n\n\t\n\u3000\n")
    put("text/tags_alone", "<doc id=1>\n</doc>\n<doc>\n")
    put("text/unclosed_tag", "<doc id=1>\n" + "the old king sees the river\n\n" * 40)
    packed = gzip.compress(b"the old king sees the river\n" * 40, mtime=0)
    put("text/gzip_cut", packed[:-9])
    put("text/gzip_damaged", packed[:-8] + bytes(4) + packed[-4:])
    put("text/gzip_then_text", packed + b"the old king")
    put("text/gzip_of_zeros", gzip.compress(bytes(8 << 20), mtime=0))
    frame = b"\x28\xb5\x2f\xfd"
    put("text/zstd_cut", frame + b"\x20\x0c\x61\x00\x00the old")
    put("text/zstd_huge_window", frame + b"\x00\xff" + b"\x61\x00\x00the old king")
    text = b"the old king sees the river\n" * 40
    put("text/xz_cut", lzma.compress(text)[:-9])
    put("text/xz_then_text", lzma.compress(text) + b"the old king")
    put("text/bzip2_cut", bz2.compress(text)[:-9])
    alone = lzma.compress(text, lzma.FORMAT_ALONE)
    put("text/lzma_huge_dictionary", alone[:1] + struct.pack("<I", 0x60000000) + alone[5:])
    put("text/zip_empty", b"PK\5\6" + bytes(18))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    put("text/tar_packed", gzip.compress(tar.getvalue(), mtime=0))
    put("text/nothing_known", "\u4e2d\u6587 " * 300)


def manifests() -> None:
    hash_ = "0" * 32

    def manifest(name: str, files: object, step: object = 4) -> None:
        put(f"manifest/{name}", json.dumps({"step": step, "files": files}))

    put("manifest/empty", "")
    put("manifest/not_json", "{")
    put("manifest/list", "[]")
    put("manifest/no_step", json.dumps({"files": {}}))
    manifest("no_files", None)
    manifest("files_list", [])
    manifest("lists_nothing", {})
    manifest("other_step", {}, 3)
    manifest("step_text", {}, "4")
    manifest("wrong_hash", {"state.json": {"size": 67, "xxh3_128": hash_}})
    manifest("wrong_size", {"state.json": {"size": 66, "xxh3_128": hash_}})
    manifest("size_huge", {"state.json": {"size": INT64 - 1, "xxh3_128": hash_}})
    manifest("size_negative", {"state.json": {"size": -1, "xxh3_128": hash_}})
    manifest("size_beyond_int64", {"state.json": {"size": 2**64 - 1, "xxh3_128": hash_}})
    manifest("hash_number", {"state.json": {"size": 67, "xxh3_128": 0}})
    manifest("parent_path", {"../settings.json": {"size": 1, "xxh3_128": hash_}})
    manifest("absolute_path", {"/etc/passwd": {"size": 1, "xxh3_128": hash_}})
    manifest("parent", {"..": {"size": 1, "xxh3_128": hash_}})
    manifest("name_zero_byte", {"state.json\0x": {"size": 67, "xxh3_128": hash_}})
    manifest("name_missing", {"nowhere": {"size": 67, "xxh3_128": hash_}})
    manifest("name_control", {"\u001b[2J\n/": {"size": 67, "xxh3_128": hash_}})
    put("manifest/deep", '{"step":4,"files":' + "[" * 5000)


def runs() -> None:
    put("settings/empty", "")
    put("settings/cut", '{"seed": 1, "steps')
    put("settings/list", "[]")
    put("settings/other_model", json.dumps({"model": {"hidden_size": "x" * 5000}}))
    put("state/list", "[]")
    put("log/not_json", "{\nnot json\n{}\n")
    put("log/no_event", '{"step":1,"loss":1}\n{"event":"train","step":1,"loss":2}\n')
    put("log/step_negative", '{"event":"validation","step":-1,"loss":1}\n{"event":"validation","step":2,"loss":1}\n')
    put("log/step_huge", '{"event":"validation","step":1e300,"loss":1}\n{"event":"validation","step":2,"loss":1}\n')
    put("log/number_infinite", '{"event":"validation","step":1,"loss":1e999}\n{"event":"validation","step":2,"loss":1}\n')
    put("log/zero_bytes", b"\0" * 64 + b"\n{}\n")


def ids() -> None:
    def one(name: str, text: str) -> None:
        put(f"ids/{name}", text)

    one("empty", "")
    one("list", "[[1]]")
    one("no_ids", '{"ids": [[1]]}')
    one("flat", '{"input_ids": [1, 2]}')
    one("deep", '{"input_ids": ' + "[" * 5000)
    one("negative", '{"input_ids": [[1], [2, -1]]}')
    one("outside", '{"input_ids": [[60000]]}')
    one("huge", '{"input_ids": [[18446744073709551616]]}')
    one("int32_wraps_to_1", '{"input_ids": [[4294967297]]}')
    one("real", '{"input_ids": [[1.0]]}')
    one("text", '{"input_ids": [["1"]]}')
    one("null", '{"input_ids": [[null]]}')
    one("segments_shorter", '{"input_ids": [[1, 2]], "token_type_ids": [[0]]}')
    one("segments_fewer", '{"input_ids": [[1], [2]], "token_type_ids": [[0]]}')
    one("segment_outside", '{"input_ids": [[1]], "token_type_ids": [[2]]}')
    one("segments_text", '{"input_ids": [[1]], "token_type_ids": "00"}')
    one("position_beyond_rotation", '{"input_ids": [[1]], "position_ids": [[536870913]]}')
    one("positions_longer", '{"input_ids": [[1]], "position_ids": [[0, 1]]}')


def toml() -> None:
    put("toml/not_toml", "top-k 5\n")
    put("toml/cut_text", 'device = "cp')
    put("toml/table", "[device]\nname = 'cpu'\n")
    put("toml/table_in_table", "[fill-mask]\ndevice.name = 'cpu'\n")
    put("toml/table_without_name", "[<]\n")
    put("toml/arabic_form_for_a_space", "top-k\ufef8= 1\n")
    put("toml/control_characters", "top-k = tr\u0001\u001b[31m\n")
    put("toml/key_twice", "top-k = 1\ntop-k = 2\n")
    put("toml/unknown_key", "topk = 1\n")
    put("toml/date", "top-k = 1979-05-27\n")
    put("toml/real", "top-k = 1.5\n")
    put("toml/infinite", "top-k = inf\n")
    put("toml/huge", "top-k = 99999999999999999999\n")
    put("toml/list", "top-k = [1, 2]\n")
    put("toml/nested", "top-k = [[1]]\n")
    put("toml/deep", "top-k = " + "[" * 5000 + "\n")
    put("toml/zero_byte", "top-k = 1\0\n")
    put("toml/not_utf8", b'device = "\xff"\n')
    put("toml/escape", 'device = "\\u001b[31m"\n')


def sentences() -> None:
    def modules(name: str, path: object, kind: str = "Pooling") -> None:
        put(f"modules/{name}", json.dumps([{"idx": 0, "path": path, "type": f"sentence_transformers.models.{kind}"}]))

    modules("folder_above", "../1_Pooling")
    modules("folder_absolute", "/etc")
    modules("folder_number", 1)
    modules("folder_with_zero_byte", "1_Pooling\0")
    modules("folder_absent", "1_Pooling")
    modules("dense", "2_Dense", "Dense")
    modules("cnn", "2_CNN", "CNN")
    modules("transformer_absent", "0_BERT", "Transformer")
    put("modules/object", "{}")
    put("modules/list_of_numbers", "[1, 2]")
    put("modules/type_absent", '[{"path": ""}]')
    put("modules/cut", '[{"path": "')
    put("modules/control_characters", json.dumps([{"path": "", "type": "\x1b[31mred\n\x07"}]))


def llama2c() -> None:
    numbers = [8, 12, 2, 4, 2, 11, 8]  # dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
    keys = 4 * 8
    floats = 11 * 8 + 2 * (8 + 64 + 2 * keys + 64 + 8 + 3 * 96) + 8 + 8 * 2

    def file(name: str, at: int = 0, value: int | None = None, data: bytes = bytes(4 * floats)) -> None:
        changed = list(numbers)
        if value is not None:
            changed[at] = value
        put(f"llama2c/{name}", struct.pack("<7i", *changed) + data)

    def versioned(name: str, version: int, group: int = 64, flag: int = 1) -> None:
        header = struct.pack("<Ii7iBi", 0x616B3432, version, *numbers, flag, group)
        put(f"llama2c/{name}", header.ljust(256, b"\0") + bytes(100))

    file("cut", data=bytes(4 * floats - 1))
    file("bytes_left_over", data=bytes(4 * floats + 1))
    file("header_only", data=b"")
    file("layers_1000", 2, 1000)
    file("vocabulary_of_two_billion", 5, 2**31 - 1)
    file("vocabulary_minus_2_to_31", 5, -(2**31))
    file("dim_negative", 0, -8)
    file("heads_none", 3, 0)
    file("heads_of_one_element", 3, 8)
    file("key_heads_do_not_divide", 4, 3)
    file("everything_huge", 6, 2**29)
    file("not_a_number", data=struct.pack("<f", float("nan")) + bytes(4 * floats - 4))
    versioned("version_3", 3)
    versioned("version_negative", -1)
    versioned("flag", 1, flag=2)
    versioned("group_none", 2, group=0)
    versioned("group_does_not_divide", 2, group=7)
    versioned("rounded_cut", 2, group=8)
    put("llama2c/empty", b"")
    put("llama2c/text", "<html><body>Not found</body></html>")
    put("llama2c/lfs_pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1056540\n")


MAKERS = (
    safetensors, pytorch, llama2c, gguf, shards, config, tokenizers, sentencepiece, dictionaries, texts, manifests, runs, ids, toml,
    sentences,
)
for make in MAKERS:
    make()
