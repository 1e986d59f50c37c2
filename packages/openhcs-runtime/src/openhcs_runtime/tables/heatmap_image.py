"""Heatmap of a plate: one coloured square for each well."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import well_name, well_position
from openhcs_runtime.tables.scale import Color, short_number, viridis_color

_GRIDS = ((8, 12, 52), (16, 24, 34), (32, 48, 22))
"""Rows, columns, and edge of a well in pixels; the smallest grid that holds all wells is drawn."""
_INK, _QUIET, _PAPER, _EMPTY = (34, 34, 34), (120, 120, 120), (255, 255, 255), (240, 240, 240)
_SCALE = 2
"""Image pixels per layout pixel, so that the picture is sharp on any screen."""
_MARGIN, _TITLE, _LABEL, _BAR, _GAP = 20, 44, 30, 16, 2


@dataclass(frozen=True, slots=True)
class _Plate:
    rows: int
    columns: int
    edge: int

    @property
    def width(self) -> int:
        return self.columns * self.edge

    @property
    def height(self) -> int:
        return self.rows * self.edge


def draw_heatmap(values: Mapping[str, float], title: str, labels: Mapping[str, str] | None = None) -> Image.Image:
    """Draw a plate with a square for each well, coloured by its value, next to a colour scale.

    Wells without a value are pale and crossed out. On plates of up to 96 wells each value is written in its square.

    Args:
        values: the values.
        title: written above the plate.
        labels: texts that are written below the values, such as compounds.

    Raises:
        ValueError: there are labels, and the plate has more than 96 wells.
    """
    plate = _plate_of(values)
    if labels and plate.rows > _GRIDS[0][0]:
        raise ValueError("labels fit into the wells of plates of up to 96 wells only")
    left, top = _MARGIN + _LABEL, _MARGIN + _TITLE + _LABEL
    size = (left + plate.width + 2 * _MARGIN + _BAR + 70, top + plate.height + _MARGIN)
    image = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), _PAPER)
    draw = ImageDraw.Draw(image)
    low, high = min(values.values()), max(values.values())
    _text(draw, (_MARGIN, _MARGIN), title, 18, anchor="la")
    _draw_names(draw, plate, left, top)
    for row in range(plate.rows):
        for column in range(plate.columns):
            corner = (left + column * plate.edge, top + row * plate.edge)
            well = well_name(row, column)
            _draw_well(draw, plate, corner, values.get(well), low, high)
            if label := (labels or {}).get(well):
                _draw_label(draw, plate, corner, label, is_colored=well in values)
    _draw_scale(draw, (left + plate.width + _MARGIN, top), plate.height, low, high)
    return image


def write_heatmap(path: Path, values: Mapping[str, float], title: str, labels: Mapping[str, str] | None = None) -> None:
    """Write the heatmap as a PNG file, as ``draw_heatmap`` draws it.

    Raises:
        OutputError: the file cannot be written.
        ValueError: there are labels, and the plate has more than 96 wells.
    """
    image = draw_heatmap(values, title, labels)
    with atomic_file(path) as file:
        image.save(file, format="PNG", optimize=True)


def _plate_of(values: Mapping[str, float]) -> _Plate:
    places = [well_position(well) for well in values]
    last = [max(place[axis] for place in places) for axis in (0, 1)]
    return _Plate(*next(grid for grid in _GRIDS if last[0] < grid[0] and last[1] < grid[1]))


def _draw_names(draw: ImageDraw.ImageDraw, plate: _Plate, left: int, top: int) -> None:
    size = min(14, plate.edge // 2 + 1)
    for column in range(plate.columns):
        _text(draw, (left + (column + 0.5) * plate.edge, top - 10), str(column + 1), size, color=_QUIET)
    for row in range(plate.rows):
        _text(draw, (left - 14, top + (row + 0.5) * plate.edge), well_name(row, 0)[:-2], size, color=_QUIET)


def _draw_well(
    draw: ImageDraw.ImageDraw, plate: _Plate, corner: tuple[int, int], value: float | None, low: float, high: float
) -> None:
    begin = [(place + _GAP / 2) * _SCALE for place in corner]
    end = [(place + plate.edge - _GAP / 2) * _SCALE - 1 for place in corner]
    if value is None:
        draw.rectangle((*begin, *end), fill=_EMPTY)
        inset = plate.edge * _SCALE * 0.3
        draw.line((begin[0] + inset, end[1] - inset, end[0] - inset, begin[1] + inset), fill=(190, 190, 190), width=3)
        return
    color = viridis_color((value - low) / (high - low) if high > low else 0.5)
    draw.rectangle((*begin, *end), fill=color)
    if plate.rows <= _GRIDS[0][0]:
        middle = (corner[0] + plate.edge / 2, corner[1] + plate.edge / 2)
        bright = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
        _text(draw, middle, short_number(value), 13, color=_INK if bright else _PAPER)


def _draw_label(
    draw: ImageDraw.ImageDraw, plate: _Plate, corner: tuple[int, int], label: str, *, is_colored: bool
) -> None:
    """Write a label into the lower part of a well, shortened to its width."""
    font = ImageFont.load_default(9 * _SCALE)
    width = (plate.edge - _GAP - 4) * _SCALE
    text, kept = label, len(label)
    while kept > 1 and draw.textlength(text, font=font) > width:
        kept -= 1
        text = f"{label[:kept]}…"
    place = (corner[0] + plate.edge / 2, corner[1] + plate.edge - 9)
    _text(draw, place, text, 9, color=_INK, halo=is_colored)


def _draw_scale(draw: ImageDraw.ImageDraw, corner: tuple[int, int], height: int, low: float, high: float) -> None:
    left, top = corner
    height = max(height, 1)
    for line in range(height * _SCALE):
        y = top * _SCALE + line
        color = viridis_color(1 - line / (height * _SCALE - 1) if high > low else 0.5)
        draw.line((left * _SCALE, y, (left + _BAR) * _SCALE - 1, y), fill=color)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0) if high > low else (0.5,):
        y_middle = top + (1 - part) * height
        draw.line(
            ((left + _BAR) * _SCALE, y_middle * _SCALE, (left + _BAR + 4) * _SCALE, y_middle * _SCALE), _QUIET, _SCALE
        )
        _text(draw, (left + _BAR + 8, y_middle), short_number(low + part * (high - low)), 13, anchor="lm")


def _text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    size: int,
    *,
    anchor: str = "mm",
    color: Color = _INK,
    halo: bool = False,
) -> None:
    font = ImageFont.load_default(size * _SCALE)
    where = (place[0] * _SCALE, place[1] * _SCALE)
    width = _SCALE if halo else 0
    draw.text(where, text, fill=color, font=font, anchor=anchor, stroke_width=width, stroke_fill=_PAPER)
