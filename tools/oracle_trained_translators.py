"""Translators that the program has trained, loaded and used by transformers: a MarianMTModel and an EncoderDecoderModel.

Part of oracle.py. They learn numbers, digit by digit, well enough that translations differ and end; both programs then take
the same ones from the same directory, by its tokenizers and its generation_config.json.
"""

import json
import pathlib
import subprocess
import tempfile

import torch
import transformers

WORDS = (
    "zero one two three four five six seven eight nine".split(),
    "null eins zwei drei vier fünf sechs sieben acht neun".split(),
)
FORMS = {"marian": transformers.MarianMTModel, "roformer": transformers.EncoderDecoderModel}
SHAPE = ("--vocab-size", 300, "--hidden-size", 32, "--intermediate-size", 48, "--layers", 2, "--heads", 2)
RUN = ("--steps", 300, "--batch-tokens", 200, "--learning-rate", 5e-3, "--dropout", 0, "--validate-every", 300)
LEARNED, TRANSLATED = 400, 30


def write_pairs(folder, name, numbers):
    for words, language in zip(WORDS, ("en", "de")):
        lines = (" ".join(words[int(digit)] for digit in f"{number * 7919 % 10000:04}") for number in numbers)
        (folder / f"{name}.{language}").write_text("\n".join(lines) + "\n")


def translate_with_transformers(directory, kind, lines):
    tokenizer, model = transformers.MarianTokenizer.from_pretrained(directory), kind.from_pretrained(directory).eval()
    translated = []
    for line in lines:
        inputs = tokenizer([line], return_tensors="pt")
        with torch.no_grad():
            ids = model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        text = tokenizer.batch_decode(ids, skip_special_tokens=True)[0]
        translated.append((ids[0, 1:].tolist(), text))
    return translated


def check_trained_translators(results, program):
    for form, kind in FORMS.items():
        name = f"train-translator --form {form}, in transformers"
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            write_pairs(folder, "train", range(LEARNED))
            write_pairs(folder, "test", range(LEARNED, LEARNED + TRANSLATED))
            files = [option for side, language in (("source", "en"), ("target", "de"))
                     for option in (f"--{side}", folder / f"train.{language}")]  # fmt: skip
            command = [program, "train-translator", *files, "--output", folder / "model", "--form", form, *SHAPE, *RUN]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                results.add(False, name, done.stderr)
                continue
            command = [program, "translate", "--model", folder / "model", "--json", "--input", folder / "test.en"]
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
            ours = [(one["ids"], one["text"]) for one in map(json.loads, done.stdout.splitlines())]
            lines = (folder / "test.en").read_text().splitlines()
            theirs = translate_with_transformers(folder / "model", kind, lines)
            same = sum(a == b for a, b in zip(ours, theirs, strict=True))
            different = len({text for _, text in ours})
            results.add(same == len(lines) and different > TRANSLATED // 2, name,
                        f"{same} of {len(lines)} translations the same, {different} different ones")  # fmt: skip
