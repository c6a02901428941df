"""Writes docs/results.md from the grids that tools/reproduce_positions.sh and tools/reproduce_linear.sh trained.

usage: results_page.py --output FILE [--program ROFORMER] GRID...

A GRID is a directory of `roformer compare`: results.json has the numbers, command.txt the command that made it; steps.json,
where it is, what `roformer bench` said of its models, and note.md what else there is to say. A page that is there keeps its
parts of other grids.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess

TITLES = {
    "mlm": "Masked language models of the King James text",
    "clm": "Causal language models of the King James text",
    "enwiki": "Masked language models of Wikipedia",
    "linear": "Linear attention with rotation: a character-level Performer",
}
# Whose losses the others' are compared with.
REFERENCES = {"linear": "rotary+linear-favor"}
INTRODUCTION = """# Position encodings, compared

`make reproduce-positions` and `make reproduce-linear` write this page and its drawings, of what has been trained: each part
has its command. Within a table everything but what the first column names is the same: text, tokenizer, shape, batches,
steps; a seed decides weights, order of the text, masks and dropout. An interval is that of the mean over the seeds, 95 %, by
Student's t. Losses are in nats a label, at the last step, on a text that was held out as a whole. These are small models
early in training: what they show is how fast an encoding is learned from, and how it bears longer texts, not what it reaches
in the end. Whatever has to grow from near zero is late here: T5's biases are within 0.2 of it after 300 steps, so its models
are those of no positions so far; ALiBi's and KERPLE's slopes are there from the start. How fast a model trains with each
encoding, and in how much memory, is in [encodings-speed.md](encodings-speed.md).

