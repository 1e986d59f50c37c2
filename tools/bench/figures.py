"""What a benchmark measured: figures that are printed as they come and, with ``--json FILE``, written to a file.

    parser = argparse.ArgumentParser(...)
    with figures.report(parser) as (options, report):
        report.tell(Figure("control request, median", 71, "us", bar=100))
        report.tell(Figure("control request, median", 52, "us", Side.FLOOR, "bare REQ/ROUTER", bar=1 / 1.5))
    sys.exit(report.missed > 0)

Figures of one name are of one thing: ours, then what is beside it. `bar` of ours is a value of the same unit. That of
the others is how many times as good as them ours must be: 4 is four times as fast; 1 / 1.5 is 1.5 times as slow, at
most.
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
    """Whose a figure is."""

    OURS = "ours"
    FLOOR = "floor"
    """What the machine can do at all, by the plainest program."""
    PEER = "peer"
    """Another library, doing the same."""


class Figure(msgspec.Struct, frozen=True):
    """One number. `by` names the floor or the peer; `note` says how it came about, such as "not durable"."""

    name: str
    value: float
    unit: str
    side: Side = Side.OURS
    by: str = ""
    bar: float | None = None
    higher_is_better: bool = False
    note: str = ""


def advantage(ours: Figure, other: Figure) -> float:
    """How many times as good ours is as the other; below 1 it is worse."""
    better, worse = (ours.value, other.value) if ours.higher_is_better else (other.value, ours.value)
    return better / worse if worse else float("inf")


def ours_beside(figure: Figure, among: Sequence[Figure]) -> Figure | None:
    """Ours of the same name, if there is one."""
    return next((found for found in among if found.name == figure.name and found.side is Side.OURS), None)


def is_missed(figure: Figure, among: Sequence[Figure]) -> bool:
    """Whether a figure is beyond its bar; that of a floor or a peer counts when ours is known."""
    if figure.bar is None:
        return False
    if figure.side is Side.OURS:
        return figure.value < figure.bar if figure.higher_is_better else figure.value > figure.bar
    ours = ours_beside(figure, among)
    return ours is not None and advantage(ours, figure) < figure.bar


def bar_text(figure: Figure, among: Sequence[Figure]) -> str:
    """What the bar is, and whether it is met; empty where there is none."""
    if figure.bar is None:
        return ""
    is_ours = figure.side is Side.OURS
    kind = "at least" if not is_ours or figure.higher_is_better else "at most"
    unit = figure.unit if is_ours else "x"
    return f"{kind} {number(figure.bar)} {unit}, {'missed' if is_missed(figure, among) else 'met'}"


def number(value: float) -> str:
    """A number as people write it: three digits, or all of a large one."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


class Report:
    """The figures of one run of a script, in the order they were told."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def tell(self, *figures: Figure) -> None:
        """Print these figures and keep them; give ours before what is beside it."""
        for figure in figures:
            self.figures.append(figure)
            print(self._line(figure), flush=True)

    @property
    def missed(self) -> int:
        """How many figures are beyond their bar."""
        return sum(is_missed(figure, self.figures) for figure in self.figures)

    def write(self, path: Path) -> None:
        """Write them as a JSON list."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self.figures), indent=2) + b"\n")

    def _line(self, figure: Figure) -> str:
        name = figure.name if figure.side is Side.OURS else f"  {figure.side}: {figure.by}"
        ours = ours_beside(figure, self.figures)
        beside = []
        if figure.side is not Side.OURS and ours is not None:
            beside.append(f"ours is {advantage(ours, figure):.2f} x as good")
        beside += [text] if (text := bar_text(figure, self.figures)) else []
        beside += [figure.note] if figure.note else []
        return f"{name:68} {number(figure.value):>9} {figure.unit:5}  {'; '.join(beside)}".rstrip()


def read(path: Path) -> list[Figure]:
    """The figures that a script wrote.

    Raises:
        msgspec.ValidationError: the file holds something else.
    """
    return msgspec.json.decode(path.read_bytes(), type=list[Figure])


@contextlib.contextmanager
def report(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.Namespace, Report]]:
    """Parse the command line, with ``--json FILE`` added, and write the figures at the end, also after a failure.

    A failure ends the script with the exit code 3, since 1 says that a bar was missed.
    """
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    options = parser.parse_args()
    told = Report()
    try:
        yield options, told
    except Exception:  # noqa: BLE001 - whatever a measurement meets
        traceback.print_exc()
        sys.exit(FAILED)
    finally:
        if options.json is not None:
            told.write(options.json)
    if told.missed:
        print(f"{told.missed} of {len(told.figures)} figures are beyond their bar", file=sys.stderr)
