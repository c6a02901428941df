#!/usr/bin/env python3
"""Has transformers save random models in every form it can, converts them, and has transformers load the result.

For each model and each form of its files (safetensors, shards with an index, pytorch_model.bin in both containers,
float16, old names): `roformer convert` must end with its self-check, from_pretrained must find nothing missing,
unexpected or misshapen and warn of nothing, and every parameter must be bit-equal to the original's. `roformer inspect`
must list what the files hold. One line a check; exit code 1 if any failed.

    tools/venv.sh && venv/bin/python tools/oracle_convert.py --program build/release/roformer
"""

import argparse
import json
import logging
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file

SHAPE = dict(
    vocab_size=97,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=37,
    max_position_embeddings=40,
    type_vocab_size=2,
)
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "king", "##s"]
ROFORMER_KINDS = ["Model", "ForMaskedLM", "ForCausalLM", "ForSequenceClassification", "ForTokenClassification",
                  "ForQuestionAnswering", "ForMultipleChoice"]
BERT_KINDS = ["Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
              "ForMultipleChoice"]


class Records(logging.Handler):
    """Everything that transformers logs."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


def random_model(family, kind, **more):
    config = getattr(transformers, f"{family}Config")(**(SHAPE | more))
    model = getattr(transformers, f"{family}{kind}")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" not in name:
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


def old_names(state):
    """Without the prefix, LayerNorm.gamma and beta, without the tied decoder and the table of positions, as conversions of long ago."""
    result = {}
    for name, tensor in state.items():
        name = name.removeprefix("roformer.").removeprefix("bert.")
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        if name != "cls.predictions.decoder.weight" and "embed_positions" not in name:
            result[name] = tensor.clone()
    return result


def save(model, form, folder):
    """Writes the model's directory in one form; returns the file to give to convert."""
    model.save_pretrained(folder, max_shard_size="10KB" if form == "shards" else "5GB")
    (folder / "vocab.txt").write_text("\n".join(TOKENS) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    state = model.state_dict()
    if form not in ("safetensors", "shards"):
        (folder / "model.safetensors").unlink()
    if form == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    elif form == "legacy bin":
        torch.save({"state_dict": state}, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    elif form == "old names":
        torch.save(old_names(state), folder / "pytorch_model.bin")
    elif form in ("float16", "bfloat16"):
        dtype = getattr(torch, form)
        names = {name: tensor.to(dtype).contiguous().clone() for name, tensor in state.items() if "embed_positions" not in name}
        save_file(names, folder / "model.safetensors", metadata={"format": "pt"})
    elif form == "another file":
        torch.save(state, folder / "weights.pt")
        return folder / "weights.pt"
    return folder


FORMS = ["safetensors", "shards", "bin", "legacy bin", "old names", "float16", "bfloat16", "another file"]


def check(program, model, form, folder):
    """None, or what is wrong."""
    source, target = folder / "source", folder / "target"
    given = save(model, form, source)
    command = [program, "convert", "--input", str(given), "--output", str(target), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return done.stderr.strip()
    if done.stderr:
        return f"convert warned: {done.stderr.strip()}"
    report = json.loads(done.stdout)
    if report["source_xxh3"] != report["result_xxh3"]:
        return "the hashes differ"
    again = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if again["written"] or not report["written"] or again["result_xxh3"] != report["result_xxh3"]:
        return "a second run does not say that the directory holds the same"

    records = Records()
    transformers.utils.logging.get_logger("transformers").addHandler(records)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded, info = type(model).from_pretrained(target, output_loading_info=True)
    transformers.utils.logging.get_logger("transformers").removeHandler(records)
    for key, value in info.items():
        if value:
            return f"{key}: {value}"
    if records.texts or caught:
        return f"transformers warned: {records.texts} {[str(w.message) for w in caught]}"
    rounded = {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(form, torch.float32)
    mine = dict(loaded.named_parameters())
    for name, parameter in model.named_parameters():
        expected = parameter if "embed_positions" in name else parameter.to(rounded).float()
        if name not in mine or not torch.equal(mine[name], expected):
            return f"{name} differs"
    if transformers.AutoTokenizer.from_pretrained(target)("the kings")["input_ids"] != [2, 5, 6, 7, 3]:
        return "the tokenizer's ids differ"
    inspected = json.loads(subprocess.run([program, "inspect", "--model", str(target), "--json"], capture_output=True,
                                          text=True, check=True).stdout)
    counted = [tensor for tensor in inspected["tensors"] if "embed_positions" not in tensor["name"]]
    if len(counted) != report["tensors"]:
        return "inspect counts otherwise"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer", help="%(default)s")
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    options = parser.parse_args()
    program = str(pathlib.Path(options.program).resolve())
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)

    cases = [("RoFormer", kind, {}) for kind in ROFORMER_KINDS] + [("Bert", kind, {}) for kind in BERT_KINDS]
    cases += [("RoFormer", "ForMaskedLM", {"embedding_size": 12, "rotary_value": True, "hidden_act": "relu"})]
    failed = 0
    for family, kind, more in cases:
        if kind == "ForCausalLM":
            more = more | {"is_decoder": True}
        for form in FORMS:
            name = f"{family}{kind} {' '.join(more)}, {form}"
            if options.only not in name:
                continue
            with tempfile.TemporaryDirectory() as folder:
                problem = check(program, random_model(family, kind, **more), form, pathlib.Path(folder))
            print(f"{'FAIL' if problem else 'ok  '}  {name}{': ' + problem if problem else ''}", flush=True)
            failed += problem is not None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
