#!/usr/bin/env python3
"""Sentences per second of `roformer embed` beside PyTorch, ONNX Runtime and OpenVINO on the same sentence model.

Ours is the whole command, program start and reading of the model included; a peer is a process that has loaded the
model and warmed up, and is timed from text to vectors (embed_peer.py says how). Contestants take turns, each round in
another order, and never run at the same time. CPU time is that of all threads: it tells more than the clock on a
machine that others use, too (with --threads 1: no waiting is counted as work). First all vectors are compared: the program stops if one contestant
computes something else. float32 everywhere.

    venv/bin/pip install onnxruntime openvino onnx onnxscript
    venv/bin/python bench/peers/embed.py --program build/release/roformer --model MINILM --texts sentences.txt

--texts may also be STS-B's sts-test.csv: then the texts are its 2,758 sentences.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
from run import CPU_FLAGS  # noqa: E402
from sts import read_pairs  # noqa: E402

PEERS = ("torch", "onnxruntime", "openvino")
TOLERANCE = 2e-5  # of vectors of length 1


class Peer:
    def __init__(self, name, options, folder):
        self.vectors = folder / f"{name}.npy"
        command = [sys.executable, str(HERE / "embed_peer.py"), "--peer", name, "--model", str(options.model)]
        command += ["--texts", str(options.texts), "--onnx", str(folder / "model.onnx"), "--vectors", str(self.vectors)]
        command += ["--threads", str(options.threads), "--batch-size", str(options.batch_size)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(options),
        )
        self.answer(name)

    def answer(self, name):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"embed.py: the peer {name} ended with exit code {self.process.wait()}")
        return json.loads(line)

    def measure(self):
        """Seconds of one pass: by the clock, and of all threads."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        passed = self.answer("")
        return passed["seconds"], passed["cpu_seconds"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours:
    def __init__(self, options, folder):
        self.vectors = folder / "roformer.npy"
        self.command = [str(options.program), "embed", "--model", str(options.model), "--input", str(options.texts)]
        self.command += ["--pooling", "mean", "--normalize", "--output", str(self.vectors)]
        self.command += ["--threads", str(options.threads)]
        self.environment = environment(options)
        self.measure()

    def measure(self):
        begin, cpu_begin = time.perf_counter(), self.cpu_seconds()
        subprocess.run(self.command, check=True, env=self.environment, stderr=subprocess.DEVNULL)
        return time.perf_counter() - begin, self.cpu_seconds() - cpu_begin

    @staticmethod
    def cpu_seconds():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended: the program's runs
        return usage.ru_utime + usage.ru_stime

    def close(self):
        pass


def environment(options):
    threads = str(options.threads)
    return os.environ | {"OMP_NUM_THREADS": threads, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"}


def compare(contestants):
    """Stops unless all computed the same vectors, up to rounding."""
    reference = np.load(contestants["torch"].vectors)
    for name, contestant in contestants.items():
        vectors = np.load(contestant.vectors)
        if vectors.shape != reference.shape:
            sys.exit(f"embed.py: {name} gives {vectors.shape}, torch {reference.shape}")
        difference = float(np.abs(vectors - reference).max())
        print(f"- {name}: largest difference from torch {difference:.1e}")
        if not difference <= TOLERANCE:
            sys.exit(f"embed.py: {name} computes something else")


def compare_speeds(texts, ours, theirs, kind):
    """Two cells of the table; kind: 0 by the clock, 1 of all threads."""
    rates = [texts / seconds[kind] for seconds in theirs]
    ratios = [their[kind] / our[kind] for our, their in zip(ours, theirs, strict=True)]
    return (
        f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})",
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})",
    )


def describe(options):
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    present = set(info.get("flags", "").split())
    version = subprocess.run([str(options.program), "--version"], capture_output=True, text=True, check=True).stdout
    packages = [f"{name} {importlib.metadata.version(name)}" for name in (*PEERS, "transformers", "tokenizers")]
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"- CPU: {info.get('model name', platform.machine())}, {len(os.sched_getaffinity(0))} cores usable")
    print(f"- flags: {' '.join(flag for flag in CPU_FLAGS if flag in present)}")
    print(f"- threads: {options.threads}; rounds: {options.rounds}; load average at the start: {load}")
    print(f"- versions: {', '.join([version.strip(), *packages])}, Python {platform.python_version()}")
    print(f"- command: `{shlex.join(['python', os.path.relpath(sys.argv[0]), *sys.argv[1:]])}`")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, required=True, help="the roformer program")
    parser.add_argument("--model", type=pathlib.Path, required=True, help="directory of a BERT sentence model")
    parser.add_argument("--texts", type=pathlib.Path, required=True, help="one text a line, or STS-B's sts-test.csv")
    parser.add_argument("--threads", type=int, default=2, help="for each contestant (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="%(default)s")
    parser.add_argument("--batch-size", type=int, default=32, help="of the peers (%(default)s)")
    options = parser.parse_args()
    options.program = options.program.resolve()

    describe(options)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.texts.suffix == ".csv":
            sentences = [text for _, first, second in read_pairs(options.texts) for text in (first, second)]
            options.texts = folder / "texts.txt"
            options.texts.write_text("".join(text + "\n" for text in sentences), encoding="utf-8")
        texts = options.texts.read_bytes().count(b"\n")
        export = [sys.executable, str(HERE / "embed_peer.py"), "--peer", "export", "--model", str(options.model)]
        export += ["--onnx", str(folder / "model.onnx")]
        subprocess.run(export, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        contestants = {"roformer": Ours(options, folder)} | {peer: Peer(peer, options, folder) for peer in PEERS}
        compare(contestants)
        passes = {contestant: [] for contestant in contestants}
        names = list(contestants)
        for turn in range(options.rounds):
            for contestant in names[turn % len(names) :] + names[: turn % len(names)]:
                passes[contestant].append(contestants[contestant].measure())
        for contestant in contestants.values():
            contestant.close()

    print(f"\n{texts} texts. Ratio: ours over theirs, median of the rounds (range)\n")
    print("| | texts/s, median (range) | ratio | texts a second of CPU time | ratio |\n|---|--:|--:|--:|--:|")
    for contestant in names:
        cells = [cell for kind in range(2) for cell in compare_speeds(texts, passes["roformer"], passes[contestant], kind)]
        print(f"| {contestant} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
