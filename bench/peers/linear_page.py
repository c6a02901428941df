"""docs/linear-speed.md and .svg from what linear.py measured."""

import importlib.metadata
import pathlib
import platform
import statistics
import subprocess

from log_chart import Line, Panel, draw
from machine import processor

DIRECTIONS, WAYS = ("bidirectional", "causal"), ("forward", "backward")
COLUMNS = (
    "softmax",
    "torch SDPA",
    "elu+1",
    "elu+1, rotated",
    "torch elu+1",
    "FAVOR+",
    "FAVOR+, rotated",
    "performer-pytorch",
)
OWN = ("softmax", "elu+1", "elu+1, rotated", "FAVOR+", "FAVOR+, rotated")
LENGTHS = {1024: "1k", 4096: "4k", 16384: "16k", 65536: "64k"}
# (ours, peer, direction, times as fast); at 16k and 64k, or at the longest length below that the peer can do.
PEER_GOALS = (
    ("elu+1", "torch elu+1", "bidirectional", 3),
    ("elu+1", "torch elu+1", "causal", 6),
    ("FAVOR+", "performer-pytorch", "bidirectional", 4),
    ("FAVOR+", "performer-pytorch", "causal", 30),
)
BACKWARD_GOAL, LENGTH_GOAL = 2.5, 0.9
# Of the chart: name, color, dashed.
CHART = (
    ("softmax", 0, False),
    ("elu+1", 1, False),
    ("FAVOR+", 2, False),
    ("torch SDPA", 0, True),
    ("torch elu+1", 1, True),
    ("performer-pytorch", 2, True),
)


class Measured:
    def __init__(self, state):
        keys = ("contestant", "direction", "length", "way")
        self.rows = {tuple(row[key] for key in keys): row for row in state["rows"]}
        self.left_out = {tuple(row[key] for key in keys): row["why"] for row in state["left_out"]}

    def values(self, name, direction, length, way, what):
        row = self.rows.get((name, direction, length, way))
        return row[what] if row else []

    def median(self, *key):
        values = self.values(*key)
        return statistics.median(values) if values else None

    def ratio(self, above, below):
        """(median, least, greatest) of the rounds' quotients of seconds; of the medians where rounds differ."""
        a, b = self.values(*above, "seconds"), self.values(*below, "seconds")
        if not a or not b:
            return None
        if len(a) != len(b):
            a, b = [statistics.median(a)], [statistics.median(b)]
        quotients = [x / y for x, y in zip(a, b, strict=True)]
        return statistics.median(quotients), min(quotients), max(quotients)


def verdict(ratio, reached):
    if ratio is None:
        return "–"
    middle, low, high = ratio
    return f"**{middle:.2f}** ({low:.2f}–{high:.2f}) {'reached' if reached(middle) else 'missed'}"


def peer_goals(measured):
    for ours, peer, direction, goal in PEER_GOALS:
        done = [length for length in LENGTHS if measured.values(peer, direction, length, "forward", "seconds")]
        for length in [n for n in done if n >= 16384] or done[-1:]:
            theirs = (peer, direction, length, "forward")
            cells = [
                verdict(measured.ratio(theirs, (name, direction, length, "forward")), lambda x, goal=goal: x >= goal)
                for name in (ours, f"{ours}, rotated")
            ]
            longest = "" if length >= 16384 else f", the longest length that {peer} completes"
            title = f"{ours}, {direction} forward at {LENGTHS[length]}{longest}: speedup over {peer}"
            yield f"| {title} | ≥ {goal} | {cells[0]} | {cells[1]} |"


def own_goals(measured):
    for kind in ("elu+1", "FAVOR+"):
        for direction in DIRECTIONS:
            for length in (16384, 65536):
                cells = [
                    verdict(
                        measured.ratio((name, direction, length, "backward"), (name, direction, length, "forward")),
                        lambda x: x <= BACKWARD_GOAL,
                    )
                    for name in (kind, f"{kind}, rotated")
                ]
                title = f"{kind}, {direction} at {LENGTHS[length]}: time of backward / forward"
                yield f"| {title} | ≤ {BACKWARD_GOAL} | {cells[0]} | {cells[1]} |"
    for kind in ("elu+1", "FAVOR+"):
        for direction in DIRECTIONS:
            cells = []
            for name in (kind, f"{kind}, rotated"):
                ratio = measured.ratio((name, direction, 4096, "forward"), (name, direction, 65536, "forward"))
                ratio = ratio and tuple(16 * x for x in ratio)  # as many tokens more
                cells.append(verdict(ratio, lambda x: x >= LENGTH_GOAL))
            title = f"{kind}, {direction} forward: tokens/s at 64k / tokens/s at 4k"
            yield f"| {title} | ≥ {LENGTH_GOAL} | {cells[0]} | {cells[1]} |"


