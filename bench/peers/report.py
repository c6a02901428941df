"""Measured rows as Markdown tables, as a list of goals, and as a chart.

Everything is made from docs/benchmarks.json: {"families": {name: {"group", "date", "machine", "versions", "threads",
"rounds", "notes", "rows": [{"group", "row", "values": {contestant: [value of each round]}}]}}}.
"""

import html
import statistics

BEGIN = "<!-- measured: bench/peers/run.py writes what is between these lines -->"
END = "<!-- measured: end -->"


def ratio_of_rounds(values, ours, theirs, less_is_better):
    """(median, smallest, largest) of how many times better ours is; rounds are paired where both took part in all."""
    a, b = values[ours], values[theirs]
    pairs = zip(a, b, strict=True) if len(a) == len(b) else [(statistics.median(a), statistics.median(b))]
    ratios = [y / x if less_is_better else x / y for x, y in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def best_peer(values, group):
    peers = [name for name in group.contestants if name in values and name not in group.own]
    if not peers:
        return None
    choose = min if group.less_is_better else max
    return choose(peers, key=lambda name: statistics.median(values[name]))


def number(of_rounds, digits):
    return f"{statistics.median(of_rounds):,.{digits}f}" if of_rounds else "–"


def rows_of(state, group_name):
    for family in state["families"].values():
        for row in family["rows"]:
            if row["group"] == group_name:
                yield row | {"date": family["date"]}


def table(state, group_name, group):
    """Lines of Markdown, none without rows."""
    rows = list(rows_of(state, group_name))
    if not rows:
        return []
    columns = [name for name in group.contestants if any(name in row["values"] for row in rows)]
    compared = any("roformer" in row["values"] and best_peer(row["values"], group) for row in rows)
    head = ["", *columns, *(["ratio to the best peer (range)"] if compared else []), "measured"]
    better = "; lower is better" if group.less_is_better else ""
    unit = f" ({group.unit}{better})" if group.unit else ""
    lines = [f"### {group.title}{unit}", "", "| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    for row in rows:
        values = row["values"]
        cells = [row["row"]]
        cells += [number(values.get(name), group.digits) for name in columns]
        if compared:
            peer = best_peer(values, group)
            cell = "–"
            if peer and "roformer" in values:
                middle, low, high = ratio_of_rounds(values, "roformer", peer, group.less_is_better)
                cell = f"**{middle:.2f}** ({low:.2f}–{high:.2f})"
            cells.append(cell)
        lines.append("| " + " | ".join([*cells, row["date"]]) + " |")
    return [*lines, ""]


def notes(state, group_name):
    """Each note once, with the first family that has it."""
    lines = []
    for family in state["families"].values():
        if family["group"] == group_name:
            lines += [f"- {note}" for note in family["notes"]]
    lines = list(dict.fromkeys(lines))
    return [*lines, ""] if lines else []


def find_row(state, group_name, name):
    return next((row for row in rows_of(state, group_name) if row["row"] == name), None)


def judge(state, goal, groups):
    """A line of the table of goals; None where nothing was measured."""
    row = find_row(state, goal.group, goal.row)
    if row is None:
        return None
    group, values = groups[goal.group], row["values"]
    if goal.limit is not None:  # of our own value
        if goal.ours not in values:
            return f"| {goal.text} | ≤ {goal.limit:g} {group.unit} | – | – |"
        value = statistics.median(values[goal.ours])
        reached = "yes" if value <= goal.limit else "no"
        return f"| {goal.text} | ≤ {goal.limit:g} {group.unit} | {value:.1f} | {reached} |"
    peers = [name for name in goal.peers or group.contestants if name in values and name not in (goal.ours,)]
    if not goal.peers:
        peers = [name for name in peers if name not in group.own]
    if goal.ours not in values or not peers:
        return f"| {goal.text} | ≥ {goal.ratio:g} | – | – |"
    ratios = [ratio_of_rounds(values, goal.ours, peer, group.less_is_better) for peer in peers]
    middle, low, high = min(ratios)
    reached = "yes" if middle >= goal.ratio else "no"
    return f"| {goal.text} | ≥ {goal.ratio:g} | {middle:.2f} ({low:.2f}–{high:.2f}) | {reached} |"


def settings(state):
    """What was measured on what, once for each different answer."""
    seen = {}
    for name, family in state["families"].items():
        key = (family["machine"], family["versions"], family["threads"], family["rounds"], family["seconds"])
        seen.setdefault(key, []).append(name)
    lines = []
    for (machine, versions, threads, rounds, seconds), names in seen.items():
        which = "" if len(seen) == 1 else f" ({', '.join(names)})"
        load = max(state["families"][name]["load"] for name in names)
        lines.append(
            f"- {machine}; {threads} threads, {rounds} rounds of {seconds:g} s or more; "
            f"load average before the run {load:.1f}{which}"
        )
        lines.append(f"- {versions}{which}")
    return lines


def markdown(state, groups, goals):
    lines = [BEGIN, "", *settings(state), "", "## Goals", ""]
    judged = [line for goal in goals if (line := judge(state, goal, groups))]
    lines += ["| goal | target | measured (range of rounds) | reached |", "|---|--:|--:|---|", *judged, ""]
    lines += ["## Tables", "", "Values are medians over the rounds; a ratio is the median of the ratios within each round; above 1, roformer is better.", ""]
    for name, group in groups.items():
        lines += table(state, name, group) + notes(state, name)
    return "\n".join([*lines, END])


def replace_measured(text, measured):
    """The document with its measured part exchanged; what is written around it stays."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN!r} and {END!r}")
    return before + measured + after


STYLE = """
  .back { fill: #fff }
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .quiet { fill: #57606a } .bar { fill: #2f6fdb } .behind { fill: #c4532d } .line { stroke: #57606a }
  .halo { paint-order: stroke; stroke: #ffffffc0; stroke-width: 4px }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117 }
    text { fill: #e6edf3 } .quiet { fill: #9aa4af } .bar { fill: #5b9bff } .behind { fill: #ff8a5c }
    .line { stroke: #9aa4af } .halo { stroke: #0d1117c0 }
  }
"""
WIDTH, LABEL, RIGHT, ROW, TOP = 860, 270, 210, 26, 62


def chart(state, groups, charted):
    """An SVG of horizontal bars: the speedup over the best peer, for (group, row, label) of `charted`."""
    bars = []
    for group_name, row_name, label in charted:
        row, group = find_row(state, group_name, row_name), groups[group_name]
        peer = row and best_peer(row["values"], group)
        if peer and "roformer" in row["values"]:
            bars.append((label, ratio_of_rounds(row["values"], "roformer", peer, group.less_is_better)[0], peer))
    if not bars:
        return None
    # Bars longer than this are cut, with a break, so that the others can be read.
    longest = min(max(2, *(ratio for _, ratio, _ in bars)), 6)
    scale = (WIDTH - LABEL - RIGHT) / longest
    height = TOP + ROW * len(bars) + 30
    machine = sorted({family["machine"].split(":")[0] for family in state["families"].values()})
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>Speedup of roformer over the fastest peer</title><style>{STYLE}</style>',
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        '<text x="12" y="22" font-weight="600" style="font-size:15px">Speedup over the fastest peer</text>',
        f'<text x="12" y="42" class="quiet">{html.escape("; ".join(machine))}</text>',
    ]
    x = LABEL + scale  # behind the bars and their texts
    ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{height - 22}"'
    out.append(f'<line class="line" {ends} stroke-dasharray="3 3"/>')
    out.append(f'<text class="quiet" x="{x:.1f}" y="{height - 8}" text-anchor="middle">1 = the fastest peer</text>')
    for i, (label, ratio, peer) in enumerate(bars):
        y = TOP + ROW * i
        length = min(ratio, longest) * scale
        kind = "bar" if ratio >= 1 else "behind"
        out.append(f'<text x="{LABEL - 10}" y="{y + 14}" text-anchor="end">{html.escape(label)}</text>')
        out.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.1f}" height="{ROW - 7}" rx="2"/>')
        cut = " →" if ratio > longest else ""
        out.append(
            f'<text class="halo" x="{LABEL + length + 6:.1f}" y="{y + 14}">'
            f'<tspan font-weight="600">{ratio:.2f}{cut}</tspan>'
            f'<tspan class="quiet" dx="6">{html.escape(peer)}</tspan></text>'
        )
    return "\n".join([*out, "</svg>"]) + "\n"
