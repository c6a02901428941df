#!/usr/bin/env python3
"""Writes fuzz/seeds/TARGET/*: small inputs from which libFuzzer starts. Run it after changing it; the result is kept in git."""

import bz2
import gzip
import json
import lzma
import pathlib
import struct
import zipfile

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "pytorch"
HOSTILE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "hostile" / "files"
SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"


def put(target: str, name: str, content: str | bytes) -> None:
    path = SEEDS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def safetensors() -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
        "c": {"dtype": "F16", "shape": [1], "data_offsets": [22, 24]},
        "d": {"dtype": "I64", "shape": [1, 1, 1, 1], "data_offsets": [24, 32]},
        "e": {"dtype": "F64", "shape": [0, 7], "data_offsets": [32, 32]},
        "f": {"dtype": "F4", "shape": [4], "data_offsets": [32, 34]},
    }
    text = json.dumps(header).encode()
    put("safetensors", "whole_file", b"\0" + struct.pack("<Q", len(text)) + text + bytes(34))
    put("safetensors", "header", bytes([1, 34]) + text)
    one = json.dumps({"x": {"dtype": "I32", "shape": [], "data_offsets": [0, 4]}}).encode()
    put("safetensors", "scalar", bytes([1, 4]) + one)
    put("safetensors", "empty_header", bytes([1, 0]) + b"{}")
    overflow = {"x": {"dtype": "F32", "shape": [4294967296, 4294967296, 0], "data_offsets": [0, 0]}}
    put("safetensors", "overflow", bytes([1, 0]) + json.dumps(overflow).encode())


def pytorch() -> None:
    for name in ("zip", "legacy", "nested_legacy", "other_types"):
        put("pytorch", name, b"\0" + (FIXTURES / f"{name}.bin").read_bytes())
    for name in ("zip", "zip_protocol_4", "nested", "other_types"):
        with zipfile.ZipFile(FIXTURES / f"{name}.bin") as archive:
            put("pytorch", f"{name}_pickle", b"\1" + archive.read(f"{name}/data.pkl"))
    legacy = (FIXTURES / "nested_legacy.bin").read_bytes()
    third = legacy.index(b".", legacy.index(b"little_endian")) + 1  # behind the pickle of the system
    put("pytorch", "behind_the_checks", b"\2" + legacy[third:])


