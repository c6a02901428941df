#!/usr/bin/env python3
"""Writes the oracle fixtures of tests/fixtures: tiny random models with exact outputs, some with losses and gradients.

Each folder holds config.json and model.safetensors (float32, transformers' names), inputs.json, and
expected.safetensors, computed in float64 from those float32 weights. tests/fixtures/README.md says what each tensor is;
family_cases.py has the cases of tests/fixtures/families, this file those with losses and gradients. The output
depends on nothing but these files and the pinned packages: running it again gives the same bytes.

    tools/venv.sh && venv/bin/python tools/make_fixtures.py
"""

import argparse
import pathlib

import numpy as np
import torch

import family_cases
import family_fixtures
import oracle_models as oracle

ROOT = pathlib.Path(__file__).resolve().parent.parent

CONFIG_KEYS = (
    "architectures model_type vocab_size type_vocab_size embedding_size hidden_size num_hidden_layers "
    "num_attention_heads intermediate_size hidden_act max_position_embeddings rotary_value layer_norm_eps "
    "hidden_dropout_prob attention_probs_dropout_prob initializer_range pad_token_id tie_word_embeddings dtype"
).split()

ADAMW = {"learning_rate": 0.005, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01, "steps": 10}

# labels: how many tokens of each sequence carry one. A sequence without any tells the mean over all labeled tokens
# from a mean of means.
CASES = {
    "small_ragged": {
        "seed": 1,
        "shape": dict(
            vocab_size=97,
            embedding_size=12,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=37,
            max_position_embeddings=32,
            rotary_value=False,
        ),
        "lengths": [5, 1, 17, 9],
        "labels": [2, 1, 6, 0],
        "token_types": True,
    },
    "rotary_value": {
        "seed": 2,
        "shape": dict(
            vocab_size=61,
            embedding_size=20,
            hidden_size=20,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=44,
            max_position_embeddings=24,
            rotary_value=True,
        ),
        "lengths": [11, 24, 2],
        "labels": [4, 5, 1],
        "token_types": True,
    },
    "long_650": {
        "seed": 3,
        "shape": dict(
            vocab_size=53,
            embedding_size=8,
            hidden_size=8,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=700,
            rotary_value=False,
        ),
        "lengths": [650],
        "labels": [97],
        "rows": [0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 639, 640, 648, 649],
    },
    "one_token": {
        "seed": 4,
        "shape": dict(
            vocab_size=31,
            embedding_size=12,
            hidden_size=24,
            num_hidden_layers=1,
            num_attention_heads=3,
            intermediate_size=40,
            max_position_embeddings=8,
            rotary_value=False,
        ),
        "lengths": [1],
        "labels": [1],
    },
}


def make_inputs(case):
    """(inputs.json as a dict, labels per sequence)."""
    rng = np.random.default_rng(1000 + case["seed"])
    vocabulary = case["shape"]["vocab_size"]
    inputs = {"input_ids": [], "token_type_ids": []}
    labels = []
    for length, labeled in zip(case["lengths"], case["labels"], strict=True):
        # Never id 0: transformers keeps a gradient from reaching the pad token's row through the lookup.
        inputs["input_ids"].append(rng.integers(1, vocabulary, length).tolist())
        second = int(rng.integers(0, length + 1))
        inputs["token_type_ids"].append([0] * second + [1] * (length - second))
        wanted = np.full(length, oracle.IGNORED_LABEL)
        places = rng.choice(length, labeled, replace=False)
        wanted[places] = rng.integers(1, vocabulary, labeled)
        labels.append(wanted.tolist())
    if not case.get("token_types"):
        del inputs["token_type_ids"]
    if "rows" in case:
        inputs["rows"] = [case["rows"]]
    inputs["adamw"] = ADAMW
    return inputs, labels


def gradients(model, inputs, labels):
    """(loss, {"grad.NAME": array}) of the mean loss; every gradient finite, and nonzero where it can be."""
    model.zero_grad()
    loss = oracle.masked_loss(model, inputs, labels)
    loss.backward()
    result = {}
    # Over one key, softmax is 1 whatever the scores: queries and keys get exactly no gradient.
    blind = max(map(len, inputs["input_ids"])) == 1
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        gradient = parameter.grad.numpy().copy()
        assert np.isfinite(gradient).all(), f"gradient of {name} is not finite"
        nothing = blind and (".self.query." in name or ".self.key." in name)
        assert np.any(gradient != 0) != nothing, f"gradient of {name} is {'not ' if nothing else ''}zero"
        result[f"grad.{name}"] = gradient
    return loss.item(), result


def adamw_losses(model, inputs, labels):
    """The loss before each of ten AdamW steps on the same batch; changes the model."""
    trainable = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    plain = [p for name, p in trainable if name.endswith("bias") or "LayerNorm" in name]
    decayed = [p for name, p in trainable if not (name.endswith("bias") or "LayerNorm" in name)]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": ADAMW["weight_decay"]}, {"params": plain, "weight_decay": 0.0}],
        lr=ADAMW["learning_rate"],
        betas=(ADAMW["beta1"], ADAMW["beta2"]),
        eps=ADAMW["epsilon"],
        foreach=False,
    )
    losses = []
    for _ in range(ADAMW["steps"]):
        optimizer.zero_grad()
        loss = oracle.masked_loss(model, inputs, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0], "ten AdamW steps did not lower the loss"
    return np.array(losses)


def expected_outputs(model, inputs, labels):
    """Everything in expected.safetensors, as {name: array}."""
    outputs = oracle.forward(model, inputs)
    for i, rows in enumerate(inputs.get("rows", [])):
        for name in (f"last_hidden_state.{i}", f"logits.{i}"):
            outputs[name] = outputs[name][rows]
    loss, grads = gradients(model, inputs, labels)
    outputs.update(grads)
    outputs["loss"] = np.array([loss])
    for i, wanted in enumerate(labels):
        outputs[f"labels.{i}"] = np.array(wanted, dtype=np.int64)
    outputs["adamw_losses"] = adamw_losses(model, inputs, labels)
    return outputs


def trimmed_config(config):
    """config.json as transformers writes it, without what says nothing about the model."""
    config.architectures = ["RoFormerForMaskedLM"]
    everything = config.to_dict() | {"dtype": "float32"}
    return {key: everything[key] for key in CONFIG_KEYS}


def make_fixture(name, folder):
    """Writes the four files of one case into folder."""
    case = CASES[name]
    config = oracle.make_config(**case["shape"])
    model, weights = oracle.random_model(config, case["seed"])
    inputs, labels = make_inputs(case)
    oracle.check_rotation(model, inputs)

    oracle.write_fixture(folder, trimmed_config(config), weights, inputs, expected_outputs(model, inputs, labels))


def make_fixtures(output):
    """Writes all cases under output."""
    # One thread: the order of sums, and so the last bits, must not depend on the number of cores.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in CASES:
            make_fixture(name, pathlib.Path(output) / name)
        for name in family_cases.CASES:
            family_fixtures.make_family_fixture(name, pathlib.Path(output) / "families" / name)
    finally:
        torch.set_num_threads(threads)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=ROOT / "tests" / "fixtures", help="where the folders go (%(default)s)")
    output = pathlib.Path(parser.parse_args().output)
    make_fixtures(output)
    for name in [*CASES, *(f"families/{name}" for name in family_cases.CASES)]:
        size = sum(path.stat().st_size for path in (output / name).iterdir())
        print(f"{output / name}: {size:,} bytes")


if __name__ == "__main__":
    main()
