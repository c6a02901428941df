"""Writes docs/results.md and docs/results-NAME.md from grids of tools/reproduce_positions.sh and reproduce_linear.sh.

usage: results_page.py --output FILE [--program ROFORMER] GRID...

A GRID is a directory of `roformer compare`: results.json has the numbers, command.txt the command that made it; the
optional steps.json has what `roformer bench` measured with its models, and note.md further text. FILE is the summary:
parts of it that belong to other grids are preserved. Each grid has a page of its own beside it, with all tables.
"""

import argparse
import json
import pathlib
import statistics
import subprocess

TITLES = {
    "mlm": "Masked language models of the King James text",
    "clm": "Causal language models of the King James text",
    "enwiki": "Masked language models of Wikipedia",
    "linear": "Linear attention with rotation: a character-level Performer",
}
INTRODUCTION = """# Experiments

`make reproduce-positions` and `make reproduce-linear` compare position encodings, `make reproduce-glue`, `-ner`, `-scm` and
`-imdb` what fine-tuned models reach on tasks, `make reproduce-translation` translators. They write this summary, the pages it
links to and their plots; each page has the commands that trained its models.

Position encodings: within a table everything except the first column is the same: text, tokenizer,
shape, batches, steps. The seed determines initial weights, order of the text, masks and dropout. Intervals are 95 %
confidence intervals of the mean over the seeds (Student's t). Losses are cross-entropies in nats per predicted token, at the
last step, on a text that was held out as a whole.

These are small models early in training. They show how fast a model learns with an encoding and how well it generalizes to
longer sequences, not what it reaches at convergence. Parameters that grow from near zero are late in so short a run: T5's
biases are within 0.2 of zero after 300 steps, so its models behave like models without positions; the slopes of ALiBi and
KERPLE act from the first step. [encodings-speed.md](encodings-speed.md) has the training speed and memory of each encoding.

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
    columns = ["encoding", "runs", "validation loss", "unigram loss", "accuracy, %"] + ["perplexity"] * causal
    columns += ["tokens per CPU second", "peak MB", "parameters", "added parameters"]
    rows = []
    for position in sorted(results["positions"], key=order):
        runs = position["loss"]["runs"] if position["loss"] else 0
        row = [position["position"], str(runs), interval(position["loss"], 3)]
        row.append("–" if position["unigram_loss"] is None else f"{position['unigram_loss']:.3f}")
        row.append(interval(position["accuracy"], 2, 100))
        if causal:
            row.append(interval(position["perplexity"], 2))
        row.append(interval(position.get("tokens_per_cpu_second"), 0))
        row.append("–" if position["peak_memory"] is None else f"{position['peak_memory'] / 1e6:.0f}")
        row += ["–" if position[key] is None else f"{position[key]:,}" for key in ("parameters", "added_parameters")]
        rows.append(row)
    used = [i for i in range(len(columns)) if any(row[i] != "–" for row in rows)]
    return table([columns[i] for i in used], [[row[i] for i in used] for row in rows])


def length_table(results):
    """Loss by length, and why values are missing."""
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
    text = table(["tokens per sequence"] + [str(length) for length in results["lengths"]], rows)
    if reasons:
        text += "\nNot evaluated:\n\n" + "\n".join(reasons) + "\n"
    return text


def differences(results):
    """Differences to the reference's losses, paired by seed: what runs of one seed share cancels out."""
    kinds = {"better": [], "worse": [], "statistically indistinguishable": []}
    for position in results["positions"]:
        difference = position["difference"]
        if difference and difference["verdict"]:
            mean, half = difference["mean"], difference["interval95"]
            kinds[difference["verdict"]].append((mean, f"{position['position']} ({mean:+.3f} ± {half:.3f})"))
    said = [f"{kind}: {', '.join(text for _, text in sorted(found))}" for kind, found in kinds.items() if found]
    if not said:
        return ""
    return f"**Difference to {results['reference']}** in validation loss, paired by seed: mean ± 95 % interval.\n\n" + "".join(
        f"- {text[0].upper() + text[1:]}.\n" for text in said
    ) + "\n"


