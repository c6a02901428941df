"""Panels of lines on logarithmic axes as one SVG, light or dark as the reader's system asks."""

import dataclasses
import html
import math

# Okabe & Ito, "Color Universal Design" (2008); the second of each is for a dark background.
COLORS = (("#0072b2", "#56b4e9"), ("#d55e00", "#d55e00"), ("#009e73", "#009e73"), ("#cc79a7", "#cc79a7"))
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, HEAD = 420, 300, 58, 14, 30, 40, 74
STYLE = (
    ".back{fill:#fff}text{fill:#1f2328;font:12px system-ui,-apple-system,sans-serif}.title{font-size:15px;"
    "font-weight:600}.head{font-weight:600}.grid{stroke:#d8dee4}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".other{stroke-dasharray:6 4}"
    + "".join(f".s{i}{{stroke:{light}}}.f{i}{{fill:{light}}}" for i, (light, _) in enumerate(COLORS))
    + "@media (prefers-color-scheme:dark){.back{fill:#0d1117}text{fill:#e6edf3}.grid{stroke:#2a313c}"
    + "".join(f".s{i}{{stroke:{dark}}}.f{i}{{fill:{dark}}}" for i, (_, dark) in enumerate(COLORS))
    + "}"
)


@dataclasses.dataclass(frozen=True)
class Line:
    name: str
    color: int  # of COLORS
    dashed: bool
    points: tuple  # ((x, y), …), all above 0


@dataclasses.dataclass(frozen=True)
class Panel:
    title: str
    unit: str  # format of a tick: a function from its value
    lines: tuple


def powers(low, high):
    """Powers of ten from below `low` to above `high`."""
    return [10.0**i for i in range(math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9) + 1)]


def text(x, y, anchor, content, kind=""):
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{html.escape(content)}</text>'


def draw_line(line, place):
    kind = f"line s{line.color}{' other' if line.dashed else ''}"
    points = [place(*point) for point in line.points]
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    out = [f'<polyline class="{kind}" points="{joined}"/>']
    return out + [f'<circle class="f{line.color}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]


def draw_panel(panel, left, top, x_ticks, y_range, x_label):
    values = powers(*y_range)
    low_x, high_x = math.log(x_ticks[0][0]), math.log(x_ticks[-1][0])
    low_y, high_y = math.log(values[0]), math.log(values[-1])
    right, bottom = left + WIDTH - RIGHT, top + HEIGHT - BOTTOM
    left, top = left + LEFT, top + TOP

    def place(x, y):
        x = left + (math.log(x) - low_x) / (high_x - low_x) * (right - left - 10) + 5
        return x, bottom - (math.log(y) - low_y) / (high_y - low_y) * (bottom - top)

    out = [text(left, top - 10, "start", panel.title, "head")]
    for value in values:
        y = place(x_ticks[0][0], value)[1]
        out.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(text(left - 7, y + 4, "end", panel.unit(value)))
    for value, label in x_ticks:
        out.append(text(place(value, values[0])[0], bottom + 17, "middle", label))
    out.append(text((left + right) / 2, bottom + 34, "middle", x_label))
    for line in panel.lines:
        out += draw_line(line, place)
    return out


def draw_legend(lines, width):
    out, x, y = [], 16, 46
    for line in lines:
        needed = 44 + 7 * len(line.name)
        if x + needed > width:
            x, y = 16, y + 20
        kind = f"line s{line.color}{' other' if line.dashed else ''}"
        out.append(f'<line class="{kind}" x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}"/>')
        out.append(text(x + 32, y + 4, "start", line.name))
        x += needed
    return out


def draw(title, rows, x_ticks, x_label):
    """`rows` of panels; those of a column share their range of values. Ticks are (value, label)."""
    width, height = WIDTH * len(rows[0]), HEAD + HEIGHT * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img"><title>{html.escape(title)}</title><style>{STYLE}</style>',
        f'<rect class="back" width="{width}" height="{height}"/>',
        text(16, 24, "start", title, "title"),
    ]
    out += draw_legend({line.name: line for row in rows for panel in row for line in panel.lines}.values(), width)
    for column, panels in enumerate(zip(*rows, strict=True)):
        values = [y for panel in panels for line in panel.lines for _, y in line.points]
        for number, panel in enumerate(panels):
            place = (column * WIDTH, HEAD + number * HEIGHT)
            out += draw_panel(panel, *place, x_ticks, (min(values), max(values)), x_label)
    return "\n".join([*out, "</svg>"]) + "\n"
