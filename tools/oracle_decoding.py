"""Beam search and the keys of rotary scalings beside transformers: the same tokens, the same logits.

Part of oracle.py. All models are Llamas of 15 tokens with random parameters, in float64 in transformers.
"""

import itertools
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
import transformers

from oracle_results import relative_error, run_forward

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]
CLS, SEP = TOKENS.index("[CLS]"), TOKENS.index("[SEP]")
SHAPE = dict(
    vocab_size=len(TOKENS),
    hidden_size=8,
    intermediate_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=64,
)
SCALINGS = [
    dict(rope_type="default"),
    dict(rope_type="linear", factor=4.0),
    dict(rope_type="dynamic", factor=4.0),
    dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16),
    dict(rope_type="longrope", short_factor=[1.0, 1.5], long_factor=[2.0, 8.0], original_max_position_embeddings=16),
    dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, rope_theta=10000.0),
    dict(rope_type="proportional", partial_rotary_factor=0.5, factor=2.0, rope_theta=10000.0),
]
ADDED_KEYS = [
    {},
    dict(finetuned=True),
    dict(original_max_position_embeddings=32),
    dict(attention_factor=1.3),
    dict(beta_fast=16.0, truncate=False),
    dict(mscale=0.7, mscale_all_dim=0.9),
    dict(mrope_section=[1, 1]),
    dict(low_freq_factor=2.0),
    dict(rope_theta=500.0),
    dict(type="linear"),
]


def save_random_llama(folder, seed, deviation):
    """A model of 15 tokens and its tokenizer."""
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SHAPE))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            values = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.3 * values if "norm" in name else deviation * values)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in TOKENS))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))


def load(folder):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()


def program_search(program, folder, prompt, settings):
    """The ids that `generate` answers, or what went wrong."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [program, "generate", "--model", folder, "--json", "--threads", "1", *options, "--prompt", prompt]
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(done.stdout)["ids"] if done.returncode == 0 else done.stderr.strip()


def check_beams(results, program):
    """576 searches: 8 models, numbers of beams, length penalties, end tokens, other processing of scores."""
    grid = itertools.product((2, 3, 4), (1.0, 0.0, 2.0, -1.0), ([SEP], [SEP, 7], [SEP, 5, 9]), ((10, 0, 1.0), (6, 4, 1.2)))
    grid, searches, differing = list(grid), 0, []
    for seed in range(8):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            save_random_llama(folder, seed, 0.6 if seed % 2 else 0.3)
            model = load(folder)
            prompt = np.random.default_rng(seed).choice(list("abcdefghij"), 3).tolist()
            ids = torch.tensor([[CLS, *(TOKENS.index(token) for token in prompt)]])
            for beams, penalty, ends, (tokens, least, repetition) in grid:
                (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
                common = dict(max_new_tokens=tokens, min_new_tokens=least, repetition_penalty=repetition)
                settings = dict(common, beam=beams, length_penalty=penalty)
                ours = program_search(program, folder, " ".join(prompt), settings)
                theirs = model.generate(
                    ids,
                    **common,
                    num_beams=beams,
                    do_sample=False,
                    length_penalty=penalty,
                    early_stopping=False,
                    eos_token_id=ends,
                    pad_token_id=0,
                )[0, ids.shape[1] :].tolist()
                searches += 1
                if ours != theirs:
                    differing.append(f"model {seed}, {settings}, ends {ends}: {ours} instead of {theirs}")
    detail = f"{searches} searches, {len(differing)} differ"
    results.add(not differing, "beam search", "; ".join([detail, *differing[:3]]))


def check_scaling_keys(results, program, tolerance):
    """Each scaling with keys that it uses or not, in both spellings, beyond the training length."""
    inputs = {"input_ids": [np.random.default_rng(1).integers(5, len(TOKENS), length).tolist() for length in (9, 80)]}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        save_random_llama(folder / "model", 3, 0.4)
        path = folder / "model" / "config.json"
        plain = json.loads(path.read_text())
        del plain["rope_parameters"]
        for scaling in SCALINGS:
            worst, problems = 0.0, []
            for added, key, type_key in itertools.product(
                ADDED_KEYS, ("rope_scaling", "rope_parameters"), ("rope_type", "type")
            ):
                settings = {type_key if name == "rope_type" else name: value for name, value in scaling.items()}
                path.write_text(json.dumps({**plain, key: {**added, **settings}}))
                actual, problem = run_forward(program, folder / "model", inputs, folder)
                if problem is not None:
                    problems.append(f"{added} in {key}: {problem}")
                    continue
                model = load(folder / "model")
                for i, ids in enumerate(inputs["input_ids"]):
                    with torch.no_grad():
                        expected = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
                    worst = max(worst, relative_error(actual[f"logits.{i}"], expected))
            detail = "; ".join([f"error {worst:.1e}", *problems[:3]])
            results.add(worst <= tolerance and not problems, f"keys of {scaling['rope_type']} scaling", detail)


def check_decoding(results, program, tolerance):
    check_beams(results, program)
    check_scaling_keys(results, program, tolerance)
