"""Llamas beside transformers computing in float64: hidden states, logits, conversion, and the tokens of greedy decoding.

Part of oracle.py. transformers computes the angles of the rotation in float32 whatever the model; here they are float64.
"""

import json
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
import transformers

import oracle_models as oracle
from make_decoder_fixtures import compute
from oracle_families import conversion_problem
from oracle_results import report_comparison, run_forward

LENGTHS = [1, 2, 7, 64, 129, 200]
SHAPE = dict(vocab_size=1009, hidden_size=96, intermediate_size=200, num_hidden_layers=3, max_position_embeddings=256)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=64,
)
CASES = {
    "8 heads on 2": dict(num_attention_heads=8, num_key_value_heads=2),
    "heads on one, all biases, tied, another base": dict(
        num_attention_heads=6,
        num_key_value_heads=1,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=True,
        hidden_act="gelu",
        rms_norm_eps=1e-3,
        rope_theta=500.0,
    ),
    "as many heads of keys, linear scaling": dict(
        num_attention_heads=4, num_key_value_heads=4, rope_scaling=dict(rope_type="linear", factor=4.0)
    ),
    "Llama 3's scaling, heads of 2": dict(num_attention_heads=48, num_key_value_heads=16, rope_scaling=LLAMA3),
    "trunk alone (LlamaModel)": dict(num_attention_heads=4, num_key_value_heads=2, kind=transformers.LlamaModel),
}


def use_exact_angles(model):
    """The rotation of `model` computed in float64; refuses frequencies that are not its own up to float32 rounding."""
    rotary = oracle.trunk_of(model).rotary_emb
    theirs = rotary.inv_freq.double()
    frequencies = theirs
    if model.config.rope_parameters["rope_type"] == "default":
        size = 2 * theirs.numel()
        frequencies = model.config.rope_parameters["rope_theta"] ** -(torch.arange(0, size, 2).double() / size)
        if not torch.allclose(frequencies, theirs, rtol=1e-6, atol=0):
            raise AssertionError("transformers' frequencies are others")

    def forward(x, position_ids):
        angles = position_ids[:, :, None].double() * frequencies
        both = torch.cat([angles, angles], dim=-1)
        return (both.cos() * rotary.attention_scaling).to(x.dtype), (both.sin() * rotary.attention_scaling).to(x.dtype)

    rotary.forward = forward
    return model


def random_model(settings, seed):
    """Every parameter random, in float64 with the values of float32."""
    settings = dict(settings)
    kind = settings.pop("kind", transformers.LlamaForCausalLM)
    config = transformers.LlamaConfig(**SHAPE, **settings)
    config._attn_implementation = "eager"
    model = kind(config).double().eval()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = rng.standard_normal(tuple(parameter.shape))
            values = 1 + 0.3 * values if "norm" in name else 0.12 * values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def check_greedy(results, program, model, name, folder):
    """The program's greedy tokens after a prompt of bytes, with its cache, and transformers' without one."""
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in SPECIAL + BYTES))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RoFormerNativeByteTokenizer"}))
    prompt, count = "In the beginning", 40
    command = [program, "generate", "--model", folder, "--greedy", "--json", "--max-new-tokens", str(count), prompt]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        results.add(False, f"{name}, greedy", done.stderr.strip())
        return
    answer = json.loads(done.stdout)
    ours, known = answer["ids"], len(SPECIAL) + len(BYTES)
    ids = [SPECIAL.index("[CLS]"), *(len(SPECIAL) + byte for byte in prompt.encode())]
    theirs = []
    for _ in range(len(ours)):
        with torch.no_grad():
            scores = model(torch.tensor([ids + theirs]), use_cache=False).logits[0, -1, :known]
        theirs.append(int(scores.argmax()))
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), len(ours))
    results.add(len(ours) > 0 and ours == theirs, f"{name}, greedy", f"{same} of {len(ours)} tokens the same")


def check_llamas(results, program, tolerance):
    for seed, (name, settings) in enumerate(CASES.items(), 31):
        name = f"Llama, {name}"
        model = use_exact_angles(random_model(settings, seed))
        rng = np.random.default_rng(seed)
        inputs = {"input_ids": [rng.integers(0, SHAPE["vocab_size"], length).tolist() for length in LENGTHS]}
        expected = compute(model, inputs["input_ids"])
        single = random_model(settings, seed).float()
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            single.save_pretrained(folder / "model")
            actual, problem = run_forward(program, folder / "model", inputs, folder)
            if problem is not None:
                results.add(False, name, problem)
                continue
            report_comparison(results, name, actual, expected, compute(single, inputs["input_ids"]), tolerance)
            problem = conversion_problem(program, folder, inputs, single, actual, None)
            results.add(problem is None, f"{name}, converted", problem or "the same numbers, transformers loads it")
            if "kind" not in settings:
                check_greedy(results, program, model, name, folder / "model")
