#!/usr/bin/env python3
"""Compares the program with transformers computing in float64, live, and checks that the fixtures are what they say.

1. Makes the fixtures again and compares them with the committed ones; loads those in transformers as anyone would,
   and runs those that transformers has no class for in JunnYu's package.
2. Makes random models (other seeds, larger shapes), has transformers save them, runs
   `roformer forward --model DIR --ids FILE --output FILE` and compares hidden states and logits:
   max |difference| / max |expected| of each kind of tensor must be within the tolerance. The error of transformers' own
   float32 forward is printed beside ours as a yardstick.
3. The same for every family and head of family_cases.py at eight times the width, with reference_numpy.py where
   transformers has no such model; and `roformer convert` to a directory that transformers loads with nothing missing,
   nothing unexpected and no warning, with the same numbers in it. --table prints this part as docs/compatibility.md
   has it.
4. Random causal language models of decoder_cases.py, with grouped heads of keys, scalings, windows, caps and biases: the
   same, and the tokens of greedy decoding, beyond the windows (oracle_decoders.py). These are in the table, too.
5. Beam search of small Llamas: the same tokens; scalings with keys that they use or not: the same logits
   (oracle_decoding.py).
6. Encoder-decoders of two RoFormers: the same, the translations of `generate()`, and the program's own format, which
   transformers refuses (oracle_encoder_decoders.py); translators that train-translator has made
   (oracle_trained_translators.py).
7. A BERT that `roformer pretrain --init-from` gave rotary positions: the RoFormer with its weights
   (oracle_positions.py).
8. With --trained DIR (what `roformer pretrain --output DIR` wrote): transformers loads it with nothing missing or
   unexpected, and both compute the same from it.

One line a check; exit code 1 if any failed.

    tools/venv.sh && venv/bin/python tools/oracle.py --program build/release/roformer
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

import family_cases
import make_fixtures
import oracle_decoders
import oracle_decoding
import oracle_encoder_decoders
import oracle_families
import oracle_junnyu
import oracle_models as oracle
import oracle_positions
import oracle_trained_translators
from oracle_results import Results, compare, relative_error, report_comparison, run_forward

# Sums in another order, on another CPU, may move the last bits of a float64 result.
FIXTURE_TOLERANCE = 1e-9

ALL_FIXTURES = [*make_fixtures.CASES, *(f"families/{name}" for name in family_cases.CASES)]
LIVE_CASES = {
    "hidden 128, 4 layers, vocabulary 5,003": {
        "seed": 11,
        "shape": dict(
            vocab_size=5003,
            embedding_size=128,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=512,
            max_position_embeddings=256,
        ),
        "lengths": [1, 2, 3, 7, 8, 31, 64, 65, 128, 200],
        "token_types": True,
    },
    "projected embedding, rotary values": {
        "seed": 12,
        "shape": dict(
            vocab_size=5003,
            embedding_size=64,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=256,
            max_position_embeddings=200,
            rotary_value=True,
        ),
        "lengths": [200, 1, 129, 17],
        "token_types": True,
    },
    "sizes that fit no vector (heads of 10)": {
        "seed": 13,
        "shape": dict(
            vocab_size=1009,
            embedding_size=36,
            hidden_size=70,
            num_hidden_layers=3,
            num_attention_heads=7,
            intermediate_size=101,
            max_position_embeddings=199,
        ),
        "lengths": [199, 5, 33, 100, 1],
    },
    "heads of 2": {
        "seed": 14,
        "shape": dict(
            vocab_size=257,
            embedding_size=30,
            hidden_size=6,
            num_hidden_layers=2,
            num_attention_heads=3,
            intermediate_size=7,
            max_position_embeddings=64,
            rotary_value=True,
        ),
        "lengths": [64, 1, 13],
    },
    "650 tokens, to the last position": {
        "seed": 15,
        "shape": dict(
            vocab_size=503,
            embedding_size=64,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=256,
            max_position_embeddings=650,
        ),
        "lengths": [650, 3],
    },
    "trunk alone (RoFormerModel)": {
        "seed": 16,
        "shape": dict(
            vocab_size=503,
            embedding_size=32,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=128,
        ),
        "lengths": [40, 128, 1],
        "token_types": True,
        "kind": transformers.RoFormerModel,
    },
}


def check_fixtures(results, committed):
    """Regenerates the fixtures and compares; inputs and weights byte for byte, results up to the last bits."""
    with tempfile.TemporaryDirectory() as temporary:
        make_fixtures.make_fixtures(temporary)
        for name in ALL_FIXTURES:
            ours, theirs = committed / name, pathlib.Path(temporary) / name
            files = ["config.json", "inputs.json", "model.safetensors", "expected.safetensors"]
            absent = [file for file in files if not (ours / file).is_file()]
            if absent:
                results.add(False, f"fixture {name}", f"{', '.join(absent)} not in {ours}")
                continue
            differing = [file for file in files if (ours / file).read_bytes() != (theirs / file).read_bytes()]
            if "expected.safetensors" in differing:
                worst, problem = compare(load_file(ours / files[3]), load_file(theirs / files[3]))
                if problem is None and max(worst.values()) <= FIXTURE_TOLERANCE:
                    differing.remove("expected.safetensors")
            same = f"regenerated the same, {sum((ours / file).stat().st_size for file in files):,} bytes"
            results.add(not differing, f"fixture {name}", "differs: " + ", ".join(differing) if differing else same)


def load_in_transformers(folder):
    """(float64 model, problem or None) as from_pretrained gives it, with its own position table checked."""
    kind = getattr(transformers, json.loads((folder / "config.json").read_text())["architectures"][0])
    model, info = kind.from_pretrained(
        folder, output_loading_info=True, dtype=torch.float64, attn_implementation="eager", local_files_only=True
    )
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys")
    wrong = {
        kind: sorted(str(key) for key in info[kind] if not str(key).endswith(oracle.POSITION_TABLE)) for kind in kinds
    }
    model.eval()
    try:
        oracle.use_exact_positions(model)
    except AssertionError as error:
        return model, str(error)
    found = ", ".join(f"{kind} {names}" for kind, names in wrong.items() if names)
    return model, found or None


def check_fixture_loading(results, committed):
    """The committed fixture files, read by transformers itself, give the committed results."""
    for name in ALL_FIXTURES:
        if family_cases.CASES.get(pathlib.Path(name).name, {}).get("reference"):
            continue  # transformers has no such model
        folder = committed / name
        inputs = json.loads((folder / "inputs.json").read_text())
        model, problem = load_in_transformers(folder)
        if problem is not None:
            results.add(False, f"fixture {name} in transformers", problem)
            continue
        expected = load_file(folder / "expected.safetensors")
        outputs = oracle.forward(model, inputs)
        for i, rows in enumerate(inputs.get("rows", [])):
            for tensor in (f"last_hidden_state.{i}", f"logits.{i}"):
                outputs[tensor] = outputs[tensor][rows]
        worst = max(relative_error(outputs[tensor], expected[tensor]) for tensor in outputs)
        results.add(worst <= FIXTURE_TOLERANCE, f"fixture {name} in transformers", f"error {worst:.1e}")


def random_inputs(seed, vocabulary, lengths, token_types):
    """Inputs with every id possible, the pad token's too: without a mask it is a token like any other."""
    rng = np.random.default_rng(seed)
    inputs = {"input_ids": [rng.integers(0, vocabulary, length).tolist() for length in lengths]}
    if token_types:
        inputs["token_type_ids"] = [rng.integers(0, 2, length).tolist() for length in lengths]
    return inputs


