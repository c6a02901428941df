#!/usr/bin/env python3
"""Runs this program and transformers side by side on the same work and prints a table of medians and ratios.

Each round runs each contestant once in a fresh process, taking turns at going first, so that a machine that slows
down slows both. Speed is what each reports: tokens per second of its median step after warm-up; memory is the peak
resident size of the process (for transformers that includes Python and the torch libraries). training: forward,
backward, clipping and AdamW with dropout 0.1; inference: the encoder's forward to the last hidden state, without a
head. Both in float32 with the same number of threads.

    tools/venv.sh && venv/bin/python bench/peers/run.py --program build/release/roformer
"""

import argparse
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import shlex
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
RUN_TIMEOUT_S = 1800
DROPOUT = 0.1

# What decides the speed of matrix products on x86-64, of the names in /proc/cpuinfo.
CPU_FLAGS = "sse4_2 avx fma avx2 avx_vnni avx512f avx512bw avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16".split()


@dataclasses.dataclass(frozen=True)
class Workload:
    """A model's shape and the batch of one step; peer_steps are measured after peer_warmup."""

    mode: str
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    sequences: int
    length: int
    peer_warmup: int
    peer_steps: int

    def model_options(self):
        """The options that both sides spell the same."""
        names = ("mode", "vocab_size", "hidden_size", "layers", "heads", "intermediate_size")
        return [word for name in names for word in (f"--{name.replace('_', '-')}", str(getattr(self, name)))]

    def describe(self):
        return (
            f"{self.mode}, {self.layers} layers, hidden {self.hidden_size}, {self.heads} heads, "
            f"intermediate {self.intermediate_size}, vocabulary {self.vocab_size:,}, "
            f"{self.sequences} x {self.length} tokens"
        )


DEMO = dict(vocab_size=8000, hidden_size=256, layers=4, heads=4, intermediate_size=1024)
SMALL = dict(vocab_size=50000, hidden_size=384, layers=6, heads=6, intermediate_size=1536)
BASE = dict(vocab_size=50000, hidden_size=768, layers=12, heads=12, intermediate_size=3072)
WORKLOADS = {
    "training-demo": Workload("training", **DEMO, sequences=32, length=128, peer_warmup=2, peer_steps=5),
    "training-base": Workload("training", **BASE, sequences=4, length=512, peer_warmup=1, peer_steps=2),
    "inference-small": Workload("inference", **SMALL, sequences=32, length=128, peer_warmup=2, peer_steps=5),
    "inference-base": Workload("inference", **BASE, sequences=4, length=512, peer_warmup=1, peer_steps=3),
}


def our_command(program, workload, threads):
    lengths = ",".join([str(workload.length)] * workload.sequences)
    command = [str(program), "bench", *workload.model_options(), "--lengths", lengths, "--threads", str(threads)]
    return command + (["--dropout", str(DROPOUT)] if workload.mode == "training" else []) + ["--json"]


def peer_command(workload, threads):
    return [
        sys.executable,
        str(HERE / "transformers_peer.py"),
        *workload.model_options(),
        "--sequences",
        str(workload.sequences),
        "--length",
        str(workload.length),
        "--dropout",
        str(DROPOUT),
        "--threads",
        str(threads),
        "--warmup",
        str(workload.peer_warmup),
        "--steps",
        str(workload.peer_steps),
    ]


