"""Checks that no module of src/ includes from a module of the same or a higher layer (docs/architecture.md).

Prints each wrong include as file:line and exits with 1 if there is one.
"""

import pathlib
import re
import sys

# From the lowest layer up; modules of one layer do not include each other.
LAYERS = [
    ["base"],
    ["position", "tensor"],
    ["formats", "checkpoint", "data", "text"],
    ["metrics"],
    ["report"],
    ["backend"],
    ["ops"],
    ["nn"],
    ["models"],
    ["training", "inference", "generation", "interchange"],
    ["tasks"],
    ["lab"],
    ["cli", "library"],
]
# The same within a module: its folders, single files that may include more, and "." for all other files.
INNER_LAYERS = {
    "text": [["."], ["wordpiece/"], ["jieba/", "sentencepiece/"], ["pipeline/"],
             ["learn/", "load_tokenizer"]],
    "backend": [["."], ["reference/"], ["cpu/"], ["registry"]],
    "backend/cpu": [["memory/", "simd"], ["rows/"], ["gemm/"], ["attention/"], ["linear_attention/"], ["."]],
}
# Exceptions: `data` may use `text`, and so may `formats` for files that hold a tokenizer; the installed headers of include/roformer are for these two.
BESIDE = {("data", "text"), ("formats", "text"), ("base", "roformer"), ("library", "roformer")}


def layer_of(layers, name: str):
    return next((number for number, names in enumerate(layers) if name in names), None)


def inner_name(layers, rest) -> str:
    """Where a file lies within a module: a name in `layers`, or "."."""
    name = rest[0] + "/" if len(rest) > 1 else re.sub(r"(-inl)?\.\w+$", "", rest[0])
    return name if layer_of(layers, name) is not None else "."


def complaints(path, include):
    """What is wrong with an include, both as parts of paths below src/."""
    module, other = path[0], include[0]
    if layer_of(LAYERS, module) is None:
        yield f"module {module} is in no layer of tools/check_includes.py"
        return
    if other != module and (module, other) not in BESIDE and other != "hwy":
        below = layer_of(LAYERS, other)
        if below is None or below >= layer_of(LAYERS, module):
            yield f"{module} must not include {other}"
    for folder, layers in INNER_LAYERS.items():
        depth = folder.count("/") + 1
        if "/".join(path[:depth]) != folder or "/".join(include[:depth]) != folder:
            continue
        mine, theirs = inner_name(layers, path[depth:]), inner_name(layers, include[depth:])
        if mine != theirs and layer_of(layers, theirs) >= layer_of(layers, mine):
            yield f"{folder}: {mine} must not include {theirs}"


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    wrong = 0
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([a-z0-9_/.-]+)"', line)
            if not match or "/" not in match.group(1):
                continue
            for complaint in complaints(path.relative_to(root).parts, match.group(1).split("/")):
                print(f"{path.relative_to(root.parent)}:{number}: {complaint}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
