"""Generate docs/benchmarks.md, its picture, and the table in the README from a run."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import figures
from figures import Figure, Side
from runs import DOCS, README, Part, Run

WIDTH, LEFT, RIGHT, ROW, TOP = 940, 420, 230, 24, 64
INK, GRID, AHEAD, BEHIND, FLOOR = "#1f2933", "#d5dde5", "#2f7d5b", "#b3552e", "#7b8794"
QUICK = "\n**This was a quick run with few samples: its figures are noisy and not conclusive.**\n"
PAGE = """\
# Comparison with other tools

Results of `nox -s bench` on {date}, on one machine: {machine}.
Other machines give other numbers, so compare the ratios. Repeated measurements are given as the median after a
warm-up. This project and its references get the same payload, alternating where it matters. *Durable* means written to
disk with fsync before it is reported; the other libraries below keep nothing on disk.
{warning}
![Ratio of this project to each reference](images/benchmarks.svg)

The ratio says how many times faster, or smaller, this project is than the reference. A bar to the right means that it
is ahead of another library (green), a bar to the left that it is behind (red). A grey bar compares it with the bare
operation that it is built on, or with a hand-written loop: about 1 is the best that can be expected there.
{tables}

## Run the benchmarks

<!-- not run: it takes most of an hour -->

    nox -s bench                   # everything, one table at the end
    nox -s bench -- --quick        # a first impression, three minutes
    nox -s bench -- streaming      # one script of tools/bench

Versions: {versions}.
"""


LONG = ("functions",)
"""Scripts whose figures are too many for the README and the picture; the page has them."""

BEGIN, END = "<!-- measured: nox -s bench -- --store writes this table -->\n", "<!-- end of the table -->\n"
README_TABLE = """
Medians, measured on {date} on one machine with {cores} cores, compared with other tools and with the bare operation:

| measurement | this project | reference |
|---|---|---|
{rows}

[All figures](docs/benchmarks.md), including those we miss, with versions; `nox -s bench` measures them again.

"""


class Comparison(NamedTuple):
    """The comparison of one result with one reference."""

    name: str
    other: Figure
    times: float
    """The ratio, above 1 where ours is better."""


def draw(run: Run) -> None:
    """Write page, picture and table."""
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + readme_table(run) + END + rest.partition(END)[2], encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(page(run), encoding="utf-8")
    (DOCS / "images" / "benchmarks.svg").write_text(picture(run), encoding="utf-8")


def comparisons(parts: Sequence[Part]) -> list[Comparison]:
    """Return all comparisons."""
    return [
        Comparison(figure.name, figure, figures.advantage(ours, figure))
        for part in parts
        for figure in part.figures
        if figure.side is not Side.OURS and (ours := figures.ours_beside(figure, part.figures)) is not None
    ]


def readme_table(run: Run) -> str:
    """Return the results that have a reference, one row each, as Markdown."""
    rows = []
    for part in _shown(run):
        for ours in (figure for figure in part.figures if figure.side is Side.OURS):
            others = [figure for figure in part.figures if figure.name == ours.name and figure is not ours]
            beside = "; ".join(f"{_cell(other.by)} {_value(other)}" for other in others)
            rows += [f"| {_cell(ours.name)} | {_value(ours)} | {beside} |"] if others else []
    return README_TABLE.format(date=run.date, cores=run.machine.cores, rows="\n".join(rows))


def page(run: Run) -> str:
    """Return the page as Markdown."""
    machine = run.machine
    where = f"{machine.processor}, {machine.cores} cores, {machine.memory_gb} GB, {machine.system}"
    tables = "\n".join(line for part in run.parts for line in _table(part))
    versions = ", ".join([f"Python {machine.python}", *(f"{name} {version}" for name, version in run.versions.items())])
    warning = QUICK if run.quick else ""
    return PAGE.format(date=run.date, machine=where, warning=warning, tables=tables, versions=versions)


def _shown(run: Run) -> list[Part]:
    return [part for part in run.parts if part.script not in LONG]


def _table(part: Part) -> Iterator[str]:
    yield from (
        "",
        f"## {_title(part.script)}",
        "",
        f"{part.what.replace('``', '`')} (`tools/bench/{part.script}.py`)",
        "",
    )
    yield from ("| measurement | result | ratio | note |", "|---|---|---|---|")
    for figure in part.figures:
        is_ours = figure.side is Side.OURS
        name = figure.name if is_ours else f"- {figure.by}"
        ours = figures.ours_beside(figure, part.figures)
        times = "" if is_ours or ours is None else f"{figures.number(figures.advantage(ours, figure))} x"
        note = "; ".join(filter(None, (figures.bar_text(figure, part.figures), figure.note)))
        yield f"| {_cell(name)} | {figures.number(figure.value)} {figure.unit} | {times} | {_cell(note)} |"


def _value(figure: Figure) -> str:
    note = f" ({_cell(figure.note)})" if figure.note else ""
    return f"{figures.number(figure.value)} {figure.unit}{note}"


def _title(script: str) -> str:
    return script.replace("_", " ").capitalize()


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def picture(run: Run) -> str:
    """Return the comparisons as bars on a logarithmic scale, as SVG."""
    rows = comparisons(_shown(run))
    most = max([10.0, *(row.times for row in rows)])
    least = min([0.5, *(row.times for row in rows)])
    scale = _Scale(math.floor(math.log10(least) * 2) / 2, math.ceil(math.log10(most) * 2) / 2)
    height = TOP + ROW * len(rows) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12" role="img">',
        "<title>Ratio of this project to other libraries and to the bare operation</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="white"/>',
        _text(16, 24, f"ratio to the reference ({run.date})", size=15),
    ]
    for value in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000):
        if scale.holds(value):
            x, width = scale.x(value), 2 if value == 1 else 1
            parts.append(f'<path d="M{x:.1f} {TOP - 8}V{height - 10}" stroke="{GRID}" stroke-width="{width}"/>')
            parts.append(_text(x, TOP - 14, f"{value:g} x", anchor="middle"))
    for place, row in enumerate(rows):
        parts += _bar(row, TOP + ROW * place, scale)
    return "\n".join([*parts, "</svg>\n"])


class _Scale(NamedTuple):
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the x position of a value."""
        return LEFT + (math.log10(value) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def holds(self, value: float) -> bool:
        """Return whether a value is within the picture."""
        return self.low <= math.log10(value) <= self.high


def _bar(row: Comparison, top: float, scale: _Scale) -> Iterator[str]:
    one, tip = scale.x(1), scale.x(row.times)
    colour = FLOOR if row.other.side is Side.FLOOR else AHEAD if row.times >= 1 else BEHIND
    left, width = min(one, tip), max(abs(tip - one), 1.5)
    yield _text(LEFT - 12, top + 13, row.name, anchor="end")
    yield f'<rect x="{left:.1f}" y="{top + 2}" width="{width:.1f}" height="{ROW - 10}" rx="2" fill="{colour}"/>'
    text = f"{figures.number(row.times)} x {row.other.by}"
    yield _text(max(one, tip) + 8, top + 13, text, colour=INK)


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = INK) -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">{escape(text)}</text>'
