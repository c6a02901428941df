"""Attention alone against the length of a text, 12 heads of 64: softmax, elu(x) + 1 and FAVOR+ of 256 features, beside
torch SDPA, elu(x) + 1 as one writes it in torch (linear_torch.py) and performer-pytorch; time and memory, forward and
backward, in both directions, float32.

Each measurement is a process of its own; in a round contestants take turns, each with all lengths, and a value is the
median of the rounds. What would take more than about 10 s a call or 8 GB, judged by the length before, is left out.

    tools/venv.sh && venv/bin/python bench/peers/linear.py --program build/release/roformer
"""

import argparse
import itertools
import json
import pathlib
import subprocess
import sys

from linear_page import write_page

LENGTHS = (1024, 4096, 16384, 65536)
DIRECTIONS = ("bidirectional", "causal")
FEATURES = 256
SECONDS_A_CALL, BYTES, SECONDS_OF_MANY = 10, 8e9, 20
OURS = {
    "softmax": ["--attention", "softmax"],
    "elu+1": ["--attention", "linear-elu", "--position", "none"],
    "elu+1, rotated": ["--attention", "linear-elu"],
    "FAVOR+": ["--attention", "linear-favor", "--favor-features", str(FEATURES), "--position", "none"],
    "FAVOR+, rotated": ["--attention", "linear-favor", "--favor-features", str(FEATURES)],
}
PEERS = ("torch SDPA", "torch elu+1", "performer-pytorch")
KEYS = ("contestant", "direction", "length", "way")
QUADRATIC = ("softmax", "torch SDPA")


def ours(options, name, direction, length, backward):
    command = [options.program, "bench", "--preset", "roformer-base", "--mode", "attention", *OURS[name], "--json"]
    command += ["--direction", direction, "--lengths", str(length), "--threads", str(options.threads)]
    command += ["--seconds", str(options.seconds), "--passes", "1"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = {}
    for line in map(json.loads, output.splitlines()):
        way = "backward" if line["backward"] else "forward"
        result[way] = {"seconds": line["ms"] / 1e3, "memory": line["memory"]}
    return result


def theirs(options, name, direction, length, backward):
    worker = pathlib.Path(__file__).with_name("linear_worker.py")
    command = [sys.executable, str(worker), name, direction, str(length)]
    command += ["--threads", str(options.threads), "--seconds", str(options.seconds)]
    if not backward:
        command.append("--no-backward")
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in output.splitlines() if line.startswith("{")]  # performer-pytorch says things, too
    return {way: values for line in lines for way, values in json.loads(line).items()}


def median_of(values):
    values = sorted(values)
    return values[len(values) // 2]


class Cells:
    """What was measured, by (contestant, direction, length, way): seconds and bytes, each a value a round."""

    def __init__(self):
        self.rows = {}
        self.left_out = {}

    def add(self, name, direction, length, way, values):
        row = self.rows.setdefault((name, direction, length, way), {"seconds": [], "memory": []})
        row["seconds"].append(values["seconds"])
        row["memory"].append(values["memory"])

    def rounds(self, name, direction, length):
        row = self.rows.get((name, direction, length, "forward"))
        return len(row["seconds"]) if row else 0

    def read(self, state):
        for row in state["rows"]:
            self.rows[tuple(row[key] for key in KEYS)] = {what: row[what] for what in ("seconds", "memory")}
        for row in state["left_out"]:
            self.left_out[tuple(row[key] for key in KEYS)] = row["why"]

    def too_much(self, name, direction, length, way):
        """Why it is left out, or None; foretold from a quarter of the length."""
        if length == LENGTHS[0]:
            return None
        before = self.rows.get((name, direction, length // 4, way))
        if before is None:
            return self.left_out.get((name, direction, length // 4, way), "not measured")
        seconds = median_of(before["seconds"]) * (16 if name in QUADRATIC else 4)
        memory = median_of(before["memory"]) * 4
        if seconds > SECONDS_A_CALL:
            return f"about {seconds:.0f} s a call"
        return f"about {memory / 1e9:.0f} GB" if memory > BYTES else None


def measure(cells, options, name, direction, length):
    """One more measurement, unless it would be too much; whether it took long."""
    wanted = []
    for way in ("forward", "backward"):
        reason = cells.too_much(name, direction, length, way)
        if reason is None and "forward" in [*wanted, way]:
            wanted.append(way)
        else:
            cells.left_out[(name, direction, length, way)] = reason or "its forward pass was left out"
    if not wanted:
        return False
    run = ours if name in OURS else theirs
    result = run(options, name, direction, length, "backward" in wanted)
    for way in wanted:
        cells.add(name, direction, length, way, result[way])
    shown = ", ".join(f"{way} {1e3 * result[way]['seconds']:.1f} ms" for way in wanted)
    print(f"{length} {direction} {name}: {shown}", flush=True)
    return sum(values["seconds"] for values in result.values()) > SECONDS_OF_MANY / 4


def measure_rounds(cells, options, names, lengths):
    """Lengths innermost: quotients of them are of the same minute. What takes long is measured once."""
    slow = set()
    for number in range(options.rounds):
        for direction, name, length in itertools.product(DIRECTIONS, names, lengths):
            if cells.rounds(name, direction, length) > number or (name, direction, length) in slow:
                continue
            if measure(cells, options, name, direction, length):
                slow.add((name, direction, length))
        pathlib.Path(options.state).write_text(json.dumps(state_of(cells, options)))


def state_of(cells, options):
    return {
        "rounds": options.rounds,
        "threads": options.threads,
        "rows": [dict(zip(KEYS, key, strict=True)) | row for key, row in cells.rows.items()],
        "left_out": [dict(zip(KEYS, key, strict=True)) | {"why": why} for key, why in cells.left_out.items()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one measurement, at least")
    parser.add_argument("--quick", action="store_true", help="one round, up to 16k tokens")
    parser.add_argument("--only", default="", help="contestants, separated by semicolons")
    parser.add_argument("--output", default="docs/linear-speed", help=".md and .svg are written")
    parser.add_argument("--state", default="build/linear-speed.json", help="what was measured, for --redraw")
    parser.add_argument("--resume", action="store_true", help="measure the rounds that --state does not have")
    parser.add_argument("--redraw", action="store_true", help="measure nothing, write the page from --state")
    options = parser.parse_args()
    if not options.redraw:
        names = [name for name in options.only.split(";") if name] or [*OURS, *PEERS]
        if options.quick:
            options.rounds = 1
        cells = Cells()
        if options.resume:
            cells.read(json.loads(pathlib.Path(options.state).read_text()))
        measure_rounds(cells, options, names, LENGTHS[: 3 if options.quick else None])
    write_page(json.loads(pathlib.Path(options.state).read_text()), options)


if __name__ == "__main__":
    main()
