"""Checks the relative links of *.md and docs/*.md: files exist, and lines contain what the link names.

A link to a line is written [`name`](path#L12) and line 12 must hold the last part of the name: `rotate` of
`Backend::rotate`, `Falls` of `Decay.Falls`. Where several do, it must look like a definition rather than a use. With
--fix such links get the nearest line that does. Prints each wrong link as file:line and exits with 1 if there is one.
"""

import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


@functools.cache
def lines_of(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def identifier(text: str) -> str | None:
    """`Decay.FallsWithDistance` -> FallsWithDistance; None for a text that is no code."""
    match = re.fullmatch(r"`([^`]+)`", text)
    return re.split(r"::|\.", match.group(1).removesuffix("()"))[-1] if match else None


def places(path: pathlib.Path, name: str, near: int) -> list[int]:
    """The lines with the name as a word, the best first."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")

    def rank(number: int) -> tuple[int, int]:
        line = lines_of(path)[number - 1]
        use = line.lstrip().startswith(("//", "#")) or line.rstrip().endswith(("(" + name + ",", name + ";"))
        return (2 if use else 1 if line[:1].isspace() else 0, abs(number - near))

    found = [number for number, line in enumerate(lines_of(path), 1) if word.search(line)]
    return sorted(found, key=rank)


def main() -> int:
    fix = sys.argv[1:] == ["--fix"]
    wrong = 0
    for page in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]:
        result = []
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(keepends=True), 1):
            for text, target, anchor in LINK.findall(line):
                if not target or "://" in target or target.startswith("mailto:"):
                    continue
                path = page.parent / target
                problem = None
                if not path.exists():
                    problem = "no such file"
                elif re.fullmatch(r"L\d+", anchor):
                    name, at = identifier(text), int(anchor[1:])
                    found = places(path, name, at) if name else []
                    if not found:
                        problem = "the file does not hold that name"
                    elif found[0] != at:
                        problem = f"{name} is in line {found[0]}"
                        if fix:
                            old = f"[{text}]({target}#{anchor})"
                            line = line.replace(old, old.replace(f"#{anchor})", f"#L{found[0]})"))
                if problem:
                    print(f"{page.relative_to(ROOT)}:{number}: [{text}]({target}{'#' + anchor if anchor else ''}): {problem}")
                    wrong += 1
            result.append(line)
        if fix:
            page.write_text("".join(result), encoding="utf-8")
    return 1 if wrong and not fix else 0


if __name__ == "__main__":
    sys.exit(main())
