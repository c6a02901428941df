#!/usr/bin/env python3
"""Writes tests/fixtures/pipelines: a tokenizer.json of each pipeline of pipeline_cases.py and, in expected.json, what
Hugging Face's tokenizers gives for its texts: [ids, offsets, decoded without special tokens] of each.

    tools/venv.sh && venv/bin/python tools/make_pipeline_fixtures.py
"""

import json
import pathlib

from pipeline_cases import CASES, TEXTS, make, random_texts

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/pipelines"
RANDOM = 12


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = TEXTS + random_texts(1, RANDOM)
    lines = []
    for name in CASES:
        tokenizer = make(name)
        (FOLDER / f"{name}.json").write_text(tokenizer.to_str(pretty=False) + "\n", encoding="utf-8")
        encodings = [tokenizer.encode(text) for text in texts]
        pair = tokenizer.encode("Hello, the", "New York kin")
        expected = {
            "texts": [[e.ids, [n for offset in e.offsets for n in offset], tokenizer.decode(e.ids)] for e in encodings],
            "pair": [pair.ids, pair.type_ids],
        }
        lines.append(f"{dump(name)}:{dump(expected)}")
    content = '{"texts":' + dump(texts) + ',\n"expected":{\n' + ",\n".join(lines) + "}}\n"
    (FOLDER / "expected.json").write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
