"""Heat maps of a plate as SVG: a square for each well, which says its value and what it contains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.report.html import NOTHING, Html, element, joined
from openhcs_runtime.report.measures import WellMeasure
from openhcs_runtime.report.run import ReportedRun, WellState
from openhcs_runtime.tables.scale import short_number, viridis_color
from zmqruntime.execution.text import plural

EDGE = 20
"""Edge of a well, in units of the drawing."""
_LABEL = 16
_SMALL_COLUMNS = 12
"""Columns of plates of which three heat maps fit next to each other."""
_GRIDS = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class PlateDrawing:
    """What all heat maps of a report have in common.

    Attributes:
        rows: rows of the plate, up to the last one with wells of the run.
        columns: columns of the plate.
        states: how far each well has come, in plate order.
        entries: what is in each well, in lines.
        classes: CSS classes of the wells that are controls.
    """

    rows: int
    columns: int
    states: Mapping[str, WellState]
    entries: Mapping[str, str]
    classes: Mapping[str, str]

    @classmethod
    def of(cls, run: ReportedRun, negative: Sequence[str] = (), positive: Sequence[str] = ()) -> "PlateDrawing":
        """Return the drawing of the plate of a run, with its controls."""
        places = [well_position(well) for well in run.wells] or [(0, 0)]
        last = max(row for row, _ in places), max(column for _, column in places)
        columns = next(grid[1] for grid in _GRIDS if last[0] < grid[0] and last[1] < grid[1])
        lines = {well: "\n".join(f"{name}: {value}" for name, value in run.entries(well)) for well in run.wells}
        classes = dict.fromkeys(negative, "negative") | dict.fromkeys(positive, "positive")
        return cls(last[0] + 1, columns, run.wells, lines, classes)

    def style(self, maps: int) -> str:
        """Return the CSS classes of a number of heat maps next to each other."""
        if maps == 1:
            return "grid single"
        return "grid small" if self.columns <= _SMALL_COLUMNS else "grid"

    def draw(self, measure: WellMeasure) -> Html:
        """Return the heat map of a measure with its colour scale, as a figure."""
        values = measure.values.values()
        low, high = (min(values), max(values)) if values else (0.0, 0.0)
        wells = [self._well(well, measure, low, high) for well in self.states]
        width, height = _LABEL + self.columns * EDGE, _LABEL + self.rows * EDGE
        picture = element(
            "svg",
            self._names(),
            *wells,
            class_="plate",
            viewBox=f"0 0 {width} {height}",
            data_edge=EDGE,
            role="group",
            aria_label=f"Heat map of {measure.title}",
        )
        missing = len(self.states) - len(set(self.states) & set(measure.values))
        return element(
            "figure",
            element("h3", measure.title),
            picture,
            _scale(low, high) if measure.values else NOTHING,
            element("figcaption", _caption(measure, missing)),
        )

    def _well(self, well: str, measure: WellMeasure, low: float, high: float) -> Html:
        row, column = well_position(well)
        x, y = _LABEL + column * EDGE, _LABEL + row * EDGE
        value, state = measure.values.get(well), self.states[well]
        classes = " ".join(filter(None, ["w", "" if value is not None else "none", self.classes.get(well, "")]))
        square = element(
            "rect",
            element("title", self._text(well, value, state)),
            class_=classes,
            x=x,
            y=y,
            width=EDGE,
            height=EDGE,
            rx=3,
            role="img",
            fill=colour((value - low) / (high - low) if high > low else 0.5) if value is not None else False,
        )
        return joined(square, cross(x, y) if state is WellState.FAILED else NOTHING)

    def _text(self, well: str, value: float | None, state: WellState) -> str:
        said = "no value" if value is None else f"{value:.6g}"
        first = f"{well}: {said}" + (f" ({state})" if state is not WellState.COMPLETE else "")
        control = {"negative": "negative control", "positive": "positive control"}.get(self.classes.get(well, ""), "")
        return "\n".join(filter(None, [first, control, self.entries.get(well, "")]))

    def _names(self) -> Html:
        step = 1 if self.columns <= 24 else 2
        across = [
            element("text", str(column + 1), x=_LABEL + (column + 0.5) * EDGE, y=_LABEL - 5, text_anchor="middle")
            for column in range(0, self.columns, step)
        ]
        down = [
            element("text", well_name(row, 0)[:-2], x=_LABEL - 5, y=_LABEL + (row + 0.65) * EDGE, text_anchor="end")
            for row in range(self.rows)
        ]
        return element("g", *across, *down, class_="names", aria_hidden="true")


def definitions() -> Html:
    """Return what the drawings refer to: the hatching of wells without a value."""
    pattern = element(
        "pattern",
        element("rect", width=5, height=5),
        element("line", x1=0, y1=0, x2=0, y2=5),
        id="hatch",
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    stops = [element("stop", offset=place / 10, stop_color=colour(place / 10)) for place in range(11)]
    return element("svg", element("defs", pattern, element("linearGradient", *stops, id="viridis")), class_="defs")


def cross(x: int, y: int) -> Html:
    """Return the mark of a well that failed."""
    near, far = EDGE * 0.28, EDGE * 0.72
    down = f"M{x + near:.1f} {y + near:.1f}L{x + far:.1f} {y + far:.1f}"
    up = f"M{x + far:.1f} {y + near:.1f}L{x + near:.1f} {y + far:.1f}"
    return element("path", d=down + up, class_="cross")


def colour(part: float) -> str:
    """Return the colour of a value from 0 to 1, as ``#rrggbb``."""
    return "#" + "".join(f"{band:02x}" for band in viridis_color(part))


def legend(*, has_failed: bool, has_negative: bool, has_positive: bool) -> Html:
    """Return what the marks of the heat maps mean."""
    marks = [("none", "no value", NOTHING)]
    marks += [("none", "failed", cross(0, 0))] if has_failed else []
    marks += [("negative", "negative control", NOTHING)] if has_negative else []
    marks += [("positive", "positive control", NOTHING)] if has_positive else []
    return element("ul", *(_mark(kind, text, more) for kind, text, more in marks), class_="legend")


def _mark(kind: str, text: str, more: Html) -> Html:
    square = element("rect", class_=f"w {kind}", x=1, y=1, width=EDGE - 2, height=EDGE - 2, rx=3, fill="none")
    box = f"0 0 {EDGE} {EDGE}"
    return element("li", element("svg", square, more, class_="plate key", viewBox=box, aria_hidden="true"), text)


def _scale(low: float, high: float) -> Html:
    bar = element("rect", width=100, height=10, fill="url(#viridis)" if high > low else colour(0.5))
    drawn = element("svg", bar, viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
    ends = (short_number(low), short_number(high)) if high > low else (short_number(low), "")
    return element("div", ends[0], element("div", drawn, class_="bar"), ends[1], class_="scale")


def _caption(measure: WellMeasure, missing: int) -> Html:
    none = f", {missing} without a value" if missing else ""
    name = element("code", measure.column) if measure.column else "Images"
    return joined(name, f", {plural(len(measure.values), 'well')}{none}")
