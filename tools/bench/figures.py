"""The figures of a benchmark, printed as they are measured and, with ``--json FILE``, written to a file.

    parser = argparse.ArgumentParser(...)
    with figures.report(parser) as (options, report):
        report.tell(Figure("control request, median", 71, "us", bar=100))
        report.tell(Figure("control request, median", 52, "us", Side.FLOOR, "bare REQ/ROUTER", bar=1 / 1.5))
    sys.exit(report.missed > 0)

Figures with the same name measure the same thing: ours first, then its references. The `bar` of ours is a limit in the
same unit. That of a reference is the ratio that ours must reach: 4 is four times as fast, 1 / 1.5 is at most 1.5 times
as slow.
"""

import argparse
import contextlib
import enum
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

FAILED = 3


class Side(enum.StrEnum):
    """What a figure was measured on."""

    OURS = "ours"
    FLOOR = "floor"
    """The bare operation, by the simplest possible program."""
    PEER = "peer"
    """Another library, doing the same."""


class Figure(msgspec.Struct, frozen=True):
    """One number. `by` names the reference; `note` qualifies the number, such as "not durable"."""

    name: str
    value: float
    unit: str
    side: Side = Side.OURS
    by: str = ""
    bar: float | None = None
    higher_is_better: bool = False
    note: str = ""


def advantage(ours: Figure, other: Figure) -> float:
    """Return the ratio of ours to a reference; below 1, ours is worse."""
    better, worse = (ours.value, other.value) if ours.higher_is_better else (other.value, ours.value)
    return better / worse if worse else float("inf")


def ours_beside(figure: Figure, among: Sequence[Figure]) -> Figure | None:
    """Return our figure with the same name, if there is one."""
    return next((found for found in among if found.name == figure.name and found.side is Side.OURS), None)


def is_missed(figure: Figure, among: Sequence[Figure]) -> bool:
    """Return whether a figure misses its limit; a reference needs our figure for that."""
    if figure.bar is None:
        return False
    if figure.side is Side.OURS:
        return figure.value < figure.bar if figure.higher_is_better else figure.value > figure.bar
    ours = ours_beside(figure, among)
    return ours is not None and advantage(ours, figure) < figure.bar


def bar_text(figure: Figure, among: Sequence[Figure]) -> str:
    """Return the limit and whether it is met; empty without one."""
    if figure.bar is None:
        return ""
    is_ours = figure.side is Side.OURS
    kind = "at least" if not is_ours or figure.higher_is_better else "at most"
    unit = figure.unit if is_ours else "x"
    return f"{kind} {number(figure.bar)} {unit}, {'missed' if is_missed(figure, among) else 'met'}"


def number(value: float) -> str:
    """Return a number with three significant digits, or all digits of a large one."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Report:
    """The figures of one run of a script, in order."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def tell(self, *figures: Figure) -> None:
        """Print and keep these figures; ours must come before its references."""
        for figure in figures:
            self.figures.append(figure)
            print(self._line(figure), flush=True)

    @property
    def missed(self) -> int:
        """The number of figures that miss their limit."""
        return sum(is_missed(figure, self.figures) for figure in self.figures)

    def write(self, path: Path) -> None:
        """Write the figures as a JSON list."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.figures), indent=2) + b"\n")

    def _line(self, figure: Figure) -> str:
        name = figure.name if figure.side is Side.OURS else f"  {figure.side}: {figure.by}"
        ours = ours_beside(figure, self.figures)
        beside = []
        if figure.side is not Side.OURS and ours is not None:
            beside.append(f"ratio {advantage(ours, figure):.2f} x")
        beside += [text] if (text := bar_text(figure, self.figures)) else []
        beside += [figure.note] if figure.note else []
        return f"{name:68} {number(figure.value):>9} {figure.unit:5}  {'; '.join(beside)}".rstrip()


def read(path: Path) -> list[Figure]:
    """Return the figures that a script wrote.

    Raises:
        msgspec.ValidationError: the file contains something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=list[Figure])


@contextlib.contextmanager
def report(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.Namespace, Report]]:
    """Parse the command line, with ``--json FILE`` added, and write the figures at the end, even after a failure.

    A failure ends the script with exit code 3, because 1 means that a limit was missed.
    """
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    told = Report()
    try:
        yield options, told
    except Exception:  # noqa: BLE001 - any failure of a measurement
        traceback.print_exc()
        sys.exit(FAILED)
    finally:
        if options.json is not None:
            told.write(options.json)
    if told.missed:
        print(f"{told.missed} of {len(told.figures)} figures miss their limit", file=sys.stderr)
