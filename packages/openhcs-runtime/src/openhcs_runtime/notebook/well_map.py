"""The wells of a plate as a small picture (SVG): one square for each, in the colour of its state."""

from collections.abc import Sequence
from html import escape

from openhcs_runtime.wells import well_name, well_position
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["well_map"]

_COLOURS = {
    AxisState.WAITING: "#8c8c8c55",
    AxisState.RUNNING: "#2f81f7",
    AxisState.COMPLETE: "#2da44e",
    AxisState.FAILED: "#d1362f",
    AxisState.CANCELLED: "#c98a00",
}
_WIDTH = 480
_MOST_PITCH = 24
_LABEL = 24
_FORMATS = ((8, 12), (16, 24), (32, 48))
"""Rows and columns of plates with 96, 384 and 1,536 wells."""


def well_map(wells: Sequence[AxisProgress]) -> str:
    """Return the picture, as wide as the smallest usual plate that has all these wells, down to the last row in use.

    Args:
        wells: the wells that are known; those whose name is not that of a well are left out.

    Returns:
        SVG; empty if there is no well.
    """
    placed = [(place, well) for well in wells if (place := _place(well.axis_id)) is not None]
    if not placed:
        return ""
    last_row, last_column = max(place[0] for place, _ in placed), max(place[1] for place, _ in placed)
    rows, columns = last_row + 1, _columns(last_row, last_column)
    pitch = min(_MOST_PITCH, _WIDTH // columns)
    side = pitch - max(1, pitch // 8)
    squares = "".join(
        f'<rect x="{_LABEL + column * pitch}" y="{_LABEL + row * pitch}" width="{side}" height="{side}" rx="2" '
        f'fill="{_COLOURS[well.state]}"><title>{escape(_title(well))}</title></rect>'
        for (row, column), well in placed
    )
    labels = _labels(rows, columns, pitch)
    width, height = _LABEL + columns * pitch, _LABEL + rows * pitch
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="map of the wells" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" font-size="10" fill="currentColor">{labels}{squares}</svg>'
    )


def _place(name: str) -> tuple[int, int] | None:
    try:
        return well_position(name)
    except ValueError:
        return None


def _columns(last_row: int, last_column: int) -> int:
    return next(columns for rows, columns in _FORMATS if last_row < rows and last_column < columns)


def _labels(rows: int, columns: int, pitch: int) -> str:
    """Return the letters of the rows and the numbers of the columns, as many as there is room for."""
    step = -(-12 // pitch)
    middle = _LABEL + pitch // 2
    across = "".join(
        f'<text x="{middle + column * pitch}" y="{_LABEL - 6}" text-anchor="middle">{column + 1}</text>'
        for column in range(0, columns, step)
    )
    down = "".join(
        f'<text x="{_LABEL - 6}" y="{middle + row * pitch + 2}" text-anchor="end">{well_name(row, 0)[:-2]}</text>'
        for row in range(0, rows, step)
    )
    return across + down


def _title(well: AxisProgress) -> str:
    parts = [well.axis_id, well.state.value]
    if well.step_name and well.state is not AxisState.COMPLETE:
        parts.append(f"{well.step_name} (step {well.step_index + 1} of {well.total_steps})")
    return ", ".join([*parts, *([well.error] if well.error else [])])
