#!/usr/bin/env python3
"""Writes tests/fixtures/gguf: small GGUF files by PyPI's gguf, and what they must give.

`blocks.gguf` has a tensor of each number type with random blocks, `blocks.safetensors` their values by
gguf.quants.dequantize. `rounded.gguf` has numbers as gguf.quants.quantize rounds them, `rounded.safetensors` the numbers.
`llama.gguf` and `neox.gguf` are models with byte-level BPE tokenizers, `spm.gguf` one with SentencePiece's; the logits in
`NAME.safetensors` are transformers' in float64 from the dequantized weights, and `NAME.json` has the ids, and texts with theirs.
The files are kept in git, so the tests need no Python; run this after changing it.

    tools/venv.sh && venv/bin/python tools/make_gguf_fixtures.py
"""

import io
import json
import pathlib
import tempfile

import gguf
import numpy as np
import sentencepiece
import tokenizers
import torch
import transformers
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "gguf"
Type = gguf.GGMLQuantizationType
READ = [Type[name] for name in "F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q4_K Q5_K Q6_K".split()]
HALVES = {  # where the blocks have float16 numbers
    Type.Q8_0: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2],
    Type.Q6_K: [208],
}  # fmt: skip
TEXTS = ["the cat sat on the mat", "A cat, 123 mats!", " two  spaces\n\nand lines", "naïve 北京 🙂", "<|end|>the<|end|>", ""]
WORDS = "the cat sat on the mat. A dog and a cat sat there, on 12 mats and 345 hats. the end of the cat's tale; don't sit."


