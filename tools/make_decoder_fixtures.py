#!/usr/bin/env python3
"""Writes tests/fixtures/llama, gpt_neox and decoders: tiny random decoders and what transformers computes of them.

Each folder has config.json, model.safetensors (float32), inputs.json, and expected.safetensors: hidden states and
logits of each sequence by itself, in float64 (decoder_cases.py). The output depends on nothing but these files and the
pinned packages.

    tools/venv.sh && venv/bin/python tools/make_decoder_fixtures.py
"""

import json
import pathlib
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

from decoder_cases import compute, exact_model

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures"
LENGTHS = [7, 1, 12]
SHAPE = dict(vocab_size=23, hidden_size=16, intermediate_size=20, num_hidden_layers=2, max_position_embeddings=32)

LLAMAS = {
    "grouped": ("LlamaForCausalLM", dict(num_attention_heads=4, num_key_value_heads=2)),
    "biased_tied": (
        "LlamaForCausalLM",
        dict(
            num_attention_heads=4,
            num_key_value_heads=1,
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=True,
            hidden_act="gelu",
            rms_norm_eps=0.01,
            rope_theta=100.0,
        ),
    ),
    "trunk_scaled": (
        "LlamaModel",
        dict(
            num_attention_heads=2,
            num_key_value_heads=2,
            rope_scaling=dict(
                rope_type="llama3",
                factor=4.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=8,
            ),
        ),
    ),
}


GPT_NEOXES = {
    "parallel": ("GPTNeoXForCausalLM", dict(num_attention_heads=2, hidden_act="gelu")),
    "sequential_fast": (
        "GPTNeoXForCausalLM",
        dict(
            num_attention_heads=4,
            use_parallel_residual=False,
            hidden_act="gelu_fast",
            rotary_pct=0.5,
            rotary_emb_base=100,
            layer_norm_eps=0.01,
            tie_word_embeddings=True,
        ),
    ),
    "trunk_unbiased": ("GPTNeoXModel", dict(num_attention_heads=1, attention_bias=False)),
}

WINDOW = dict(sliding_window=4)
LAYERS = dict(num_hidden_layers=3, layer_types=["sliding_attention", "sliding_attention", "full_attention"])
GEMMA = dict(num_attention_heads=4, num_key_value_heads=1, head_dim=8)
DECODERS = {
    "mistral": ("MistralForCausalLM", dict(num_attention_heads=4, num_key_value_heads=2) | WINDOW),
    "qwen2": (
        "Qwen2ForCausalLM",
        dict(num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1e6)
        | dict(use_sliding_window=True, max_window_layers=1)
        | WINDOW,
    ),
    "qwen3": ("Qwen3ForCausalLM", dict(num_attention_heads=2, num_key_value_heads=1, head_dim=12)),
    "gemma": ("GemmaForCausalLM", GEMMA),
    "gemma2": (
        "Gemma2ForCausalLM",
        GEMMA
        | WINDOW
        | dict(num_key_value_heads=2, attn_logit_softcapping=2.0, final_logit_softcapping=3.0, query_pre_attn_scalar=7),
    ),
    "gemma3": (
        "Gemma3ForCausalLM",
        GEMMA
        | WINDOW
        | LAYERS
        | dict(
            query_pre_attn_scalar=5,
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=2.0, rope_theta=1e4),
                sliding_attention=dict(rope_type="default", rope_theta=100.0),
            ),
        ),
    ),
    "gemma3_trunk": ("Gemma3TextModel", GEMMA | WINDOW | LAYERS | dict(attention_bias=True)),
    "gptj": ("GPTJForCausalLM", dict(n_head=2, rotary_dim=4)),
    "gpt_neo": ("GPTNeoForCausalLM", dict(num_heads=4, attention_types=[[["global", "local"], 1]], window_size=4)),
}
FAMILIES = {"llama": LLAMAS, "gpt_neox": GPT_NEOXES, "decoders": DECODERS}
OTHER_SHAPES = {
    "GPTJForCausalLM": dict(vocab_size=23, n_embd=16, n_inner=20, n_layer=2, n_positions=32),
    "GPTNeoForCausalLM": dict(
        vocab_size=23, hidden_size=16, intermediate_size=20, num_layers=2, max_position_embeddings=32
    ),
}
DEVIATION = 0.35


def saved_weights(model):
    """What transformers writes, in float32: its files' names are not always its parameters'."""
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        weights = load_file(pathlib.Path(temporary) / "model.safetensors")
    return {key: np.ascontiguousarray(value.astype(np.float32)) for key, value in weights.items()}


def write(folder, architecture, settings, seed):
    """The four files of a case."""
    settings = OTHER_SHAPES.get(architecture, SHAPE) | dict(bos_token_id=1, eos_token_id=2) | settings
    model = exact_model(architecture, settings, seed, DEVIATION)
    rng = np.random.default_rng(1000 + seed)
    ids = [rng.integers(0, SHAPE["vocab_size"], length).tolist() for length in LENGTHS]
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(model.config.to_json_string()) | {"architectures": [architecture], "dtype": "float32"}
    config.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(saved_weights(model), folder / "model.safetensors", {"format": "pt"})
    inputs = {"input_ids": ids, "token_type_ids": [[0] * length for length in LENGTHS]}
    (folder / "inputs.json").write_text(json.dumps(inputs) + "\n")
    save_file(
        {key: np.ascontiguousarray(value) for key, value in compute(model, ids).items()},
        folder / "expected.safetensors",
    )


if __name__ == "__main__":
    for family, cases in FAMILIES.items():
        for seed, (name, (architecture, settings)) in enumerate(cases.items(), 1):
            write(FOLDER / family / name, architecture, settings, seed)
