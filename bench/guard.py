#!/usr/bin/env python3
"""The speed of this tree beside that of a commit, on this machine.

    make bench-guard COMMIT=REVISION      ten minutes on two idle cores, and the time to build both

Both programs run every workload in turns. A ratio is this tree's speed divided by the commit's in the same round; the table has the
median of the rounds and their range. A workload is slower if the median is below 0.97 and no round says otherwise: then the exit
code is 1. A workload that one of them does not know is left out.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/peers"))

import machine  # noqa: E402

SLOWER, ROUNDS, SECONDS = 0.97, 5, 1.0


def of_length(count, length):
    return ",".join([str(length)] * count)


BASE, DEMO = ("--preset", "roformer-base"), ("--preset", "demo")
TRAINING, ATTENTION = ("--mode", "training"), ("--mode", "attention", "--preset", "roformer-base", "--direction", "bidirectional")
WORKLOADS = {
    **{f"inference, base {count} × {length}, {dtype}": (*BASE, "--lengths", of_length(count, length), "--dtype", dtype)
       for count, length, dtype in ((1, 16, "float32"), (1, 128, "float32"), (4, 512, "float32"), (4, 512, "bfloat16"),
                                    (1, 128, "int8"), (4, 512, "int8"), (1, 1536, "int8"))},
    **{f"training, demo 32 × 128, {dtype}": (*TRAINING, *DEMO, "--lengths", of_length(32, 128), "--dtype", dtype)
       for dtype in ("float32", "bfloat16")},
    "training, base 4 × 512, float32": (*TRAINING, *BASE, "--lengths", of_length(4, 512), "--passes", 3),
    **{f"attention, {length}, {dtype}": (*ATTENTION, "--lengths", length, "--dtype", dtype)
       for length, dtype in ((512, "float32"), (4096, "float32"), (4096, "bfloat16"))},
    "attention, 8192 in a window of 512, float32": (*ATTENTION, "--lengths", 8192, "--window", 512),
    "linear attention, 4096, float32": ("--mode", "attention", "--attention", "linear-elu", "--lengths", 4096),
    "rotation, 4096": ("--mode", "rotation", "--lengths", 4096),
    "decoding, llama-100m": ("--mode", "decoding", "--preset", "llama-100m", "--batches", "1,8", "--new-tokens", 16,
                             "--prompt-tokens", 16),
}  # fmt: skip


def built(commit):
    """The program of a commit, built once."""
    name = subprocess.run(["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, text=True)
    if name.returncode != 0:
        sys.exit(f"guard.py: {commit} is no commit of this repository")
    folder = ROOT / "build/guard" / name.stdout.strip()[:12]
    program = folder / "build/release/roformer"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=True)
        for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release", "--target", "roformer"]):
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return program


def speeds(program, arguments):
    """By measurement of a workload, higher is better; None if the program does not know the workload."""
    words = [str(word) for word in ("bench", *arguments, "--json")]
    if "--seconds" not in words:
        words += ["--seconds", str(SECONDS)]
    run = subprocess.run([program, *words], capture_output=True, text=True)
    if run.returncode != 0:
        return None
    found = {}
    for line in map(json.loads, run.stdout.splitlines()):
        name = " ".join(str(value) for key, value in sorted(line.items()) if key in ("batch", "layout"))
        name += "".join(f" {key}" for key in ("causal", "backward") if line.get(key))
        found[name.strip()] = line["tokens_per_second"] if "tokens_per_second" in line else 1 / line["ms"]
    return found


def ratios(here, there, arguments, rounds):
    """By measurement, of each round."""
    found = {}
    for i in range(rounds):
        programs = (here, there) if i % 2 == 0 else (there, here)
        measured = {program: speeds(program, arguments) for program in programs}
        if None in measured.values():
            return None
        for name, speed in measured[here].items():
            found.setdefault(name, []).append(speed / measured[there][name])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/roformer", help="%(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="%(default)s")
    parser.add_argument("--only", default="", help="workloads whose names contain this")
    options = parser.parse_args()
    there, here = built(options.commit), options.program.resolve()
    print(f"{machine.processor()}\nspeed of this tree / of {options.commit}, {options.rounds} rounds\n")
    slower = []
    for workload, arguments in WORKLOADS.items():
        if options.only not in workload:
            continue
        found = ratios(here, there, arguments, options.rounds)
        if found is None:
            print(f"       –                 {workload}: not known to both")
            continue
        for name, values in found.items():
            median, title = statistics.median(values), f"{workload}{', ' if name else ''}{name}"
            if median < SLOWER and max(values) < 1:
                slower.append(title)
            print(f"    {median:5.2f} ({min(values):.2f}–{max(values):.2f})   {title}{'   SLOWER' if title in slower else ''}", flush=True)
    print(f"\nslower: {'; '.join(slower) if slower else 'nothing'}")
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
