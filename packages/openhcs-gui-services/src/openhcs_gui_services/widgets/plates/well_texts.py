"""Wells in words, and their places on the plate. Without Qt."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.results import StepCost
from zmqruntime.execution import AxisProgress, AxisState

__all__ = [
    "MapLayout",
    "StepLine",
    "counts_text",
    "lay_out",
    "selection_text",
    "state_word",
    "step_lines",
    "step_rows",
    "tooltip_text",
    "value_line",
    "well_text",
]

_SHAPES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
"""Rows and columns of plates with 6, 12, 24, 48, 96, 384 and 1,536 wells (ANSI SLAS 4-2004)."""

_WORDS = MappingProxyType(
    {
        AxisState.WAITING: "waiting",
        AxisState.RUNNING: "running",
        AxisState.COMPLETE: "complete",
        AxisState.FAILED: "failed",
        AxisState.CANCELLED: "stopped",
    }
)


@dataclass(frozen=True)
class MapLayout:
    """Rows and columns of a map, the axis at each place (row and column from 0), and the labels at its edges."""

    rows: int
    columns: int
    places: Mapping[tuple[int, int], str]
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StepLine:
    """A line of the details of a well.

    Attributes:
        title: what it is about, such as ``2. Segment``.
        text: what is said of it, such as ``done, 2.3 s``; short.
        detail: more of that, for a tooltip.
        state: state of the step.
        is_heading: whether it is the heading of other lines.
    """

    title: str
    text: str = ""
    detail: str = ""
    state: AxisState | None = None
    is_heading: bool = False


def lay_out(axis_ids: Iterable[str]) -> MapLayout:
    """Return the smallest standard plate with these wells; axes that are not wells are placed in order, unlabelled."""
    names = list(axis_ids)
    try:
        places = {well_position(name): name for name in names}
    except ValueError:
        columns = max(1, math.ceil(math.sqrt(len(names) * 1.5)))
        ordered = {divmod(number, columns): name for number, name in enumerate(names)}
        return MapLayout(max(1, math.ceil(len(names) / columns)), columns, ordered)
    last_row = max((row for row, _ in places), default=0)
    last_column = max((column for _, column in places), default=0)
    rows, columns = next(shape for shape in _SHAPES if last_row < shape[0] and last_column < shape[1])
    row_labels = tuple(well_name(row, 0).removesuffix("01") for row in range(rows))
    return MapLayout(rows, columns, places, row_labels, tuple(str(column + 1) for column in range(columns)))


def state_word(state: AxisState) -> str:
    """Return the state of a well in one word."""
    return _WORDS[state]


def well_text(well: AxisProgress) -> str:
    """Return one line: ``B06: running, Segment (step 3 of 7), 28 %`` or ``B06: failed in Segment: no such image``."""
    step = f"{well.step_name} (step {well.step_index + 1} of {well.total_steps})" if well.step_name else ""
    match well.state:
        case AxisState.RUNNING:
            parts = ["running", step, f"{int(well.percent)} %"]
            return f"{well.axis_id}: {', '.join(part for part in parts if part)}"
        case AxisState.FAILED:
            where = f" in {step}" if step else ""
            reason = well.error.strip().partition("\n")[0]
            return f"{well.axis_id}: failed{where}{': ' if reason else ''}{reason}"
        case state:
            return f"{well.axis_id}: {_WORDS[state]}"


def counts_text(counts: Mapping[AxisState, int]) -> str:
    """Return counts by state, such as ``52 complete, 4 running, 1 failed``, without zeros."""
    return ", ".join(f"{counts[state]} {word}" for state, word in _WORDS.items() if counts.get(state))


def selection_text(count: int) -> str:
    """Return how many wells are selected; empty for one or none."""
    return f"{count} wells selected" if count > 1 else ""


def value_line(axis_id: str, values: WellColours) -> str:
    """Return the value of a well: ``Cell area: 212.5 µm² (positive control, unusual)``."""
    value = values.values.get(axis_id)
    has_value = value is not None and not math.isnan(value)
    amount = f"{value:.6g} {values.unit}".rstrip() if has_value else "no value"
    kind = values.controls.get(axis_id, "")
    marks = [f"{kind} control" if kind in ("positive", "negative") else kind]
    marks.append("unusual" if axis_id in values.outliers else "")
    marks.append("excluded" if axis_id in values.excluded else "")
    said = ", ".join(filter(None, marks))
    return f"{values.title}: {amount}{f' ({said})' if said else ''}"


def tooltip_text(well: AxisProgress, description: str, value: str) -> str:
    """Return the tooltip of a well as rich text, a line for each of what is known."""
    lines = filter(None, (well_text(well), description, value))
    return f"<qt>{'<br>'.join(html.escape(line) for line in lines)}</qt>"


def step_lines(well: AxisProgress, names: Mapping[int, str]) -> list[str]:
    """Return the steps of a well, one line each: ``1. Denoise: done``, ``2. Segment: running``, ``3. Measure``."""
    return [": ".join(filter(None, (row.title, row.text))) for row in step_rows(well, names)]


def step_rows(well: AxisProgress, names: Mapping[int, str], costs: Sequence[StepCost] = ()) -> list[StepLine]:
    """Return the steps of a well, with their times where they are known.

    Args:
        well: the well.
        names: known step names by index, from 0.
        costs: what steps have cost; those of another pipeline, whose names differ, are left out.
    """
    if not well.total_steps and well.state is AxisState.COMPLETE:  # its run was read from disk before its steps were
        return [
            StepLine(f"{index}. {cost.step}", _step_text(AxisState.COMPLETE, cost), str(cost), AxisState.COMPLETE)
            for index, cost in enumerate(costs, 1)
        ]
    known = {**names, well.step_index: well.step_name} if well.step_name else names
    of_name = {cost.step: cost for cost in costs} if len({cost.step for cost in costs}) == len(costs) else {}
    rows = []
    for index in range(well.total_steps):
        title = f"{index + 1}. {known[index]}" if index in known else f"Step {index + 1}"
        cost = of_name.get(known.get(index, ""))
        state = well.state_of_step(index)
        rows.append(StepLine(title, _step_text(state, cost), str(cost) if cost else "", state))
    return rows


def _step_text(state: AxisState, cost: StepCost | None) -> str:
    parts = [_step_word(state), *([f"{cost.seconds:.1f} s", cost.device] if cost else [])]
    return ", ".join(filter(None, parts))


def _step_word(state: AxisState) -> str:
    match state:
        case AxisState.WAITING:
            return ""
        case AxisState.COMPLETE:
            return "done"
        case _:
            return _WORDS[state]