def llama2c() -> None:
    numbers = (4, 4, 1, 2, 1, 3, 2)  # dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len
    matrices = 3 * 4 + 16 + 8 + 8 + 16 + 3 * 16
    header = struct.pack("<Ii7iB", 0x616B3432, 1, *numbers, 1)
    rounded = struct.pack("<Ii7iBi", 0x616B3432, 2, *numbers, 1, 4)
    put("llama2c", "version_0", struct.pack("<7i", *numbers) + bytes(4 * (matrices + 3 * 4 + 2 * 2)))
    put("llama2c", "version_1", header.ljust(256, b"\0") + bytes(4 * (matrices + 3 * 4)))
    put("llama2c", "version_2", rounded.ljust(256, b"\0") + bytes(4 * 3 * 4 + matrices + matrices // 4 * 4))


def gguf() -> None:
    for path in sorted(HOSTILE.glob("gguf/*")):  # near a valid file, each in another way
        put("gguf", path.name, path.read_bytes())


def shards() -> None:
    put("shards", "two", json.dumps({"metadata": {"total_size": 24}, "weight_map": {
        "a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}))
    put("shards", "outside", json.dumps({"weight_map": {"a": "../1.safetensors"}}))
    put("shards", "missing", json.dumps({"weight_map": {"a": "3.safetensors"}}))
    put("shards", "wrong_shard", json.dumps({"weight_map": {"a": "2.safetensors"}}))
    put("shards", "itself", json.dumps({"weight_map": {"a": "model.safetensors.index.json"}}))


def config() -> None:
    base = {
        "model_type": "roformer", "architectures": ["RoFormerForMaskedLM"], "vocab_size": 120, "hidden_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512,
        "type_vocab_size": 2, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    }
    put("config", "rotary", json.dumps(base | {"rotary_value": True, "embedding_size": 16}, indent=1))
    put("config", "learned", json.dumps(base | {"model_type": "roformer_variant", "position_embedding_type": "learned"}))
    put("config", "trunk", json.dumps(base | {"architectures": ["RoFormerModel"], "hidden_act": "relu", "new_key": [1]}))
    put("config", "huge", json.dumps(base | {"hidden_size": 65536, "num_hidden_layers": 1000, "vocab_size": 10_000_000}))


def tokenizer_files() -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = special + ["the", "king", "##s", "##é", "王", "x"]
    listing = "".join(token + "\n" for token in pieces)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]",
             "mask_token": {"content": "[MASK]", "lstrip": False}}
    bert = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": None, "model_max_length": 512}
    put("tokenizer_files", "bert", listing + "%%\n" + json.dumps(bert | names))
    put("tokenizer_files", "list_alone", listing)
    char = {"tokenizer_class": "RoFormerNativeCharTokenizer", "do_lower_case": False}
    put("tokenizer_files", "char", "".join(t + "\n" for t in special + list("abc é")) + "%%\n" + json.dumps(char | names))
    byte_tokens = special + [f"<0x{byte:02X}>" for byte in range(256)]
    byte = {"tokenizer_class": "RoFormerNativeByteTokenizer", "model_max_length": 1e30}
    put("tokenizer_files", "byte", "".join(t + "\n" for t in byte_tokens) + "%%\n" + json.dumps(byte))
    fast = {
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {token: i for i, token in enumerate(pieces)}},
        "normalizer": {"type": "BertNormalizer", "lowercase": True, "strip_accents": None, "handle_chinese_chars": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "added_tokens": [{"id": 4, "content": "[MASK]"}],
    }
    put("tokenizer_files", "fast", "%%\n%%\n" + json.dumps(fast))
    pattern = {"Regex": "(?<=a)\\w+|[^\\s]"}
    steps = [{"type": name} for name in ("NFKC", "NFD", "Lowercase", "StripAccents")]
    steps += [{"type": "Replace", "pattern": pattern, "content": "x"}, {"type": "Prepend", "prepend": "the "},
              {"type": "Strip", "strip_left": True, "strip_right": True}]
    words = [{"type": "Split", "pattern": pattern, "behavior": "MergedWithNext", "invert": False}, {"type": "Whitespace"},
             {"type": "Digits", "individual_digits": True}, {"type": "Metaspace", "prepend_scheme": "first"}]
    parts = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
             {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    pipeline = {
        "normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": words},
        "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
        "decoder": {"type": "Sequence", "decoders": parts}, "added_tokens": [{"id": 4, "content": "[MASK]", "special": True}],
    }
    vocab = {token: i for i, token in enumerate([*special, "▁", "t", "h", "##e", "▁t", "e</w>", "h##e"])}
    bpe = {"type": "BPE", "unk_token": "[UNK]", "fuse_unk": True, "vocab": vocab, "merges": [["▁", "t"]]}
    unigram = {"type": "Unigram", "unk_id": 1, "vocab": [[token, -1.5 * i] for token, i in vocab.items()]}
    for name, model in (("wordpiece", fast["model"]), ("bpe", bpe), ("unigram", unigram)):
        put("tokenizer_files", f"pipeline_{name}", "%%\n%%\n" + json.dumps(pipeline | {"model": model}))
    jieba = {"tokenizer_class": "RoFormerTokenizer", "tokenizer_mode": "slow", "do_lower_case": True}
    put("tokenizer_files", "jieba", f"{listing}%%\n{json.dumps(jieba | names)}%%\n%%\n%%\n王 5 n\n王x 3\n")
    added = {"added_tokens_decoder": {"11": {"content": "Kíng", "normalized": True}, "12": {"content": "[E1]", "special": True}}}
    put("tokenizer_files", "added", listing + "%%\n" + json.dumps(bert | names | added))
    put("tokenizer_files", "older", f"{listing}%%\n{json.dumps(bert)}%%\n%%\n" + '{"[E1]": 11}')


def jieba_dictionary() -> None:
    words = "今天 100 t\n天气 80 n\n今天天气 90 n\n中 20\n\n国 10 n\nc++ 5 nz\n中 3 f\n"
    put("jieba_dictionary", "text", "\0" + words)
    put("jieba_dictionary", "bad_frequency", "\0中国 x n\n")
    # The compiled form: header, log frequencies, characters, where children start; three nodes, the words 中 and 国.
    nodes = struct.pack("<3d", -1, 1.5, 0.5) + struct.pack("<3I", 0, 0x4E2D, 0x56FD) + struct.pack("<4I", 1, 3, 3, 3)
    header = b"rfjieba1" + struct.pack("<2I2d", 0x01020304, 3, 2.5, 2.5) + b"0" * 64
    put("jieba_dictionary", "compiled", b"\1" + header + nodes)


def sentence_settings() -> None:
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    length = json.dumps({"max_seq_length": 256, "do_lower_case": False})
    for name, pooling in {
        "mean": {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        "max": {"pooling_mode_max_tokens": True, "pooling_mode_mean_sqrt_len_tokens": False},
        "named": {"pooling_mode": "cls"},
        "other": {"pooling_mode_weightedmean_tokens": True, "pooling_mode_lasttoken": True},
    }.items():
        put("sentence_settings", name, "%%\n".join([json.dumps(modules) + "\n", json.dumps(pooling) + "\n", length]))
    dense = {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}
    put("sentence_settings", "dense", json.dumps(modules[:1] + [dense]))
    settings = {"prompts": {"query": "query: "}, "default_prompt_name": "query", "similarity_fn_name": "dot"}
    several = {"pooling_mode": ["mean", "lasttoken"], "include_prompt": False}
    put("sentence_settings", "prompts", "%%\n".join(map(json.dumps, [modules, several, {}, settings])))


def texts() -> None:
    sample = "In the beginning [MASK] Ünïcödé e\u0301 \u4e2d\u6587 \U0001f600 \u0130 don't \u200d \tend"
    for kind, name in enumerate(["byte", "char", "char_lower", "wordpiece", "wordpiece_cased"]):
        put("tokenize", name, bytes([kind]) + sample.encode())
    for kind, name in enumerate(["fast", "slow", "bert4keras"]):
        put("tokenize", "jieba_" + name, bytes([5 + kind]) + ("王王的中国 ΑΣ a\u0301b c++ " + sample).encode())
    put("tokenize", "long_word", b"\x03" + b"a" * 120)
    put("tokenize", "not_utf8", b"\x03abc\xff\xfe")
    corpus = "first\nline\n\n<doc id=1>\na\n\nb\n</doc>\nafter\n%%\n\ufeffsecond file\r\n\r\n<doc>\nopen\n"
    for rule, name in enumerate(["automatic", "blank_line", "lines", "doc_tags"]):
        put("corpus", name, bytes([rule, 8]) + corpus.encode())
    text = b"packed\n\ntwice\n"
    put("corpus", "gzip", b"\0\3" + gzip.compress(text, mtime=0) + gzip.compress(text, mtime=0))
    frame = b"\x28\xb5\x2f\xfd\x20" + bytes([len(text)]) + struct.pack("<I", len(text) << 3 | 1)[:3] + text
    put("corpus", "zstd", b"\0\3" + frame + frame)
    put("corpus", "zstd_skippable", b"\0\3" + b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + bytes(4) + frame)
    put("corpus", "xz", b"\0\3" + lzma.compress(text, check=lzma.CHECK_CRC32) + bytes(8) + lzma.compress(text))
    put("corpus", "lzma", b"\0\3" + lzma.compress(text, lzma.FORMAT_ALONE))
    put("corpus", "bzip2", b"\0\3" + bz2.compress(text) + bz2.compress(text))


def labeled_files() -> None:
    # By the numbers of tasks in src/data/labeled/tasks.cc; formats: auto, tsv, csv, json, conll.
    squad = {"context": "a b a", "qas": [{"id": "1", "question": "q", "answers": [{"text": "b", "answer_start": 1}]},
                                         {"question": "r", "is_impossible": True, "answers": []}]}
    target = {"span1_text": "b", "span1_index": 2, "span2_text": "a", "span2_index": 0}
    seeds = {
        "classification": (0, 1, 0, "text\tlabel\na\tx\nb\ty\nc\n\nd\t\n"),
        "numbered": (0, 1, 5, "a\tx\nb\ty\n"),
        "quoted": (0, 2, 0, "text,label\r\n\"a, \"\"b\"\"\n\",x\r\nc,y\r\n"),
        "regression": (1, 0, 0, "sentence1\tsentence2\tscore\na\tb\t-1.5e0\nc\td\t\n"),
        "multilabel": (2, 3, 0, '{"text": "a", "labels": ["x", 2]}\n{"text": "b", "labels": "x;y"}\n'),
        "contrastive": (4, 1, 0, "anchor\tpositive\tnegative\na\tb\tc\nd\te\t\n"),
        "triplet": (5, 3, 0, '[{"A": "a", "B": "b", "C": "c", "label": "C"}, {"A": "a", "B": "b", "C": "d"}]'),
        "token_classification": (6, 3, 0, '{"tokens": ["a", "b"], "tags": ["B-X", "O"]}'),
        "question_answering": (7, 3, 0, json.dumps({"data": [{"paragraphs": [squad]}]})),
        "question_records": (7, 3, 0, '{"question": "q", "context": "a b", "answers": {"text": ["b"], "answer_start": [0]}}'),
        "multiple_choice": (8, 1, 0, "prompt\tchoice1\tchoice2\tlabel\np\tx\ty\t1\nq\tx\ty\tA\n"),
        "sts-b": (12, 0, 0, "g\tf\t1\t2\t3.2\ta\tb\tmore\n"),
        "rte": (16, 0, 0, "sentence1\tsentence2\tlabel\na\tb\t1\nc\td\tEntailment\ne\tf\t-1\n"),
        "conll2003": (22, 4, 0, "-DOCSTART- O\n\nEU B-ORG 0\nis O 0\n\na\tO\n"),
        "last_column": (22, 4, 64, "EU NNP B-NP B-ORG\nis VB O O\n"),
        "csl": (30, 3, 0, '{"abst": "a", "keyword": ["b", "c"], "label": "0"}'),
        "cluewsc": (31, 3, 0, json.dumps({"text": "a b", "label": "true", "target": target})),
        "c3": (34, 3, 0, '[[["a", "b"], [{"question": "q", "choice": ["x", "y"], "answer": "y"}], "1"]]'),
        "chid": (35, 3, 0, '{"content": "a #idiom# b", "candidates": ["x", "y"], "answer": 1}'),
        "cluener": (38, 3, 0, '{"text": "a\u00e9b", "label": {"x": {"a": [[0, 1]], "b": [[1, 1], [2, 2]]}}}'),
    }
    for name, (task, kind, columns, text) in seeds.items():
        put("labeled_file", name, bytes([task, kind, columns]) + text.encode())


def forward() -> None:
    ids = {"input_ids": [[2, 5, 3], [], [10]], "token_type_ids": [[0, 0, 1], [], [1]], "position_ids": [[0, 7, 2], [], [15]]}
    for kind, name in enumerate(["rotary", "learned", "sinusoidal"]):
        put("forward", name, bytes([kind]) + json.dumps(ids).encode())
    put("forward", "far", b"\0" + json.dumps({"input_ids": [[1]], "position_ids": [[536870912]]}).encode())


def manifest() -> None:
    entry = {"size": 7, "xxh3_128": "bdbda1eb6e05adc4800d98e5524fefbc"}  # of the target's file
    put("manifest", "good", json.dumps({"files": {"model.safetensors": entry}, "step": 7}))
    wrong = entry | {"xxh3_128": "0" * 32}
    put("manifest", "wrong_hash", json.dumps({"files": {"model.safetensors": wrong}, "step": 7}))
    put("manifest", "no_files", json.dumps({"files": {}, "step": 7}))
    put("manifest", "path", json.dumps({"files": {"../x": entry}, "step": 7}))
    put("manifest", "other_step", json.dumps({"files": {}, "step": 8}))


def logs() -> None:
    lines = [{"event": "train", "step": step, "loss": 5.0 / step, "learning_rate": 1e-3} for step in (1, 2, 4)]
    lines.append({"event": "validation", "step": 4, "loss": 2.5, "accuracy": 0.25})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    put("metrics_log", "two_runs", text + "%%\n" + text + text[:30])
    put("metrics_log", "wide", '{"event":"train","step":0,"loss":-1e308}\n{"event":"train","step":9007199254740992,"loss":1e308}\n')


def options() -> None:
    toml = 'text = "a\\"b"\nwhole = 7\nreal = 0.25\nflag = true\nchoice = "reference"\nfiles = ["a,b", "c"]\nlengths = [5, 17]\n'
    put("options", "both", "--text\n[MASK] is, \"it\"\n--flag\nrest\n--\n-x\n%%\n" + toml)
    put("options", "file", "%%\n" + toml + 'words = ["x"] # comment\nmaybe = \'\'\'raw\'\'\'\n')
    put("options", "equals", "--text=\n--real=1e-3\n--flag=false\n--lengths=5,6\n--files\na\nb\n--files=c\n")
    put("options", "option_for_a_value", "--files\n--lengths=5,6\n")
    put("options", "control_characters", "%%\nflag = tr\u0001\n")
    put("options", "table_without_name", "%%\n[<]\n")
    put("options", "table_of_the_command", "%%\nwhole = 7\n[fuzz]\nwhole = 8\nfiles = ['a', 'b']\n")
    put("options", "arabic_form_for_a_space", "%%\nwhole\ufef8= 1\n")
    put("options", "dates", "%%\nwhole = 1979-05-27T07:32:00Z\n[table]\nx = 0x1F\n")


def json_texts() -> None:
    put("json", "kinds", '{"a":[1,-2,3.5e10,true,false,null,"\\u00e9\\ud83d\\ude00"],"b":{"c":{}}}')
    put("json", "twice", '{"a":1,"a":2}')
    put("json", "deep", "[" * 60 + "]" * 60)
    put("json", "numbers", "[18446744073709551615,-9223372036854775808,1e400,0.1]")


def sentencepiece() -> None:
    def varint(value: int) -> bytes:
        out = b""
        while value >= 0x80:
            out += bytes([value & 0x7F | 0x80])
            value >>= 7
        return out + bytes([value])

    def field(number: int, value: int | float | bytes) -> bytes:
        if isinstance(value, float):
            return varint(number << 3 | 5) + struct.pack("<f", value)
        if isinstance(value, int):
            return varint(number << 3) + varint(value)
        return varint(number << 3 | 2) + varint(len(value)) + value

    def model(kind: int, pieces: list, bytes_too: bool, rules: bytes = b"") -> bytes:
        all_pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), *pieces]
        if bytes_too:
            all_pieces += [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]
        out = b""
        for piece, score, type_ in all_pieces:
            out += field(1, field(1, piece.encode()) + field(2, score) + field(3, type_))
        out += field(2, field(3, kind) + field(35, int(bytes_too)))
        return out + field(3, field(2, rules) + field(3, 1) + field(4, int(kind == 1)))

    pieces = [(piece, -float(i), 1) for i, piece in enumerate(["\u2581", "t", "h", "e", "\u2581t", "he", "\u2581the"])]
    pieces += [("<sym>", 0.0, 4), ("th", -9.0, 5)]
    # A trie that replaces "A" by "a": the root, its child for byte 65, and that one's value, the place of the text.
    units = [0] * 256
    units[0] = 1 << 10
    units[1 ^ 65] = 65 | 1 << 8 | 4 << 10
    units[1 ^ 65 ^ 4] = 1 << 31
    trie = struct.pack("<256I", *units)
    rules = struct.pack("<I", len(trie)) + trie + b"a\0"
    llama = b'{"tokenizer_class": "LlamaTokenizer", "legacy": false}'
    put("sentencepiece", "bpe", b"model\n" + model(2, pieces, True) + b"%%\n" + llama + b"%%\nthe <sym>the")
    put("sentencepiece", "unigram", b"model\n" + model(1, pieces, False) + b"%%\n{}%%\n the  The <s>")
    special = [{"id": i, "content": name, "special": True} for i, name in enumerate(["<unk>", "<s>", "</s>"])]
    names = ["<unk>", "<s>", "</s>", *(piece for piece, _, type_ in pieces if type_ == 1)]
    merges = [["\u2581", "t"], ["h", "e"], ["\u2581t", "he"]]
    space = {"pattern": {"String": " "}, "content": "\u2581"}
    fast = {
        "added_tokens": special,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace"} | space]},
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "merges": merges}
        | {"vocab": {name: i for i, name in enumerate(names)}},
    }
    one = [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    unigram = {
        "added_tokens": special,
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        "post_processor": {"type": "TemplateProcessing", "single": one, "pair": one + one},
        "model": {"type": "Unigram", "unk_id": 0, "vocab": [[name, -float(i)] for i, name in enumerate(names)]},
    }
    for name, content in {"fast_bpe": fast, "fast_unigram": unigram}.items():
        put("sentencepiece", name, "json\n" + json.dumps(content) + "%%\n{}%%\n the  The <s>")
    put("sentencepiece", "rules", b"model\n" + model(1, pieces, False, rules) + b"%%\n%%\nABAA the")
    tokens = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{byte:02X}>" for byte in range(256)), " ", "t", "h", " t", " th"]
    binary = struct.pack("<i", 8)
    for i, token in enumerate(tokens):
        binary += struct.pack("<fi", -float(i), len(token)) + token.encode()
    put("sentencepiece", "llama2c", b"llama2c\n" + binary)


MAKERS = (
    safetensors, pytorch, llama2c, gguf, shards, config, tokenizer_files, jieba_dictionary, sentence_settings, texts,
    labeled_files, forward, manifest, logs, options, json_texts, sentencepiece,
)
for make in MAKERS:
    make()
