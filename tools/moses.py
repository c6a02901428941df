"""Moses' tokenization, by the package sacremoses, which pip fetches into demo/."""

import pathlib
import subprocess
import sys

PACKAGE = "sacremoses==0.2.0"
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "demo/sacremoses"


def fetch():
    """The folder of the package."""
    if not FOLDER.exists():
        part = FOLDER.with_name(FOLDER.name + ".fetching")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(part), PACKAGE]
        if subprocess.run(command, check=False).returncode != 0:
            sys.exit(f"moses.py: cannot install {PACKAGE}")
        part.rename(FOLDER)
    return FOLDER


def tokenize(folder, language, source, target):
    """Writes the tokens of each line, hyphens undivided."""
    sys.path.insert(0, str(folder))
    from sacremoses import MosesTokenizer

    tokenizer = MosesTokenizer(language)
    lines = source.read_bytes().decode().removesuffix("\n").split("\n")
    target.write_text("".join(tokenizer.tokenize(line, return_str=True) + "\n" for line in lines), encoding="utf-8")