"""


def interval(value, decimals, scale=1):
    """A mean with its interval, as "4.312 ± 0.021"."""
    if value is None:
        return "–"
    text = f"{value['mean'] * scale:.{decimals}f}"
    if value["interval95"] is not None:
        text += f" ± {value['interval95'] * scale:.{decimals}f}"
    return text


def table(columns, rows):
    lines = ["| " + " | ".join(columns) + " |", "|---" + "|--:" * (len(columns) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def order(position):
    """The best first, what has no loss last."""
    return position["loss"]["mean"] if position["loss"] else float("inf")


def result_table(results):
    causal = results["objective"] == "clm"
    columns = ["position", "runs", "validation loss", "accuracy, %"] + ["perplexity"] * causal
    columns += ["tokens/CPU s", "peak MB", "parameters", "added"]
    rows = []
    for position in sorted(results["positions"], key=order):
        runs = position["loss"]["runs"] if position["loss"] else 0
        row = [position["position"], str(runs), interval(position["loss"], 3), interval(position["accuracy"], 2, 100)]
        if causal:
            row.append(interval(position["perplexity"], 2))
        row.append(interval(position.get("tokens_per_cpu_second"), 0))
        row.append("–" if position["peak_memory"] is None else f"{position['peak_memory'] / 1e6:.0f}")
        row += ["–" if position[key] is None else f"{position[key]:,}" for key in ("parameters", "added_parameters")]
        rows.append(row)
    used = [i for i in range(len(columns)) if any(row[i] != "–" for row in rows)]
    return table([columns[i] for i in used], [[row[i] for i in used] for row in rows])


def length_table(results):
    """Loss by length, and the reasons of what is missing."""
    rows, reasons = [], []
    for position in sorted(results["positions"], key=order):
        variants = {}
        for score in position["lengths"]:
            variants.setdefault(score["scaling"], {})[score["length"]] = score
        for scaling, scores in variants.items():
            name = position["position"] + (f", {scaling}" if scaling else "")
            rows.append([name] + [interval(scores.get(length, {}).get("loss"), 3) for length in results["lengths"]])
            said = {score["reason"] for score in scores.values() if "reason" in score}
            reasons += [f"- {name}: {reason}" for reason in sorted(said)]
    text = table(["tokens a sequence"] + [str(length) for length in results["lengths"]], rows)
    if reasons:
        text += "\nWhat has no number:\n\n" + "\n".join(reasons) + "\n"
    return text


# Student's t, 97.5 %, by degrees of freedom (any table of statistics).
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def beside(reference, results):
    """Each variant's losses less the reference's, seed by seed: what the same seeds share falls out of the difference."""
    losses = {
        position["position"]: {run["seed"]: run["loss"] for run in position["runs"] if run["finished"]}
        for position in results["positions"]
    }
    of_reference = losses.pop(reference, {})
    better = f"better than {reference}"
    kinds = {better: [], "worse": [], "not told apart": []}
    for name, runs in losses.items():
        differences = [loss - of_reference[seed] for seed, loss in runs.items() if seed in of_reference]
        if len(differences) < 2:
            continue
        mean = statistics.fmean(differences)
        half = STUDENT[min(len(differences) - 1, 9)] * statistics.stdev(differences) / math.sqrt(len(differences))
        kind = "not told apart" if abs(mean) <= half else "worse" if mean > 0 else better
        kinds[kind].append((mean, f"{name} ({mean:+.3f} ± {half:.3f})"))
    said = [f"{kind}: {', '.join(text for _, text in sorted(found))}" for kind, found in kinds.items() if found]
    if not said:
        return ""
    return f"**Beside {reference}**, difference of the loss seed by seed, mean and 95 % interval. " + ". ".join(
        text[0].upper() + text[1:] for text in said
    ) + ".\n\n"


def longest(reference, results):
    """Who reads the longest texts best, and what that costs beside the length of the training."""
    short, long = results["max-length"], results["lengths"][-1]
    found = []
    for position in results["positions"]:
        for score in position["lengths"]:
            if score["length"] != long or not score.get("loss"):
                continue
            at_home = next(
                other for other in position["lengths"] if other["length"] == short and other["scaling"] == ""
            )
            name = position["position"] + (f" with {score['scaling']}" if score["scaling"] else "")
            found.append((score["loss"]["mean"], name, score["loss"]["mean"] - at_home["loss"]["mean"]))
    if not found:
        return ""

    def say(entry):
        loss, name, rise = entry
        return f"{name} {loss:.3f} ({rise:+.3f} beside {short})"

    best = "; ".join(say(entry) for entry in sorted(found)[:3])
    its = "; ".join(say(entry) for entry in sorted(found) if entry[1].split(" with ")[0] == reference)
    return f"**At {long:,} tokens** the least losses are {best}. Of {reference}: {its}.\n\n"


def step_table(grid):
    """Time of a training step by length of its texts."""
    path = grid / "steps.json"
    if not path.exists():
        return ""
    steps = json.loads(path.read_text(encoding="utf-8"))
    times = {}
    for measured in steps["measured"]:
        times.setdefault(measured["variant"], {}).setdefault(measured["length"], []).append(measured["tokens_per_second"])
    lengths = sorted({measured["length"] for measured in steps["measured"]})
    tokens = steps["tokens"]
    rows = [
        [name] + [f"{1e3 * tokens / statistics.median(by_length[length]):,.0f}" for length in lengths]
        for name, by_length in times.items()
    ]
    text = f"\nMilliseconds of a training step of {tokens:,} tokens, by tokens a text (both cores; median of turns):\n\n"
    return text + table(["attention"] + [f"{length:,}" for length in lengths], rows)


def section(grid, page):
    results = json.loads((grid / "results.json").read_text(encoding="utf-8"))
    name = grid.name
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    text = f"## {TITLES.get(name, name)}\n\n    {(grid / 'command.txt').read_text(encoding='utf-8').strip()}\n\n"
    count = len(results["seeds"])
    text += (f"{count} seeds: {seeds}. " if count > 1 else f"Seed {seeds}. ") + " ".join(results["notes"]) + "\n\n"
    reference = REFERENCES.get(name, "rotary")
    text += beside(reference, results) + result_table(results) + f"\n![Validation loss by step](positions-{name}.svg)\n"
    text += step_table(grid)
    if (grid / "note.md").exists():
        text += "\n" + (grid / "note.md").read_text(encoding="utf-8")
    if not results["lengths"]:
        return text
    text += f"\nTrained on sequences of {results['max-length']} tokens, evaluated on others with the same weights; behind a\n"
    text += "comma is what stretched the encoding.\n\n" + longest(reference, results) + length_table(results)
    for plot, what in (
        ("lengths", "Loss by length of the text"),
        ("places", "Loss by place in the longest texts"),
        ("scaling", "Rotary frequencies scaled to longer texts"),
    ):
        if (page.parent / f"positions-{name}-{plot}.svg").exists():
            text += f"\n![{what}](positions-{name}-{plot}.svg)\n"
    return text + "\n"


def kept_sections(page):
    """The parts of a page that is there, by title."""
    if not page.exists():
        return {}
    parts = ("\n" + page.read_text(encoding="utf-8")).split("\n## ")[1:]
    return {part.split("\n", 1)[0]: "## " + part.rstrip("\n") + "\n\n" for part in parts}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("grids", nargs="+", type=pathlib.Path, metavar="GRID")
    arguments = parser.parse_args()
    info = json.loads(subprocess.run([arguments.program, "info", "--json"], check=True, capture_output=True).stdout)
    cpu = info["cpu"]
    text = INTRODUCTION + f"Measured with roformer {info['version']} on {cpu['cores']} cores of {cpu['model']} "
    text += f"({' '.join(cpu['features'])}).\n\n"
    sections = kept_sections(arguments.output)
    sections.update({TITLES.get(grid.name, grid.name): section(grid, arguments.output) for grid in arguments.grids})
    titles = [title for title in TITLES.values() if title in sections]
    text += "".join(sections[title] for title in titles + [title for title in sections if title not in titles])
    arguments.output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
