"""Every family and head, live: random models of family_cases.py at LARGE_TIMES the widths, through the program."""

import json
import logging
import pathlib
import tempfile

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file

import family_cases
import family_fixtures
import oracle_models as oracle
from oracle_results import compare, report_comparison, run_forward, run_program

FAMILIES = {
    "roformer": "RoFormer",
    "bert": "BERT",
    "v2": "RoFormerV2",
    "sim": "RoFormer-Sim",
    "junnyu": "RoFormer (JunnYu)",
}


def save_model(folder, config, weights, model):
    """A model directory as its own library saves it."""
    if model is not None:
        model.save_pretrained(folder)
        return
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


class Warnings(logging.Handler):
    """Collects what transformers warns of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.seen = []

    def emit(self, record):
        self.seen.append(" ".join(record.getMessage().split()))

    def __enter__(self):
        transformers.utils.logging.add_handler(self)
        transformers.utils.logging.disable_default_handler()
        transformers.utils.logging.set_verbosity_warning()
        return self

    def __exit__(self, *_):
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.enable_default_handler()
        transformers.utils.logging.remove_handler(self)


def loading_problem(folder, model, lost):
    """What keeps transformers from loading folder silently as the same model, or None; tensors `lost` may be."""
    with Warnings() as warnings:
        loaded, info = type(model).from_pretrained(folder, output_loading_info=True, local_files_only=True)
    problems = []
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(name for name in map(str, info[kind]) if not (lost and name.startswith(lost)))
        if names:
            problems.append(f"{kind} {names}")
    if warnings.seen and not problems and not lost:
        problems.append(f"transformers warns: {warnings.seen[0][:300]}")
    ours, theirs = loaded.config.to_dict(), model.config.to_dict()
    for key in sorted(theirs.keys() - {"_name_or_path", "transformers_version", "dtype", "architectures"}):
        if (ours.get(key) or None) != (theirs[key] or None):  # absent is null is false
            problems.append(f"config.json says {key} {ours.get(key)}, not {theirs[key]}")
    ours, theirs = loaded.state_dict(), model.state_dict()
    if not model.config.tie_word_embeddings:
        theirs.pop("cls.predictions.bias", None)  # beside an untied decoder's own bias nobody reads it
    differing = sorted(name for name, values in theirs.items() if not same_numbers(name, ours[name], values))
    differing = [name for name in differing if not (lost and name.startswith(lost))]
    if differing:
        problems.append(f"other numbers in {', '.join(differing)}")
    return "; ".join(problems) or None


def same_numbers(name, ours, theirs):
    """Equal, but for the last bit of sines and cosines that are computed again."""
    return torch.equal(ours, theirs) or (name.endswith(oracle.POSITION_TABLE) and (ours - theirs).abs().max() < 1e-6)


def conversion_problem(program, folder, inputs, model, before, lost):
    """What is wrong with `convert` of folder/model, or None; `before` are the program's results of the original."""
    written = folder / "converted"
    problem = run_program(
        program,
        "convert",
        "--from",
        "transformers",
        "--to",
        "transformers",
        "--input",
        folder / "model",
        "--output",
        written,
    )
    if problem is not None:
        return problem
    after, problem = run_forward(program, written, inputs, folder)
    if problem is not None:
        return problem
    if any(not np.array_equal(after[name], values) for name, values in before.items()):
        return "the converted model computes something else"
    if model is not None:
        return loading_problem(written, model, lost)
    ours, theirs = load_file(written / "model.safetensors"), load_file(folder / "model" / "model.safetensors")
    differing = sorted(name for name, values in theirs.items() if not np.array_equal(with_prefix(ours, name), values))
    return f"other numbers in {differing}" if differing else None


def with_prefix(tensors, name):
    """The tensor under this name, or under what the trunk's parameters are called beside a head."""
    return tensors.get(name, tensors.get(f"roformer.{name}"))


def check_family(results, program, name, tolerance):
    """One row of the table: (case's name, worst difference, transformers' own in float32 or None, convert is right)."""
    case = family_cases.large(family_cases.CASES[name])
    config, weights, inputs, expected, model = family_fixtures.make_case(
        case, 200 + list(family_cases.CASES).index(name)
    )
    single = None
    if model is not None:
        single = oracle.forward(model.float(), inputs)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        save_model(folder / "model", config, weights, model)
        actual, problem = run_forward(program, folder / "model", inputs, folder)
        if problem is not None:
            results.add(False, f"family {name}", problem)
            return name, float("inf"), None, False
        worst = report_comparison(results, f"family {name}", actual, expected, single, tolerance)
        problem = conversion_problem(program, folder, inputs, model, actual, case.get("lost"))
        silent = "the same numbers" + (", transformers loads it" if model is not None else "")
        results.add(problem is None, f"family {name} converted", problem or silent)
    own = None if single is None else max(compare(single, expected)[0].values())
    return name, worst, own, problem is None


def check_families(results, program, tolerance):
    return [check_family(results, program, name, tolerance) for name in family_cases.CASES]


def table(rows, decoders, described):
    """The rows of docs/compatibility.md: of check_families, and of decoders, described as (family, class, what)."""
    head = (
        "family|`architectures[0]`|what it is|read, run|written and loaded|checked against|difference|of transformers"
    )
    lines = [f"| {head.replace('|', ' | ')} |", "|---|---|---|---|---|---|---|---|"]
    for name, worst, own, converted in rows:
        case = family_cases.CASES[name]
        reader = "by this program" if case.get("reference") else "by transformers"
        reader += f", without `{case['lost']}`" if "lost" in case else ""
        lines.append(
            f"| {FAMILIES[name.split('_')[0]]} | `{case['architecture']}` | {case['about']} "
            f"| {'yes' if np.isfinite(worst) else 'no'} | {reader if converted else 'no'} "
            f"| {'NumPy' if case.get('reference') else 'transformers'} | {worst:.1e} "
            f"| {'–' if own is None else f'{own:.1e}'} |"
        )
    for name, worst, own, converted in decoders:
        family, architecture, about = described(name)
        lines.append(
            f"| {family} | `{architecture}` | {about} | {'yes' if np.isfinite(worst) else 'no'} "
            f"| {'by transformers' if converted else 'no'} | transformers | {worst:.1e} | {own:.1e} |"
        )
    return "\n".join(lines)
