"""Checks that no room of src/ includes from a room above it or beside it (docs/architecture.md).

Prints each wrong include as file:line and exits with 1 if there is one.
"""

import pathlib
import re
import sys

FLOORS = [
    ["base"],
    ["position", "tensor"],
    ["checkpoint", "data", "text", "report"],
    ["backend"],
    ["ops"],
    ["nn"],
    ["models"],
    ["training"],
    ["tasks"],
    ["cli", "library"],
]
# Exceptions: `data` may use `text`; the installed headers of include/roformer are for these two.
BESIDE = {("data", "text"), ("base", "roformer"), ("library", "roformer")}

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent / "src"
    wrong = 0
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        room = path.relative_to(root).parts[0]
        if room not in FLOOR:
            print(f"{path}: room {room} is on no floor of tools/check_includes.py")
            wrong += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([a-z_]+)/', line)
            if not match:
                continue
            other = match.group(1)
            if other == room or (room, other) in BESIDE or other == "hwy":
                continue
            if other not in FLOOR or FLOOR[other] >= FLOOR[room]:
                print(f"{path.relative_to(root.parent)}:{number}: {room} must not include {other}")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
