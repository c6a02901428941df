#!/usr/bin/env python3
"""Writes tests/conformance: golden vectors of other programs' rotary embeddings. Its README.md says what is in them.

Where the program is installed its own code runs, with its float32 replaced by float64; elsewhere its formula is
written again here in NumPy, in float64, with the place it was read from. The output depends on nothing but this file
and the pinned packages.

    tools/venv.sh && venv/bin/python tools/make_conformance.py
"""

import contextlib
import json
import math
import pathlib

import numpy as np
import onnx
import onnx.reference
import torch
import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.bloom import modeling_bloom
from transformers.models.gpt_neox import modeling_gpt_neox
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama
from transformers.models.roformer import modeling_roformer
from transformers.models.t5 import modeling_t5

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests/conformance"
HF = f"transformers {transformers.__version__}, "
APACHE, MIT = "Apache-2.0", "MIT"
RUN, FORMULA = "by the published code, in float64", "by the published formula, in float64"
HEADS = {"query": 2, "key": 1}
POSITIONS = [0, 1, 2, 5, 17, 300, 1000]


@contextlib.contextmanager
def in_double():
    """What says float32 gets float64."""
    kept = torch.float, torch.float32, torch.FloatTensor, torch.Tensor.float
    torch.float = torch.float32 = torch.float64
    torch.FloatTensor, torch.Tensor.float = torch.DoubleTensor, torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float, torch.float32, torch.FloatTensor, torch.Tensor.float = kept
        torch.set_default_dtype(torch.float32)


def random_vectors(seed, tokens, head_dim):
    """query [T, 2, head_dim] and key [T, 1, head_dim], short in decimals."""
    generator = np.random.default_rng(seed)
    return {side: np.round(generator.normal(size=(tokens, heads, head_dim)), 3) for side, heads in HEADS.items()}


def numbers(array):
    return [[float(f"{x:.13g}") for x in row] for row in np.asarray(array).reshape(len(array), -1)]


def write_vectors(name, source, license, computed, settings, head_dim, rotate, positions=POSITIONS, seed=1):
    """rotate(x [T, heads, head_dim], positions, side) gives the rotated x."""
    given = random_vectors(seed, len(positions), head_dim)
    rotated = {side: rotate(x, np.array(positions), side) for side, x in given.items()}
    content = {
        "name": name, "source": source, "license": license, "computed": computed,
        "head_dim": head_dim, "heads": HEADS, "settings": settings, "positions": positions,
        **{side: numbers(x) for side, x in given.items()},
        **{f"rotated_{side}": numbers(x) for side, x in rotated.items()},
    }
    write(name, content)


def write(name, content):
    lines = ",\n".join(f' {json.dumps(key)}: {json.dumps(value)}' for key, value in content.items())
    (OUT / f"{name}.json").write_text("{\n" + lines.replace("], [", "],\n  [") + "\n}\n")


def by_heads(x):
    """[T, heads, dim] to transformers' [1, heads, T, dim]."""
    return torch.tensor(x).permute(1, 0, 2)[None]


def by_tokens(x):
    return x[0].permute(1, 0, 2).numpy()


# ---- transformers


def roformer(head_dim):
    def rotate(x, positions, side):
        with in_double():
            table = modeling_roformer.RoFormerSinusoidalPositionalEmbedding(int(positions.max()) + 1, head_dim)
            table.weight.data = table.create_weight()
            rows = table((1, len(positions)), position_ids=torch.tensor(positions))[None, None]
            attention = modeling_roformer.RoFormerSelfAttention
            return by_tokens(attention.apply_rotary_position_embeddings(rows, by_heads(x), by_heads(x))[0])

    return rotate