def table(measured, direction, way, what, columns):
    head = f"{direction.capitalize()}, {way}, " + ("ms" if what == "seconds" else "MB")
    lines = [f"| {head} | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for length, label in LENGTHS.items():
        cells = []
        for name in columns:
            value = measured.median(name, direction, length, way, what)
            scaled = None if value is None else value * 1e3 if what == "seconds" else value / 1e6
            cells.append("–" if scaled is None else f"{scaled:,.1f}" if scaled < 100 else f"{scaled:,.0f}")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def absent(measured):
    """Sentences about what was left out, one a contestant and direction."""
    found = {}
    for (name, direction, length, way), why in measured.left_out.items():
        if length // 4 in LENGTHS and (name, direction, length // 4, way) in measured.left_out:
            continue
        found.setdefault((name, direction), []).append(f"{way} from {LENGTHS[length]} ({why})")
    return [f"- {name}, {direction}: {'; '.join(parts)}" for (name, direction), parts in found.items()]


def chart(measured):
    def lines(direction, what, scale):
        for name, color, dashed in CHART:
            values = ((n, measured.median(name, direction, n, "forward", what)) for n in LENGTHS)
            points = tuple((n, value * scale) for n, value in values if value)
            if points:
                yield Line(name if dashed else f"roformer {name}", color, dashed, points)

    def milliseconds(value):
        return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"

    def megabytes(value):
        return f"{value:g} MB" if value < 1000 else f"{value / 1000:g} GB"

    rows = [
        (
            Panel(f"{direction.capitalize()}: time", milliseconds, tuple(lines(direction, "seconds", 1e3))),
            Panel(f"{direction.capitalize()}: memory", megabytes, tuple(lines(direction, "memory", 1e-6))),
        )
        for direction in DIRECTIONS
    ]
    title = "Attention, forward pass, by sequence length: 12 heads of 64, 2 threads"
    return draw(title, rows, list(LENGTHS.items()), "tokens")


def versions(program):
    names = ("torch", "performer-pytorch")
    own = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    peers = [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join([own, *peers, f"Python {platform.python_version()}"])


def page(measured, state, options, picture):
    count = state["rounds"]
    rounds = "one round" if count == 1 else f"values are medians of up to {count} rounds"
    lines = [
        "# Linear attention: time and memory by sequence length",
        "",
        f"![Time and memory of attention by sequence length]({picture})",
        "",
        "Written by `venv/bin/python bench/peers/linear.py --program build/release/roformer` (`make bench-linear`): attention",
        "alone, batch 1, 12 heads of 64, float32, FAVOR+ with 256 features. Each measurement runs in a process of its own;",
        f"the implementations take turns; {rounds}.",
        "*Rotated* is Eq. 19 with rotary positions; the other columns have none, because the peers support none.",
        "The backward pass computes the gradients of q, k and v from the results saved by the forward pass. Memory is the",
        "growth of the peak resident set since before the inputs were created, inputs and outputs included; for the",
        "backward pass it includes the forward pass.",
        "",
        f"{processor()}; {state['threads']} threads; {versions(options.program)}.",
        "",
        "## Goals",
        "",
        "Ratios within a round: median (minimum–maximum).",
        "",
        "| goal | target | not rotated | rotated |",
        "|---|---|---|---|",
        *peer_goals(measured),
        *own_goals(measured),
        "",
        "## Time",
        "",
    ]
    columns = [name for name in COLUMNS if any(key[0] == name for key in measured.rows)]
    for what, title in (("seconds", None), ("memory", "## Memory")):
        lines += [title, ""] if title else []
        for direction in DIRECTIONS:
            for way in WAYS:
                lines += table(measured, direction, way, what, columns)
    left = absent(measured)
    if left:
        lines += ["Not measured, because the next shorter length predicts more than 10 s per call or 8 GB:", "", *left, ""]
    lines += [
        "## Correctness",
        "",
        "The program generates its own inputs here, so outputs are compared elsewhere: `linear_fixture_test` checks elu+1 and",
        "FAVOR+ in both directions against the quadratic form in NumPy's double precision (1e-5), `agreement_test` and",
        "`gradient_test` check the kernels and their gradients against the reference backend. The elu+1 of torch is",
        "checked against its definition in double precision before each measurement (1e-5).",
    ]
    return "\n".join(lines) + "\n"


def write_page(state, options):
    measured = Measured(state)
    svg = pathlib.Path(options.output + ".svg")
    svg.write_text(chart(measured))
    pathlib.Path(options.output + ".md").write_text(page(measured, state, options, svg.name))