def blocks() -> None:
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(FOLDER / "blocks.gguf", "none")
    values = {}
    for kind in READ:
        size, width = gguf.GGML_QUANT_SIZES[kind]
        columns = 512 if size > 1 else 40
        if size == 1:
            data = quantize(rng.standard_normal((3, columns)).astype(np.float32), kind)
        else:
            data = rng.integers(0, 256, (3, columns // size, width), dtype=np.uint8)
            for at in HALVES[kind]:
                scales = (rng.standard_normal((3, columns // size, 1)) / 16).astype(np.float16)
                data[:, :, at : at + 2] = scales.view(np.uint8)
            data = data.reshape(3, -1)
        writer.add_tensor(kind.name, data, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)
        values[kind.name] = np.ascontiguousarray(dequantize(data, kind), dtype=np.float32)
    finish(writer)
    save_file(values, FOLDER / "blocks.safetensors")


def rounded() -> None:
    rng = np.random.default_rng(2)
    numbers = rng.standard_normal((4, 96)).astype(np.float32)
    numbers[1] *= 1e-6  # subnormal scales
    numbers[2, :32] = 0
    numbers[3, ::2] *= 300
    writer = gguf.GGUFWriter(FOLDER / "rounded.gguf", "none")
    for kind in (Type.F16, Type.Q8_0, Type.Q4_0):
        writer.add_tensor(kind.name, quantize(numbers, kind), raw_dtype=None if kind == Type.F16 else kind)
    finish(writer)
    save_file({"numbers": numbers}, FOLDER / "rounded.safetensors")


def finish(writer) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def byte_level(digits: bool):
    """A tokenizer with a few merges of WORDS and one special token."""
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    words = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    parts = [tokenizers.pre_tokenizers.Digits(individual_digits=True), words] if digits else [words]
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(parts)
    bpe.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|end|>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()
    )
    bpe.train_from_iterator([WORDS], trainer)
    return bpe


def add_byte_level(writer, bpe, pre: str) -> int:
    file = json.loads(bpe.to_str())
    vocabulary = sorted(bpe.get_vocab(), key=bpe.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary)
    special = {token["id"] for token in file["added_tokens"]}
    writer.add_token_types([gguf.TokenType.CONTROL if id in special else gguf.TokenType.NORMAL for id in range(len(vocabulary))])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in file["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    return len(vocabulary)


def sentences() -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([WORDS] * 4), model_writer=model, vocab_size=330, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<|end|>"],
        minloglevel=2,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def add_sentencepiece(writer, spm) -> int:
    ids = range(spm.get_piece_size())
    kinds = gguf.TokenType
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([spm.id_to_piece(i) for i in ids])
    writer.add_token_scores([spm.get_score(i) for i in ids])
    writer.add_token_types([
        kinds.UNKNOWN if spm.is_unknown(i) else kinds.CONTROL if spm.is_control(i) else kinds.BYTE if spm.is_byte(i)
        else kinds.USER_DEFINED if spm.id_to_piece(i) == "<|end|>" else kinds.NORMAL for i in ids
    ])  # fmt: skip
    writer.add_bos_token_id(spm.bos_id())
    writer.add_eos_token_id(spm.eos_id())
    writer.add_unk_token_id(spm.unk_id())
    return len(ids)


def permuted(weight, heads: int):
    """llama.cpp's order of the rows of q and k."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def restored(weight, heads: int):
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def stacked(weight, heads: int):
    return np.concatenate(np.split(weight.reshape(heads, 3, -1, *weight.shape[1:]), 3, axis=1)).reshape(weight.shape)


def interleaved(weight, heads: int):
    return np.stack(weight.reshape(3, heads, -1, *weight.shape[1:]), axis=1).reshape(weight.shape)


def save_model(name, model, names, order, writer, kinds, texts) -> None:
    """Weights of `model` under GGUF's names, in the number types of `kinds` in turn, and the logits of the dequantized."""
    rng = np.random.default_rng(3)
    turn = 0
    with torch.no_grad():
        for theirs, parameter in model.named_parameters():
            values = rng.standard_normal(tuple(parameter.shape)).astype(np.float32)
            values = 1 + 0.2 * values if "norm" in theirs and values.ndim == 1 else 0.2 * values
            ours = names(theirs)
            there, back = order(ours)
            data, kind = there(values), Type.F32
            if values.ndim > 1:
                kind = kinds[turn % len(kinds)]
                turn += 1
            encoded = quantize(data, kind)
            writer.add_tensor(ours, encoded, raw_dtype=None if kind in (Type.F32, Type.F16) else kind)
            parameter.copy_(torch.from_numpy(back(dequantize(encoded, kind)).copy()).double())
        finish(writer)
        ids = [rng.integers(0, model.config.vocab_size, n).tolist() for n in (7, 1, 12)]
        logits = {f"logits.{i}": model(torch.tensor([row])).logits[0].numpy() for i, row in enumerate(ids)}
    save_file(logits, FOLDER / f"{name}.safetensors")
    (FOLDER / f"{name}.json").write_text(json.dumps({"input_ids": ids, "texts": texts}, ensure_ascii=False, indent=1) + "\n")


def llama_names(name: str) -> str:
    parts = {
        "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "model.layers": "blk",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    for theirs, ours in parts.items():
        name = name.replace(theirs, ours)
    return name


def neox_names(name: str) -> str:
    parts = {
        "gpt_neox.embed_in": "token_embd", "gpt_neox.final_layer_norm": "output_norm", "lm_head": "output",
        "embed_out": "output", "gpt_neox.layers": "blk", "attention.query_key_value": "attn_qkv",
        "attention.dense": "attn_output", "mlp.dense_h_to_4h": "ffn_up", "mlp.dense_4h_to_h": "ffn_down",
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    for theirs, ours in parts.items():
        name = name.replace(theirs, ours)
    return name


def same(values):
    return values


def start(name: str, arch: str, vocabulary: int, config) -> gguf.GGUFWriter:
    writer = gguf.GGUFWriter(FOLDER / f"{name}.gguf", arch)
    writer.add_name(name)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_vocab_size(vocabulary)
    return writer


def llama(name: str, vocabulary: int, kinds, scaling, add_tokenizer, texts) -> None:
    config = transformers.LlamaConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, rms_norm_eps=1e-5, rope_theta=20000.0,
        tie_word_embeddings=scaling is None, rope_scaling=scaling, attn_implementation="eager",
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config).double().eval()
    writer = start(name, "llama", vocabulary, config)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(20000.0)
    writer.add_rope_dimension_count(16)
    add_tokenizer(writer)
    if scaling is not None:
        theta = 20000.0 ** -(np.arange(0, 16, 2) / 16)
        divisors = theta / model.model.rotary_emb.inv_freq.double().numpy()
        writer.add_tensor("rope_freqs.weight", divisors.astype(np.float32))

    def order(ours):
        heads = 4 if ".attn_q." in ours else 2 if ".attn_k." in ours else 0
        if heads == 0:
            return same, same
        return lambda w: permuted(w, heads), lambda w: restored(w, heads)

    save_model(name, model, llama_names, order, writer, kinds, texts)


def neox(bpe) -> None:
    vocabulary = bpe.get_vocab_size()
    config = transformers.GPTNeoXConfig(
        vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=128, rotary_pct=0.25, rotary_emb_base=10000, use_parallel_residual=True,
        attn_implementation="eager",
    )  # fmt: skip
    model = transformers.GPTNeoXForCausalLM(config).double().eval()
    writer = start("neox", "gptneox", vocabulary, config)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_rope_dimension_count(4)
    writer.add_parallel_residual(True)
    add_byte_level(writer, bpe, "olmo")

    def order(ours):
        if ".attn_qkv." not in ours:
            return same, same
        return lambda w: stacked(w, 4), lambda w: interleaved(w, 4)

    save_model("neox", model, neox_names, order, writer, [Type.Q8_0, Type.F16], encoded(bpe))


def encoded(bpe):
    return [{"text": text, "ids": bpe.encode(text).ids} for text in TEXTS]


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    blocks()
    rounded()
    digits, plain, spm = byte_level(True), byte_level(False), sentences()
    vocabulary = digits.get_vocab_size()
    scaling = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                   original_max_position_embeddings=32)  # fmt: skip
    llama("llama", vocabulary, [Type.Q4_0, Type.Q8_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.BF16], scaling,
          lambda writer: add_byte_level(writer, digits, "smollm"), encoded(digits))  # fmt: skip
    pieces = [{"text": text, "ids": [spm.bos_id(), *spm.encode(text)]} for text in TEXTS]
    llama("spm", spm.get_piece_size(), [Type.F16, Type.F32], None, lambda writer: add_sentencepiece(writer, spm), pieces)
    neox(plain)
    check_with_transformers()


def check_with_transformers() -> None:
    """transformers reads the same weights from the file."""
    read = transformers.AutoModelForCausalLM.from_pretrained(FOLDER, gguf_file="spm.gguf", dtype=torch.float64)
    ids = json.loads((FOLDER / "spm.json").read_text())["input_ids"]
    from safetensors.numpy import load_file

    expected = load_file(FOLDER / "spm.safetensors")
    for i, row in enumerate(ids):
        with torch.no_grad():
            found = read.eval()(torch.tensor([row])).logits[0].numpy()
        difference = np.abs(found - expected[f"logits.{i}"]).max()
        if difference > 1e-5:
            raise SystemExit(f"transformers' logits of spm.gguf differ by {difference}")


if __name__ == "__main__":
    main()
