#!/usr/bin/env python3
"""Measures how long a RoFormer-base in files takes to be ready, in this program and in transformers.

A random model (about 500 MB of float32) is saved by transformers into a temporary folder. Each round loads it once with
each, in a fresh process, taking turns at going first; everything is in the page cache. `ready` is load_model against
from_pretrained; `first result` adds the first forward of one short sentence, which here reads the weights for the first
time. Starting the process and importing libraries are not counted, which favours transformers. Medians.

    tools/venv.sh && venv/bin/python bench/peers/load.py --program build/release/roformer
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

SHAPE = dict(vocab_size=50000, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)
LENGTH = 16


def peer(folder):
    """Prints milliseconds: until from_pretrained returns, and of the first forward."""
    import time

    import torch
    from transformers import RoFormerForMaskedLM

    torch.set_num_threads(2)
    begin = time.perf_counter()
    model = RoFormerForMaskedLM.from_pretrained(folder).eval()
    ready = time.perf_counter()
    with torch.inference_mode():
        model.roformer(torch.ones(1, LENGTH, dtype=torch.long))
    done = time.perf_counter()
    print(json.dumps({"load_ms": (ready - begin) * 1e3, "first_pass_ms": (done - ready) * 1e3}))


def make_model(folder):
    import torch
    from transformers import RoFormerConfig, RoFormerForMaskedLM

    torch.manual_seed(1)
    RoFormerForMaskedLM(RoFormerConfig(**SHAPE)).save_pretrained(folder)


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    result = json.loads(done.stdout)
    return result["load_ms"], result["load_ms"] + result["first_pass_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer", help="%(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="%(default)s")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        return peer(options.peer)
    with tempfile.TemporaryDirectory() as folder:
        make_model(folder)
        size = (pathlib.Path(folder) / "model.safetensors").stat().st_size
        commands = {
            "roformer": [options.program, "bench", "--model", folder, "--lengths", str(LENGTH), "--threads", "2",
                         "--passes", "1", "--seconds", "0", "--json"],
            "transformers": [sys.executable, __file__, "--peer", folder],
        }
        times = {name: [] for name in commands}
        for command in commands.values():
            measure(command)  # fills the page cache
        for turn in range(options.rounds):
            for name in sorted(commands, reverse=turn % 2 == 1):
                times[name].append(measure(commands[name]))
    print(f"{size / 1e6:.0f} MB, medians of {options.rounds} rounds")
    medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in times.items()}
    for i, what in enumerate(("ready", "first result")):
        ours, theirs = medians["roformer"][i], medians["transformers"][i]
        print(f"{what:<13} roformer {ours:8.1f} ms, transformers {theirs:8.1f} ms, ratio 1/{theirs / ours:.1f}")


if __name__ == "__main__":
    main()
