#!/usr/bin/env python3
"""Writes tests/fixtures/pytorch: small files of torch.save in each of its forms, and the tensors that they hold.

expected.safetensors holds what all of them must give, made contiguous and, for float16 and bfloat16, widened. The files
are kept in git, so the tests need no Python; run this after changing it.

    tools/venv.sh && venv/bin/python tools/make_pytorch_fixtures.py
"""

import collections
import json
import pathlib

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "pytorch"


def tensors():
    """One of each kind that a checkpoint may hold."""
    torch.manual_seed(1)
    word = torch.randn(4, 3)
    fused = torch.randn(6, 3)
    return collections.OrderedDict(
        word=word,
        tied=word,  # shares its storage
        transposed=torch.randn(5, 3).t(),
        permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
        every_second=torch.randn(8)[::2],
        query=fused[:2],
        key=fused[2:4],
        half=torch.tensor([1.5, -0.0, 6e-8, 65504.0, float("inf"), float("-inf"), 0.333], dtype=torch.float16),
        half_transposed=torch.randn(2, 3).half().t(),
        bfloat=torch.tensor([1.5, -0.0, 1e-40, 3e38, float("inf"), 0.333]).bfloat16(),
        double=torch.randn(3, dtype=torch.float64),
        position_ids=torch.arange(5).unsqueeze(0),
        small=torch.tensor([[1, -2]], dtype=torch.int32),
        scalar=torch.tensor(0.25),
        empty=torch.zeros(0, 7),
    )


def expected(state):
    widened = (torch.float16, torch.bfloat16)
    return {name: (t.float() if t.dtype in widened else t).contiguous().clone() for name, t in state.items()}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    state = tensors()
    save_file(expected(state), FOLDER / "expected.safetensors")
    torch.save(state, FOLDER / "zip.bin")
    torch.save(dict(state), FOLDER / "zip_protocol_4.bin", pickle_protocol=4)
    torch.save(state, FOLDER / "legacy.bin", _use_new_zipfile_serialization=False)

    parameters = collections.OrderedDict(
        (name, torch.nn.Parameter(t) if t.is_floating_point() else t) for name, t in state.items()
    )
    parameters._metadata = {"": {"version": 1}}  # as Module.state_dict() has it
    checkpoint = {
        "epoch": 3,
        "loss": 0.5,
        "big": 2**80,
        "name": "a \u00e9 \u738b",
        "flags": [True, False, None, (1, -1, 70000), {"x": b"bytes"}],
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 0.1}]},
        "model": {"state_dict": parameters},
    }
    torch.save(checkpoint, FOLDER / "nested.bin")
    torch.save(checkpoint, FOLDER / "nested_legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"mask": torch.tensor([1, 2], dtype=torch.uint8), "fp8": torch.zeros(3, dtype=torch.float8_e5m2),
                "a": torch.ones(1)}, FOLDER / "other_types.bin")

    names = list(state)
    shards = {"pytorch_model-00001-of-00002.bin": names[:7], "pytorch_model-00002-of-00002.bin": names[7:]}
    (FOLDER / "sharded").mkdir(exist_ok=True)
    for file, held in shards.items():
        torch.save({name: state[name] for name in held}, FOLDER / "sharded" / file)
    weight_map = {name: file for file, held in shards.items() for name in held}
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (FOLDER / "sharded" / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