def measure(command, threads):
    """The last JSON line that command prints, as a dict with tokens_per_second and peak_memory."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, env=environment)
    except subprocess.TimeoutExpired:
        sys.exit(f"run.py: no answer within {RUN_TIMEOUT_S} s: {shlex.join(command)}")
    if done.returncode != 0:
        sys.exit(f"run.py: exit code {done.returncode}: {shlex.join(command)}\n{done.stderr.strip()}")
    try:
        result = json.loads(done.stdout.strip().splitlines()[-1])
        return {key: float(result[key]) for key in ("tokens_per_second", "peak_memory")}
    except (IndexError, KeyError, TypeError, ValueError):
        sys.exit(
            f"run.py: expected a JSON object with tokens_per_second and peak_memory on the last line of "
            f"{shlex.join(command)}, got: {done.stdout[-200:]!r}"
        )


def run_workload(name, workload, options):
    """{contestant: [a measurement a round]}."""
    commands = {"transformers": peer_command(workload, options.threads)}
    if options.program is not None:
        commands["roformer"] = our_command(options.program, workload, options.threads)
    measurements = {contestant: [] for contestant in commands}
    for round_number in range(options.rounds):
        order = sorted(commands, reverse=round_number % 2 == 1)
        for contestant in order:
            result = measure(commands[contestant], options.threads)
            measurements[contestant].append(result)
            print(
                f"{name} round {round_number + 1}/{options.rounds}: {contestant} "
                f"{result['tokens_per_second']:,.0f} tokens/s, {result['peak_memory'] / 2**20:,.0f} MiB",
                file=sys.stderr,
                flush=True,
            )
    return measurements


def table_row(name, measurements):
    """One line of the table; the range beside the ratio is the smallest and largest of any one round."""

    def column(contestant, key, scale=1.0):
        return [run[key] / scale for run in measurements.get(contestant, [])]

    def median(values):
        return f"{statistics.median(values):,.0f}" if values else "-"

    ours, peers = column("roformer", "tokens_per_second"), column("transformers", "tokens_per_second")
    our_memory, peer_memory = (column(who, "peak_memory", 2**20) for who in ("roformer", "transformers"))
    speed_ratio = memory_ratio = "-"
    if ours:
        rounds = [a / b for a, b in zip(ours, peers, strict=True)]
        speed = statistics.median(ours) / statistics.median(peers)
        speed_ratio = f"{speed:.2f} ({min(rounds):.2f}-{max(rounds):.2f})"
        memory_ratio = f"{statistics.median(our_memory) / statistics.median(peer_memory):.2f}"
    cells = [name, median(ours), median(peers), speed_ratio, median(our_memory), median(peer_memory), memory_ratio]
    return "| " + " | ".join(cells) + " |"


def machine_lines(options):
    """What the numbers depend on, as Markdown list items."""
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    present = set(info.get("flags", "").split())
    versions = [f"{package} {importlib.metadata.version(package)}" for package in ("torch", "transformers")]
    if options.program is not None:
        asked = subprocess.run([str(options.program), "--version"], capture_output=True, text=True, timeout=60)
        versions.insert(0, (asked.stdout.strip().splitlines() or ["roformer, version unknown"])[0])
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return [
        f"- CPU: {info.get('model name', platform.machine())}, {len(os.sched_getaffinity(0))} cores usable",
        f"- flags: {' '.join(flag for flag in CPU_FLAGS if flag in present)}",
        f"- threads: {options.threads}; rounds: {options.rounds}; load average at the start: {load}",
        f"- versions: {', '.join(versions)}, Python {platform.python_version()}",
        f"- command: `{shlex.join(['python', os.path.relpath(sys.argv[0]), *sys.argv[1:]])}`",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, help="the roformer program")
    parser.add_argument("--only-peers", action="store_true", help="leave this program out")
    parser.add_argument("--rounds", type=int, default=5, help="%(default)s")
    parser.add_argument("--threads", type=int, default=2, help="for each contestant (%(default)s)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=WORKLOADS,
        default=list(WORKLOADS),
        metavar="WORKLOAD",
        help=f"of {', '.join(WORKLOADS)}",
    )
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    if options.only_peers:
        options.program = None
    elif options.program is None or not options.program.is_file():
        parser.error(f"--program {options.program or ''}: no such file (or use --only-peers)")
    else:
        options.program = options.program.resolve()

    lines = machine_lines(options)
    lines += [f"- {name}: {WORKLOADS[name].describe()}" for name in options.only]
    lines += [
        "",
        "| workload | roformer tokens/s | transformers tokens/s | ratio (range of rounds) "
        "| roformer MiB | transformers MiB | ratio |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name in options.only:
        lines.append(table_row(name, run_workload(name, WORKLOADS[name], options)))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if options.markdown is not None:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