def gptj(head_dim, rotary_dim):
    def rotate(x, positions, side):
        with in_double():
            table = modeling_gptj.create_sinusoidal_positions(int(positions.max()) + 1, rotary_dim)
            sin, cos = torch.split(table[torch.tensor(positions)][None], rotary_dim // 2, dim=-1)
            x = torch.tensor(x)[None]
            turned = modeling_gptj.apply_rotary_pos_emb(x[..., :rotary_dim], sin, cos)
            return torch.cat([turned, x[..., rotary_dim:]], dim=-1)[0].numpy()

    return rotate


def llama_config(head_dim, settings, kind=transformers.LlamaConfig):
    """`settings` as in config.json."""
    return kind(hidden_size=2 * head_dim, num_attention_heads=2, **json.loads(json.dumps(settings)))


def by_module(module, head_dim, settings):
    """A model's own module of angles, and its function that applies them."""
    neox = module is modeling_gpt_neox
    config = transformers.GPTNeoXConfig if neox else transformers.LlamaConfig
    embedding = module.GPTNeoXRotaryEmbedding if neox else module.LlamaRotaryEmbedding

    def rotate(x, positions, side):
        with in_double():
            angles = embedding(llama_config(head_dim, settings, config))
            cos, sin = angles(by_heads(x), torch.tensor(positions)[None])
            return by_tokens(module.apply_rotary_pos_emb(by_heads(x), by_heads(x), cos, sin)[0])

    return rotate


# ---- NumPy


def angles(positions, dim, base=10000.0):
    return positions[:, None, None] * base ** (-np.arange(0, dim, 2) / dim)


def bert4keras(x, positions, side):
    """bert4keras/layers.py SinusoidalPositionEmbedding (sin and cos alternate), backend.py
    apply_rotary_position_embeddings."""
    turn = angles(positions, x.shape[-1])
    table = np.stack([np.sin(turn), np.cos(turn)], axis=-1).reshape(len(positions), 1, -1)
    cos_pos, sin_pos = np.repeat(table[..., 1::2], 2, -1), np.repeat(table[..., ::2], 2, -1)
    other = np.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape)
    return x * cos_pos + other * sin_pos


