"""Where the hostile files are put, and a number beyond what 64 signed bits hold."""

import pathlib

INT64 = 2**63
FILES = pathlib.Path(__file__).resolve().parent / "files"


def put(name: str, content: str | bytes) -> None:
    path = FILES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
