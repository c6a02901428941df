"""Causal language models beside transformers computing in float64: hidden states, logits, conversion, greedy tokens.

Part of oracle.py. The families and their exact computation are decoder_cases.py's.
"""

import json
import pathlib
import subprocess
import tempfile

import numpy as np
import torch
import transformers

import decoder_cases
from oracle_families import conversion_problem
from oracle_results import compare, report_comparison, run_forward

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Scores of unscaled products grow with the width: larger weights would only amplify float32's rounding.
DEVIATIONS = {"GPT-Neo": 0.08}


def deviation_of(family):
    return DEVIATIONS.get(family, 0.12)


def check_greedy(results, program, model, name, folder):
    """The program's greedy tokens after a prompt of bytes, with its cache, and transformers' without one."""
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in SPECIAL + BYTES))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "RoFormerNativeByteTokenizer"}))
    (folder / "generation_config.json").unlink(missing_ok=True)
    prompt, count = "In the beginning there was a prompt", 60
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
        with torch.no_grad(), decoder_cases.exactly():
            scores = model(torch.tensor([ids + theirs]), use_cache=False).logits[0, -1, :known]
        theirs.append(int(scores.argmax()))
    same = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), len(ours))
    results.add(len(ours) > 0 and ours == theirs, f"{name}, greedy", f"{same} of {len(ours)} tokens the same")


def check_decoder(results, program, key, seed, tolerance):
    """As oracle_families.check_family: (key, worst difference, transformers' own in float32, convert is right)."""
    family, architecture, about, settings = decoder_cases.CASES[key]
    name = f"{family}, {about}"
    settings = decoder_cases.OTHER_KEYS.get(family, decoder_cases.SHAPE) | settings
    model = decoder_cases.exact_model(architecture, settings, seed, deviation_of(family))
    rng = np.random.default_rng(seed)
    inputs = {"input_ids": [rng.integers(0, model.config.vocab_size, n).tolist() for n in decoder_cases.LENGTHS]}
    expected = decoder_cases.compute(model, inputs["input_ids"])
    single = getattr(transformers, architecture)(decoder_cases.make_config(architecture, settings)).eval()
    decoder_cases.randomize(single, seed, deviation_of(family))
    own = decoder_cases.compute(single, inputs["input_ids"])
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        single.save_pretrained(folder / "model")
        actual, problem = run_forward(program, folder / "model", inputs, folder)
        if problem is not None:
            results.add(False, name, problem)
            return key, float("inf"), None, False
        worst = report_comparison(results, name, actual, expected, own, tolerance)
        problem = conversion_problem(program, folder, inputs, single, actual, None)
        results.add(problem is None, f"{name}, converted", problem or "the same numbers, transformers loads it")
        if architecture.endswith("ForCausalLM"):
            check_greedy(results, program, model, name, folder / "model")
    return key, worst, max(compare(own, expected)[0].values()), problem is None


def check_decoders(results, program, tolerance):
    return [
        check_decoder(results, program, key, seed, tolerance) for seed, key in enumerate(decoder_cases.CASES, 31)
    ]


def described(key):
    """(family, architecture, what it is) of a row."""
    family, architecture, about, _ = decoder_cases.CASES[key]
    return family, architecture, f"causal LM, {about}" if about != "trunk" else about
