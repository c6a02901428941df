"""Checks that no room of src/ includes from a room above it or beside it (docs/architecture.md).

Prints each wrong include as file:line and exits with 1 if there is one.
"""

import pathlib
import re
import sys

# From the ground up; what stands in one list knows nothing of its neighbors.
FLOORS = [
    ["base"],
    ["position", "tensor"],
    ["formats", "checkpoint", "data", "text", "report"],
    ["backend"],
    ["ops"],
    ["nn"],
    ["models"],
    ["training", "inference", "generation", "interchange"],
    ["lab"],
    ["cli", "library"],
]
# The same within a room: its folders, single files that know more than their neighbors, and "." for all others.
INNER_FLOORS = {
    "text": [["."], ["wordpiece/"], ["jieba/", "sentencepiece/"], ["learn/", "load_tokenizer"]],
    "backend": [["."], ["reference/"], ["cpu/"], ["registry"]],
    "backend/cpu": [["memory/", "simd"], ["rows/"], ["gemm/"], ["attention/"], ["linear_attention/"], ["."]],
}
# Exceptions: `data` may use `text`; the installed headers of include/roformer are for these two.
BESIDE = {("data", "text"), ("base", "roformer"), ("library", "roformer")}


def floor_of(floors, name: str):
    return next((number for number, names in enumerate(floors) if name in names), None)


def inner_name(floors, rest) -> str:
    """Where a file lies within a room: a name that `floors` has, or "."."""
    name = rest[0] + "/" if len(rest) > 1 else re.sub(r"(-inl)?\.\w+$", "", rest[0])
    return name if floor_of(floors, name) is not None else "."


def complaints(path, include):
    """What is wrong with an include, both as parts of paths below src/."""
    room, other = path[0], include[0]
    if floor_of(FLOORS, room) is None:
        yield f"room {room} is on no floor of tools/check_includes.py"
        return
    if other != room and (room, other) not in BESIDE and other != "hwy":
        below = floor_of(FLOORS, other)
        if below is None or below >= floor_of(FLOORS, room):
            yield f"{room} must not include {other}"
    for folder, floors in INNER_FLOORS.items():
        depth = folder.count("/") + 1
        if "/".join(path[:depth]) != folder or "/".join(include[:depth]) != folder:
            continue
        mine, theirs = inner_name(floors, path[depth:]), inner_name(floors, include[depth:])
        if mine != theirs and floor_of(floors, theirs) >= floor_of(floors, mine):
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