def longest(results):
    """The lowest losses on the longest sequences, and the increase from the length of the training."""
    short, long = results["max-length"], results["lengths"][-1]
    reference = results["reference"]
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
        return f"{name} {loss:.3f} ({rise:+.3f})"

    best = "; ".join(say(entry) for entry in sorted(found)[:3])
    its = "; ".join(say(entry) for entry in sorted(found) if entry[1].split(" with ")[0] == reference)
    return (
        f"**At {long:,} tokens** the lowest losses, with the increase from {short:,} tokens, are {best}. "
        f"Variants of {reference}: {its}.\n\n"
    )


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
    text = f"\nMilliseconds per training step of {tokens:,} tokens, by sequence length "
    text += "(2 cores; medians of alternating runs):\n\n"
    return text + table(["attention"] + [f"{length:,}" for length in lengths], rows)


def summary(grid, page):
    """The part of a grid on the summary page."""
    results = json.loads((grid / "results.json").read_text(encoding="utf-8"))
    text = f"## {TITLES.get(grid.name, grid.name)}\n\nAll tables and the command: [{page.stem}-{grid.name}.md]"
    text += f"({page.stem}-{grid.name}.md). " + seeds_of(results) + "\n\n" + differences(results)
    text += longest(results) if results["lengths"] else ""
    return text + f"![Validation loss by step](positions-{grid.name}.svg)\n\n"


def seeds_of(results):
    seeds = ", ".join(str(seed) for seed in results["seeds"])
    return f"{len(results['seeds'])} seeds: {seeds}." if len(results["seeds"]) > 1 else f"Seed {seeds}."


def part(grid, page, machine):
    """The page of a grid."""
    results = json.loads((grid / "results.json").read_text(encoding="utf-8"))
    name = grid.name
    text = f"# {TITLES.get(name, name)}\n\n"
    text += f"Part of [{page.name}]({page.name}), which says how to read it. {machine}\n\n"
    text += f"    {(grid / 'command.txt').read_text(encoding='utf-8').strip()}\n\n"
    text += " ".join([seeds_of(results), *results["notes"]]) + "\n\n"
    text += differences(results) + result_table(results)
    text += f"\n![Validation loss by step](positions-{name}.svg)\n"
    text += step_table(grid)
    if (grid / "note.md").exists():
        text += "\n" + (grid / "note.md").read_text(encoding="utf-8")
    if not results["lengths"]:
        return text
    text += f"\n## Longer sequences\n\nTrained on sequences of {results['max-length']} tokens and evaluated, with the same weights, "
    text += "on longer ones. The word after a comma is the\nfrequency scaling or table extension used for the evaluation.\n\n"
    text += longest(results) + length_table(results)
    for plot, what in (
        ("lengths", "Loss by sequence length"),
        ("places", "Loss by position in the longest sequences"),
        ("scaling", "Rotary frequencies scaled to longer sequences"),
    ):
        if (page.parent / f"positions-{name}-{plot}.svg").exists():
            text += f"\n![{what}](positions-{name}-{plot}.svg)\n"
    return text


def existing_sections(page):
    """The parts of an existing page, by title."""
    if not page.exists():
        return {}
    parts = ("\n" + page.read_text(encoding="utf-8")).split("\n## ")[1:]
    return {part.split("\n", 1)[0]: "## " + part.rstrip("\n") + "\n\n" for part in parts}


def write_page(page, sections):
    """Grids first, then the others in the order they came."""
    titles = [title for title in TITLES.values() if title in sections]
    titles += [title for title in sections if title not in titles]
    text = INTRODUCTION + "".join(sections[title] for title in titles)
    page.write_text(text.rstrip("\n") + "\n", encoding="utf-8")


def put_section(page, title, text):
    """Exchanges a part of the page, or appends it."""
    write_page(page, existing_sections(page) | {title: f"## {title}\n\n{text}"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/roformer")
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("grids", nargs="+", type=pathlib.Path, metavar="GRID")
    arguments = parser.parse_args()
    info = json.loads(subprocess.run([arguments.program, "info", "--json"], check=True, capture_output=True).stdout)
    cpu = info["cpu"]
    machine = f"Measured with roformer {info['version']} on {cpu['cores']} cores of {cpu['model']} "
    machine += f"({' '.join(cpu['features'])})."
    page = arguments.output
    sections = existing_sections(page)
    for grid in arguments.grids:
        sections[TITLES.get(grid.name, grid.name)] = summary(grid, page)
        path = page.with_name(f"{page.stem}-{grid.name}.md")
        path.write_text(part(grid, page, machine).rstrip("\n") + "\n", encoding="utf-8")
    write_page(page, sections)


if __name__ == "__main__":
    main()
