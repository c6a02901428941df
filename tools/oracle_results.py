"""The program's results beside an oracle's: running it, comparing tensors, saying what was found."""

import json
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file

PROGRAM_TIMEOUT_S = 600


class Results:
    """Prints a line a check and remembers whether any failed; `quiet` prints failures alone, to stderr."""

    def __init__(self, quiet=False):
        self.failed = 0
        self.quiet = quiet

    def add(self, passed, name, detail):
        if not (self.quiet and passed):
            line = f"{'ok  ' if passed else 'FAIL'}  {name}: {detail}"
            print(line, file=sys.stderr if self.quiet else sys.stdout, flush=True)
        self.failed += not passed


def relative_error(actual, expected):
    """max |difference| / max |expected|; infinite if shapes differ or a value is not a number."""
    if actual.shape != expected.shape:
        return float("inf")
    error = np.abs(actual.astype(np.float64) - expected).max(initial=0.0)
    return float(error / np.abs(expected).max(initial=1e-300)) if np.isfinite(error) else float("inf")


def compare(actual, expected):
    """({kind of tensor: error}, problem or None) over two {name: array}; kind is the name before its index.

    The error is max |difference| / max |expected| over all tensors of a kind: a head may give a sequence a single
    number, which happens to be near 0.
    """
    missing = sorted(set(expected) - set(actual))
    extra = sorted(set(actual) - set(expected))
    if missing or extra:
        return {}, f"missing tensors {missing}, unexpected tensors {extra}"
    gathered = {}
    for name, values in expected.items():
        if actual[name].shape != values.shape:
            return {}, f"{name} has shape {list(actual[name].shape)}, expected {list(values.shape)}"
        pair = gathered.setdefault(name.split(".")[0], ([], []))
        pair[0].append(actual[name].ravel())
        pair[1].append(values.ravel())
    errors = {
        kind: relative_error(np.concatenate(ours), np.concatenate(theirs)) for kind, (ours, theirs) in gathered.items()
    }
    return errors, None


def run_program(program, *arguments):
    """What went wrong, or None."""
    try:
        command = [str(program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {PROGRAM_TIMEOUT_S} s"
    if done.returncode == 0:
        return None
    message = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return f"exit code {done.returncode}: {message}"


def run_forward(program, model, inputs, folder):
    """({name: array}, problem or None) of `program forward`. inputs: inputs.json's content."""
    ids, output = folder / "ids.json", folder / "out.safetensors"
    ids.write_text(json.dumps({name: values for name, values in inputs.items() if name != "visibility"}))
    options = ["--attention-mask", inputs["visibility"]] if "visibility" in inputs else []
    problem = run_program(program, "forward", "--model", model, "--ids", ids, "--output", output, *options)
    if problem is not None:
        return {}, problem
    if not output.is_file():
        return {}, "exit code 0, but the output file is not there"
    return load_file(output), None


def report_comparison(results, name, actual, expected, single, tolerance):
    """Adds the comparison of the program's tensors with the oracle's; returns the worst error, infinite without any.

    single: transformers' own float32 tensors, None where it has no such model.
    """
    errors, problem = compare(actual, expected)
    if problem is not None:
        results.add(False, name, problem)
        return float("inf")
    yardstick = compare(single, expected)[0] if single is not None else {}
    detail = ", ".join(
        f"{kind} {error:.1e}" + (f" (transformers float32 {yardstick[kind]:.1e})" if yardstick else "")
        for kind, error in sorted(errors.items())
    )
    results.add(all(error <= tolerance for error in errors.values()), name, detail)
    return max(errors.values())
