"""The families of causal language models that fixtures and the live oracle go through, and their exact computation.

transformers rounds norms, softmax and angles to float32 in models of any type; under exactly() they are float64.
"""

import contextlib

import numpy as np
import safetensors.torch  # noqa: F401  has a table of types, to be made outside of exactly()
import torch
import transformers

LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
YARN = dict(rope_type="yarn", beta_fast=32.0, beta_slow=1.0)
WINDOWS = dict(sliding_window=24)
# of three layers, the last without a window
LAYERS = dict(layer_types=["sliding_attention", "sliding_attention", "full_attention"])
GEMMA = dict(num_attention_heads=4, num_key_value_heads=1, head_dim=32)

# about: for the table of docs/compatibility.md. kind: the classes CONFIGConfig and architecture. settings: over shape().
CASES = {
    "llama_grouped": ("Llama", "LlamaForCausalLM", "8 heads on 2", dict(num_attention_heads=8, num_key_value_heads=2)),
    "llama_biased": (
        "Llama",
        "LlamaForCausalLM",
        "heads on one, all biases, tied, another base, GELU",
        dict(
            num_attention_heads=6,
            num_key_value_heads=1,
            attention_bias=True,
            mlp_bias=True,
            tie_word_embeddings=True,
            hidden_act="gelu",
            rms_norm_eps=1e-3,
            rope_theta=500.0,
        ),
    ),
    "llama_linear": (
        "Llama",
        "LlamaForCausalLM",
        "as many key heads, linear scaling",
        dict(num_attention_heads=4, num_key_value_heads=4, rope_scaling=dict(rope_type="linear", factor=4.0)),
    ),
    "llama_3": (
        "Llama",
        "LlamaForCausalLM",
        "Llama 3's scaling, heads of 2",
        dict(num_attention_heads=48, num_key_value_heads=16, rope_scaling=LLAMA3),
    ),
    "llama_yarn": (
        "Llama",
        "LlamaForCausalLM",
        "YaRN, wide heads",
        dict(
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=40,
            rope_scaling=YARN | dict(factor=8.0, original_max_position_embeddings=32),
        ),
    ),
    "llama_longrope": (
        "Llama",
        "LlamaForCausalLM",
        "LongRoPE",
        dict(
            num_attention_heads=6,
            num_key_value_heads=3,
            rope_scaling=dict(
                rope_type="longrope",
                short_factor=[1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
                long_factor=[1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 9.0],
                factor=2.0,
                original_max_position_embeddings=128,
            ),
        ),
    ),
    "llama_dynamic": (
        "Llama",
        "LlamaForCausalLM",
        "dynamic NTK",
        dict(
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            rope_scaling=dict(rope_type="dynamic", factor=4.0),
        ),
    ),
    "llama_trunk": ("Llama", "LlamaModel", "trunk", dict(num_attention_heads=4, num_key_value_heads=2)),
    "mistral_window": (
        "Mistral",
        "MistralForCausalLM",
        "a window",
        dict(num_attention_heads=8, num_key_value_heads=2) | WINDOWS,
    ),
    "mistral": (
        "Mistral",
        "MistralForCausalLM",
        "no window, base 1,000,000",
        dict(num_attention_heads=4, num_key_value_heads=2, sliding_window=None, rope_theta=1e6),
    ),
    "qwen2": (
        "Qwen2",
        "Qwen2ForCausalLM",
        "tied",
        dict(num_attention_heads=6, num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1e6),
    ),
    "qwen2_windows": (
        "Qwen2",
        "Qwen2ForCausalLM",
        "windows from the second layer on, YaRN",
        dict(
            num_attention_heads=4,
            num_key_value_heads=4,
            use_sliding_window=True,
            max_window_layers=1,
            rope_scaling=YARN | dict(factor=4.0, original_max_position_embeddings=64),
        )
        | WINDOWS,
    ),
    "qwen3": (
        "Qwen3",
        "Qwen3ForCausalLM",
        "heads of 32",
        dict(num_attention_heads=4, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True),
    ),
    "qwen3_windows": (
        "Qwen3",
        "Qwen3ForCausalLM",
        "biases, windows in some layers",
        dict(
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=24,
            attention_bias=True,
            use_sliding_window=True,
        )
        | WINDOWS
        | LAYERS,
    ),
    "gemma": ("Gemma", "GemmaForCausalLM", "heads on one", GEMMA),
    "gemma2": (
        "Gemma 2",
        "Gemma2ForCausalLM",
        "caps, windows in every other layer",
        GEMMA
        | WINDOWS
        | dict(num_key_value_heads=2, attn_logit_softcapping=4.0, final_logit_softcapping=5.0, query_pre_attn_scalar=20),
    ),
    "gemma2_scaled": (
        "Gemma 2",
        "Gemma2ForCausalLM",
        "no caps, untied, linear scaling, windows in some layers",
        GEMMA
        | WINDOWS
        | LAYERS
        | dict(
            attn_logit_softcapping=None,
            final_logit_softcapping=None,
            tie_word_embeddings=False,
            rope_scaling=dict(rope_type="linear", factor=4.0),
        ),
    ),
    "gemma3": (
        "Gemma 3",
        "Gemma3ForCausalLM",
        "every sixth layer without a window",
        GEMMA | WINDOWS | dict(num_hidden_layers=7, rms_norm_eps=1e-5, query_pre_attn_scalar=40),
    ),
    "gemma3_scaled": (
        "Gemma 3",
        "Gemma3ForCausalLM",
        "both rotations scaled, capped logits, windows in some layers",
        GEMMA
        | WINDOWS
        | LAYERS
        | dict(
            final_logit_softcapping=4.0,
            rope_parameters=dict(
                full_attention=dict(rope_type="linear", factor=8.0, rope_theta=1e5),
                sliding_attention=dict(rope_type="linear", factor=2.0, rope_theta=500.0),
            ),
        ),
    ),
    "gemma3_trunk": ("Gemma 3", "Gemma3TextModel", "trunk", GEMMA | WINDOWS | dict(num_hidden_layers=6)),
    "gpt_neox": (
        "GPT-NeoX",
        "GPTNeoXForCausalLM",
        "parallel residual, a quarter of a head rotated",
        dict(num_attention_heads=4),
    ),
    "gpt_neox_sequential": (
        "GPT-NeoX",
        "GPTNeoXForCausalLM",
        "sequential, half of a head, tied",
        dict(
            num_attention_heads=6,
            use_parallel_residual=False,
            rotary_pct=0.5,
            hidden_act="gelu_new",
            tie_word_embeddings=True,
        ),
    ),
    "gptj": ("GPT-J", "GPTJForCausalLM", "a third of a head rotated", dict(n_head=4, rotary_dim=8)),
    "gptj_tied": (
        "GPT-J",
        "GPTJForCausalLM",
        "tied, whole heads, another width inside",
        dict(n_head=6, rotary_dim=16, n_inner=200, tie_word_embeddings=True, layer_norm_epsilon=1e-3),
    ),
    "gpt_neo": (
        "GPT-Neo",
        "GPTNeoForCausalLM",
        "global and local layers",
        dict(num_heads=4, attention_types=[[["global", "local"], 2]], num_layers=4, window_size=24),
    ),
    "gpt_neo_untied": (
        "GPT-Neo",
        "GPTNeoForCausalLM",
        "untied, layers in another order",
        dict(
            num_heads=2,
            attention_types=[[["local", "local", "global"], 1]],
            window_size=5,
            intermediate_size=100,
            tie_word_embeddings=False,
        ),
    ),
}

LENGTHS = [1, 2, 7, 64, 129, 200]
SHAPE = dict(vocab_size=1009, hidden_size=96, intermediate_size=200, num_hidden_layers=3, max_position_embeddings=256)
# SHAPE in the keys of families that have others.
OTHER_KEYS = {
    "GPT-J": dict(vocab_size=1009, n_embd=96, n_layer=3, n_positions=256),
    "GPT-Neo": dict(vocab_size=1009, hidden_size=96, num_layers=3, max_position_embeddings=256),
}


@contextlib.contextmanager
def exactly():
    """What is computed here in float32, of whatever type the model is, is computed in float64."""
    before = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = before


def make_config(architecture, settings):
    config = getattr(transformers, architecture).config_class(**settings)
    config._attn_implementation = "eager"
    return config


def randomize(model, seed, deviation):
    """Every parameter gets random float32 numbers: norm gains and biases, too."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = rng.standard_normal(tuple(parameter.shape))
            gain = parameter.dim() == 1 and name.endswith("weight")
            # Gemma's gains are added to 1.
            mean = 0 if "Gemma" in type(model).__name__ else 1
            values = mean + 0.3 * values if gain else deviation * values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


def exact_model(architecture, settings, seed, deviation):
    """In float64, with the values of float32. Its frequencies and positions are float64, too."""
    kind, config = getattr(transformers, architecture), make_config(architecture, settings)
    with exactly():
        model = kind(config).double().eval()
    return randomize(model, seed, deviation)


def compute(model, ids):
    """{name: array} of each sequence by itself, in float64 if the model is."""
    expected = {}
    context = exactly() if model.dtype == torch.float64 else contextlib.nullcontext()
    for i, sequence in enumerate(ids):
        with torch.no_grad(), context:
            outputs = model(torch.tensor([sequence]), output_hidden_states=True)
        hidden = outputs.last_hidden_state if hasattr(outputs, "last_hidden_state") else outputs.hidden_states[-1]
        expected[f"last_hidden_state.{i}"] = hidden[0].double().numpy()
        if hasattr(outputs, "logits"):
            expected[f"logits.{i}"] = outputs.logits[0].double().numpy()
        context = exactly() if model.dtype == torch.float64 else contextlib.nullcontext()
    return expected
