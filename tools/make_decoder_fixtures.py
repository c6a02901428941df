#!/usr/bin/env python3
"""Writes tests/fixtures/llama and gpt_neox: tiny random decoders and what transformers computes of them.

Each folder has config.json, model.safetensors (float32), inputs.json, and expected.safetensors: hidden states and
logits of each sequence by itself, in float64 but for the angles of the rotation, which transformers computes in
float32. The output depends on nothing but this file and the pinned packages.

    tools/venv.sh && venv/bin/python tools/make_decoder_fixtures.py
"""

import json
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

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

FAMILIES = {"llama": (transformers.LlamaConfig, LLAMAS), "gpt_neox": (transformers.GPTNeoXConfig, GPT_NEOXES)}


def make_model(architecture, settings, seed, make_config=transformers.LlamaConfig):
    """A model all of whose parameters are random float32 numbers, norm gains and biases too."""
    config = make_config(**SHAPE, bos_token_id=1, eos_token_id=2, **settings)
    config._attn_implementation = "eager"
    model = getattr(transformers, architecture)(config).double().eval()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = rng.standard_normal(tuple(parameter.shape))
            values = 1 + 0.3 * values if "norm" in name and name.endswith("weight") else 0.35 * values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


def compute(model, ids):
    """{name: float64 array} for each sequence."""
    expected = {}
    for i, sequence in enumerate(ids):
        with torch.no_grad():
            outputs = model(torch.tensor([sequence]), output_hidden_states=True)
        hidden = outputs.last_hidden_state if hasattr(outputs, "last_hidden_state") else outputs.hidden_states[-1]
        expected[f"last_hidden_state.{i}"] = hidden[0].double().numpy()
        if hasattr(outputs, "logits"):
            expected[f"logits.{i}"] = outputs.logits[0].double().numpy()
    return expected


def saved_weights(model):
    """What transformers writes, in float32: its files' names are not always its parameters'."""
    with tempfile.TemporaryDirectory() as temporary:
        model.save_pretrained(temporary)
        weights = load_file(pathlib.Path(temporary) / "model.safetensors")
    return {key: np.ascontiguousarray(value.astype(np.float32)) for key, value in weights.items()}


def write(family, name, architecture, settings, seed, make_config):
    """The four files of a case."""
    model = make_model(architecture, settings, seed, make_config)
    rng = np.random.default_rng(1000 + seed)
    ids = [rng.integers(0, SHAPE["vocab_size"], length).tolist() for length in LENGTHS]
    folder = FOLDER / family / name
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(model.config.to_json_string()) | {"architectures": [architecture], "dtype": "float32"}
    config.pop("transformers_version", None)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file(saved_weights(model), folder / "model.safetensors", {"format": "pt"})
    inputs = {"input_ids": ids, "token_type_ids": [[0] * length for length in LENGTHS]}
    (folder / "inputs.json").write_text(json.dumps(inputs) + "\n")
    save_file({key: np.ascontiguousarray(value) for key, value in compute(model, ids).items()},
              folder / "expected.safetensors")


if __name__ == "__main__":
    for family, (make_config, cases) in FAMILIES.items():
        for seed, (name, (architecture, settings)) in enumerate(cases.items(), 1):
            write(family, name, architecture, settings, seed, make_config)