def check_live(results, program, tolerance):
    """Random models saved by transformers and run by the program."""
    for name, case in LIVE_CASES.items():
        kind = case.get("kind", transformers.RoFormerForMaskedLM)
        model, _ = oracle.random_model(oracle.make_config(**case["shape"]), case["seed"], kind)
        inputs = random_inputs(case["seed"], case["shape"]["vocab_size"], case["lengths"], case.get("token_types"))
        expected = oracle.forward(model, inputs)
        model.float()
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            model.save_pretrained(folder / "model")
            actual, problem = run_forward(program, folder / "model", inputs, folder)
        if problem is not None:
            results.add(False, name, problem)
            continue
        report_comparison(results, name, actual, expected, oracle.forward(model, inputs), tolerance)


def check_trained(results, program, trained, tolerance):
    """A directory that the program wrote, loaded by transformers."""
    name = f"trained {trained}"
    try:
        model, problem = load_in_transformers(trained)
    except (OSError, ValueError, RuntimeError) as error:
        model, problem = None, f"transformers cannot load it: {error}"
    if problem is not None:
        results.add(False, f"{name} in transformers", problem)
        return
    results.add(True, f"{name} in transformers", "nothing missing, nothing unexpected")
    longest = min(model.config.max_position_embeddings, 200)
    inputs = random_inputs(17, model.config.vocab_size, [longest, 1, max(1, longest // 3)], False)
    expected = oracle.forward(model, inputs)
    with tempfile.TemporaryDirectory() as temporary:
        actual, problem = run_forward(program, trained, inputs, pathlib.Path(temporary))
    if problem is not None:
        results.add(False, name, problem)
        return
    report_comparison(results, name, actual, expected, oracle.forward(model.float(), inputs), tolerance)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--program", type=pathlib.Path, help="the roformer program; without it only fixtures are checked"
    )
    parser.add_argument(
        "--trained",
        type=pathlib.Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a model directory written by the program (may be repeated)",
    )
    parser.add_argument(
        "--table", action="store_true", help="only the families and heads, as rows of a table in Markdown"
    )
    parser.add_argument("--tolerance", type=float, default=2e-5, help="largest relative error (%(default)s)")
    parser.add_argument(
        "--fixtures",
        type=pathlib.Path,
        default=make_fixtures.ROOT / "tests" / "fixtures",
        help="the committed fixtures (%(default)s)",
    )
    options = parser.parse_args()
    if (options.trained or options.table) and options.program is None:
        parser.error("--trained and --table need --program")
    if options.program is not None and not options.program.is_file():
        parser.error(f"--program {options.program}: no such file")
    for trained in options.trained:
        if not trained.is_dir():
            parser.error(f"--trained {trained}: no such directory")

    if options.table:
        results = Results(quiet=True)
        rows = oracle_families.check_families(results, options.program.resolve(), options.tolerance)
        decoders = oracle_decoders.check_decoders(results, options.program.resolve(), options.tolerance)
        print(oracle_families.table(rows, decoders, oracle_decoders.described))
        sys.exit(1 if results.failed else 0)
    results = Results()
    check_fixtures(results, options.fixtures)
    if not results.failed:
        check_fixture_loading(results, options.fixtures)
        oracle_junnyu.check_junnyu(results, options.fixtures)
    if options.program is not None:
        check_live(results, options.program.resolve(), options.tolerance)
        oracle_families.check_families(results, options.program.resolve(), options.tolerance)
        oracle_decoders.check_decoders(results, options.program.resolve(), options.tolerance)
        oracle_decoding.check_decoding(results, options.program.resolve(), options.tolerance)
        oracle_encoder_decoders.check_encoder_decoders(results, options.program.resolve(), options.tolerance)
        oracle_trained_translators.check_trained_translators(results, options.program.resolve())
        oracle_positions.check_positions(results, options.program.resolve(), options.tolerance)
        for trained in options.trained:
            check_trained(results, options.program.resolve(), trained, options.tolerance)
    print(f"{results.failed} failed" if results.failed else "all passed")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