def llama_of_meta(x, positions, side):
    """llama/model.py precompute_freqs_cis, apply_rotary_emb: complex numbers."""
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * np.exp(1j * angles(positions, x.shape[-1], 500000.0))
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def ggml(mode, n_dims, freq_base=10000.0, freq_scale=1.0, ext_factor=0.0, n_ctx_orig=0, beta_fast=32.0, beta_slow=1.0):
    """ggml/src/ggml-cpu/ops.cpp ggml_rope_cache_init, rope_yarn and ggml_compute_forward_rope_flt."""

    def corr_dim(turns):
        return n_dims * math.log(n_ctx_orig / (turns * 2 * math.pi)) / (2 * math.log(freq_base))

    def cos_sin(theta, i0):
        turn, scale = freq_scale * theta, 1.0
        if ext_factor != 0:
            low, high = max(0, math.floor(corr_dim(beta_fast))), min(n_dims - 1, math.ceil(corr_dim(beta_slow)))
            ramp = 1 - min(1, max(0, (i0 // 2 - low) / max(0.001, high - low)))
            turn = turn * (1 - ramp * ext_factor) + theta * ramp * ext_factor
            scale += 0.1 * math.log(1 / freq_scale)
        return math.cos(turn) * scale, math.sin(turn) * scale

    def rotate(x, positions, side):
        out = x.copy()
        for t, position in enumerate(positions):
            theta = float(position)
            for i0 in range(0, n_dims, 2):
                cos, sin = cos_sin(theta, i0)
                first, second = (i0, i0 + 1) if mode == "normal" else (i0 // 2, i0 // 2 + n_dims // 2)
                x0, x1 = x[t, :, first], x[t, :, second]
                out[t, :, first], out[t, :, second] = x0 * cos - x1 * sin, x0 * sin + x1 * cos
                theta *= freq_base ** (-2.0 / n_dims)
        return out

    return rotate


def xpos(center, scale_base):
    """torchscale/component/xpos_relative_position.py XPOS; there the center is half the length, rounded up."""

    def rotate(x, positions, side):
        dim = x.shape[-1]
        zeta = (np.arange(0, dim, 2) + 0.4 * dim) / (1.4 * dim)
        scale = zeta ** ((positions - center) / scale_base)[:, None, None]
        if side == "key":
            scale = 1 / scale
        sin, cos = (np.repeat(f(angles(positions, dim)) * scale, 2, -1) for f in (np.sin, np.cos))
        return x * cos + np.stack([-x[..., 1::2], x[..., ::2]], axis=-1).reshape(x.shape) * sin

    return rotate


def onnx_operator(interleaved, rotary_dim):
    """The operator in onnx's reference evaluator; the caches of cosines and sines are the caller's own."""

    def rotate(x, positions, side):
        turn = angles(np.arange(int(positions.max()) + 1), rotary_dim)[:, 0]
        node = onnx.helper.make_node(
            "RotaryEmbedding", ["x", "cos", "sin", "ids"], ["y"], interleaved=interleaved,
            rotary_embedding_dim=rotary_dim if rotary_dim != x.shape[-1] else 0)
        value = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            [node], "one", [value(name, kind, None) for name, kind in
                            [("x", 11), ("cos", 11), ("sin", 11), ("ids", 7)]], [value("y", 11, None)])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
        inputs = {"x": x.transpose(1, 0, 2)[None], "cos": np.cos(turn), "sin": np.sin(turn), "ids": positions[None]}
        return onnx.reference.ReferenceEvaluator(model).run(None, inputs)[0][0].transpose(1, 0, 2)

    return rotate


SCALED = {
    "linear": {"max_position_embeddings": 512, "rope_parameters": {
        "rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}},
    "dynamic-ntk": {"max_position_embeddings": 256, "rope_parameters": {
        "rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}},
    "yarn": {"max_position_embeddings": 2048, "rope_parameters": {
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": 256}},
    "longrope-short": {"max_position_embeddings": 8192, "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 1024,
        "short_factor": [1.0, 1.05, 1.1, 1.25], "long_factor": [1.0, 2.5, 6.0, 8.0]}},
    "longrope-long": {"max_position_embeddings": 8192, "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 512,
        "short_factor": [1.0, 1.05, 1.1, 1.25], "long_factor": [1.0, 2.5, 6.0, 8.0]}},
    "llama3": {"max_position_embeddings": 131072, "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}},
}


def write_rotations():
    write_vectors("roformer", HF + "models/roformer", APACHE, RUN, {"rotary_layout": "adjacent"}, 8, roformer(8))
    write_vectors("bert4keras", "bert4keras, layers.py and backend.py", APACHE, FORMULA,
                  {"rotary_layout": "adjacent"}, 8, bert4keras)
    partial = {"rotary_layout": "adjacent", "rotary_dim": 4}
    write_vectors("gpt-j", HF + "models/gptj", APACHE, RUN, partial, 12, gptj(12, 4))
    neox = {"rotary_layout": "half", "rope_theta": 10000.0, "partial_rotary_factor": 0.25}
    write_vectors("gpt-neox", HF + "models/gpt_neox", APACHE, RUN, neox, 16, by_module(modeling_gpt_neox, 16, neox))
    half = {"rotary_layout": "half", "rope_theta": 500000.0}
    write_vectors("llama-hf", HF + "models/llama", APACHE, RUN, half, 8, by_module(modeling_llama, 8, half),
                  POSITIONS + [131071])
    write_vectors("llama-meta", "Llama by Meta, llama/model.py", "Llama 2 Community License (formula only)", FORMULA,
                  {"rotary_layout": "adjacent", "rope_theta": 500000.0}, 8, llama_of_meta, POSITIONS + [131071])
    for name, settings in SCALED.items():
        settings = {"rotary_layout": "half", **settings}
        write_vectors(name, HF + "modeling_rope_utils.py and models/llama", APACHE, RUN, settings, 8,
                      by_module(modeling_llama, 8, settings))
    for layout, flag in (("adjacent", 1), ("half", 0)):
        for dim in (8, 4):
            settings = {"rotary_layout": layout, **({"rotary_dim": dim} if dim != 8 else {})}
            name = f"onnx-{'interleaved' if flag else 'halves'}{'-partial' if dim != 8 else ''}"
            write_vectors(name, f"onnx {onnx.__version__}, reference RotaryEmbedding-23", APACHE, RUN, settings, 8,
                          onnx_operator(flag, dim), [3, 0, 2, 2, 40, 17, 5])
    source = "ggml, ggml-cpu/ops.cpp ggml_compute_forward_rope_flt"
    for layout, mode in (("adjacent", "normal"), ("half", "neox")):
        settings = {"rotary_layout": layout, "rotary_dim": 8, "rope_theta": 1e6,
                    "rope_scaling": {"rope_type": "linear", "factor": 4.0}}
        write_vectors(f"ggml-{mode}", source + ", freq_base 1e6, freq_scale 0.25", MIT, FORMULA, settings, 12,
                      ggml(mode, 8, 1e6, 0.25))
    yarn = {"rotary_layout": "half", **SCALED["yarn"]}
    write_vectors("ggml-yarn", source + ", freq_scale 1/8, ext_factor 1, n_ctx_orig 256", MIT, FORMULA, yarn, 8,
                  ggml("neox", 8, 1e4, 1 / 8, 1.0, 256))
    source = "torchscale, component/xpos_relative_position.py"
    settings = {"rotary_layout": "adjacent", "xpos_scale_base": 512.0}
    run = list(range(9))
    write_vectors("xpos-torchscale", source + "; a text of 9 tokens", MIT, FORMULA, {**settings, "xpos_centre": 5}, 8,
                  xpos(5, 512), run)
    write_vectors("xpos-fixed-center", source + ", but centered on position 0 whatever the length", MIT, FORMULA,
                  {**settings, "xpos_centre": 0}, 8, xpos(0, 512))


# ---- frequencies, buckets, slopes

FREQUENCIES = [
    ("linear", {}, {"factor": 4.0}, [0, 9000]),
    ("dynamic", {}, {"factor": 2.0}, [0, 100, 2048, 2049, 5000, 65536]),
    ("dynamic", {"partial_rotary_factor": 0.5}, {"factor": 4.0, "rope_theta": 500000.0}, [3000]),
    ("yarn", {}, {"factor": 8.0, "original_max_position_embeddings": 256}, [0, 2048]),
    ("yarn", {}, {"factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 0.707, "mscale_all_dim": 1.0,
                  "rope_theta": 1000000.0}, [0]),
    ("yarn", {}, {"factor": 4.0, "original_max_position_embeddings": 512, "attention_factor": 1.5, "beta_fast": 16.0,
                  "beta_slow": 2.0, "truncate": False}, [0]),
    ("yarn", {"partial_rotary_factor": 0.5}, {"factor": 2.0, "original_max_position_embeddings": 1024}, [0]),
    ("yarn", {}, {"factor": 2.0, "original_max_position_embeddings": 4}, [0]),
    ("longrope", {}, {"original_max_position_embeddings": 512, "short_factor": [1.0 + i / 16 for i in range(16)],
                      "long_factor": [1.0 + i for i in range(16)]}, [0, 512, 513, 4000]),
    ("longrope", {}, {"original_max_position_embeddings": 512, "short_factor": [1.5] * 16, "long_factor": [3.0] * 16,
                      "factor": 16.0}, [513]),
    ("longrope", {}, {"original_max_position_embeddings": 512, "short_factor": [1.5] * 16, "long_factor": [3.0] * 16,
                      "factor": 1.0}, [0]),
    ("longrope", {}, {"original_max_position_embeddings": 512, "short_factor": [1.5] * 16, "long_factor": [3.0] * 16,
                      "attention_factor": 1.25}, [513]),
    ("llama3", {}, {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 8192, "rope_theta": 500000.0}, [0, 20000]),
    ("llama3", {}, {"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 8.0,
                    "original_max_position_embeddings": 1024}, [0]),
    ("proportional", {}, {"partial_rotary_factor": 0.25, "rope_theta": 1000000.0}, [0]),
    ("proportional", {}, {"partial_rotary_factor": 0.3, "factor": 2.0}, [0]),
    ("proportional", {}, {"partial_rotary_factor": 1.0}, [0]),
]


def write_frequencies():
    head_dim, cases = 32, []
    for kind, beside, scaling, lengths in FREQUENCIES:
        settings = {"max_position_embeddings": 2048, **beside,
                    "rope_parameters": {"rope_type": kind, "rope_theta": 10000.0, **scaling}}
        for length in lengths:
            with in_double():
                theta, factor = ROPE_INIT_FUNCTIONS[kind](llama_config(head_dim, settings), None, length or None)
            cases.append({"settings": settings, "length": length, "theta": [float(x) for x in theta],
                          "attention_factor": float(factor)})
    # Not in transformers: bloc97's formula, base · factor^(dim / (dim − 2)).
    base = 10000.0 * 2.0 ** (head_dim / (head_dim - 2))
    cases.append({"settings": {"rope_parameters": {"rope_type": "ntk", "rope_theta": 10000.0, "factor": 2.0}},
                  "length": 0, "theta": list(base ** (-np.arange(0, head_dim, 2) / head_dim)), "attention_factor": 1.0})
    (OUT / "frequencies.json").write_text(json.dumps({
        "name": "frequencies", "source": HF + "modeling_rope_utils.py", "license": APACHE, "computed": RUN,
        "head_dim": head_dim, "cases": cases}, indent=None).replace('}, {"settings"', '},\n{"settings"') + "\n")


def write_relative():
    far = list(range(-140, 141)) + [s * d for d in (255, 256, 500, 512, 1000, 4096, 100000) for s in (-1, 1)]
    buckets = []
    for count, longest in ((32, 128), (8, 20), (64, 512), (10, 100)):
        for both in (True, False):
            found = modeling_t5.T5Attention._relative_position_bucket(torch.tensor(far), both, count, longest)
            buckets.append({"count": count, "max_distance": longest, "bidirectional": both, "buckets": found.tolist()})
    write("t5-buckets", {"name": "t5-buckets", "source": HF + "models/t5 _relative_position_bucket",
                         "license": APACHE, "distances": far, "cases": buckets})
    slopes = {}
    for heads in (1, 2, 3, 4, 6, 8, 12, 16, 20, 48, 112):
        alibi = modeling_bloom.build_alibi_tensor(torch.ones(1, 2), heads, torch.float32)
        slopes[str(heads)] = [float(x) for x in alibi[:, 0, 1]]
    write("alibi-slopes", {"name": "alibi-slopes", "source": HF + "models/bloom build_alibi_tensor, in float32",
                           "license": APACHE, "slopes": slopes})


if __name__ == "__main__":
    write_rotations()
    write_frequencies()
    write_relative()
