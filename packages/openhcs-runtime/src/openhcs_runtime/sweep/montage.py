"""The picture of a sweep: a row for each image, a column for each combination, and outlines of the objects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import Component, ImageKey, well_position
from openhcs_runtime.exceptions import OpenHCSError, OutputError
from openhcs_runtime.sweep.record import SweepRun
from openhcs_runtime.viewers.object_edges import middle, object_edges, plane_below
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import Picture, find_labels, find_pictures

_MOST_ROWS, _MOST_COLUMNS = 12, 40
_WIDEST, _SMALLEST, _LARGEST = 6400, 120, 360
"""Width of the picture, and smallest and largest edge of an image in it, in pixels."""
_CROP = 512
"""Edge of the middle part of a large image that is shown, in pixels of the image."""
_MARGIN, _LABEL, _TITLE, _CAPTION, _GAP = 12, 110, 30, 22, 6
_INK, _PAPER, _EMPTY = (34, 34, 34), (255, 255, 255), (225, 225, 225)
_OUTLINES = ((255, 220, 0), (0, 220, 255), (255, 90, 220), (120, 255, 90))
_NAMED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)
_DARKEST, _BRIGHTEST = 1.0, 99.7
"""Percentiles of the image that are drawn black and white."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """An image with outlines, and what is written below it."""

    picture: Image.Image
    caption: str


def write_montage(path: Path, runs: Sequence[SweepRun]) -> str:
    """Draw the results of the runs of a sweep next to each other.

    The picture has at most 12 rows and 40 columns; of larger images the middle is shown. The number of objects is
    that of the whole image.

    Args:
        path: the PNG file to write.
        runs: the runs.

    Returns:
        Why nothing was drawn; empty if the file was written.

    Raises:
        OutputError: the file can't be written.
    """
    shown = [run for run in runs if run.folder][:_MOST_COLUMNS]
    found = [_labels_of(Path(run.folder)) for run in shown]
    keys = _rows(list(dict.fromkeys(key for labels in found for key in labels)))
    if not keys:
        return "no run has made labels to draw"
    try:
        first = {key: next(labels[key][0] for labels in found if key in labels) for key in keys}
        planes = _planes_of(Path(shown[0].folder), first)
    except OpenHCSError as error:
        return f"the images of the plate can't be read: {error}"
    edge = max(_SMALLEST, min(_LARGEST, (_WIDEST - _LABEL) // len(shown) - _GAP))
    cells = [[_cell(planes[key], labels.get(key, ()), edge) for labels in found] for key in keys]
    rows = [(*_row_title(key, keys), *(("middle",) if max(planes[key].shape) > _CROP else ())) for key in keys]
    image = _montage(cells, rows, [_column_title(run) for run in shown])
    with atomic_file(path) as file:
        image.save(file, format="PNG", optimize=True)
    return ""


def _labels_of(folder: Path) -> dict[ImageKey, list[Picture]]:
    """Return the label images of a run by what they show."""
    found: dict[ImageKey, list[Picture]] = {}
    try:
        pictures = find_labels(folder)
    except OutputError:  # no well is complete
        return {}
    for picture in pictures:
        found.setdefault(picture.key, []).append(picture)
    return found


def _rows(keys: Sequence[ImageKey]) -> list[ImageKey]:
    """Return the images to show: one of each well, then a second one of each, as far as there is room."""
    ordered = sorted(keys, key=lambda key: (well_position(key.well), key))
    turns: Counter[str] = Counter()
    numbered = []
    for key in ordered:
        numbered.append((turns[key.well], key))
        turns[key.well] += 1
    of_turn = [[key for turn, key in numbered if turn == each] for each in sorted({turn for turn, _ in numbered})]
    chosen: list[ImageKey] = []
    for turn in of_turn:
        chosen += _spread(turn, _MOST_ROWS - len(chosen))
    return [key for key in ordered if key in set(chosen)]


def _spread(keys: Sequence[ImageKey], number: int) -> list[ImageKey]:
    if number >= len(keys):
        return list(keys)
    return [keys[index * len(keys) // number] for index in range(number)]


def _planes_of(folder: Path, labels: Mapping[ImageKey, Picture]) -> dict[ImageKey, NDArray[Any]]:
    """Return the image of the plate that belongs to each label image, projected where the labels are of a stack."""
    pictures = find_pictures(folder, (PictureKind.PLATE,), {key.well for key in labels}).pictures
    planes = {key: plane_below(label, pictures) for key, label in labels.items()}
    if missing := [key.describe() for key, plane in planes.items() if plane is None]:
        raise OutputError(f"the plate has no image of {missing[0]}")
    return {key: plane for key, plane in planes.items() if plane is not None}


def _cell(plane: NDArray[Any], pictures: Sequence[Picture], edge: int) -> _Cell:
    if not pictures:
        return _Cell(Image.new("RGB", (edge, edge), _EMPTY), "no labels")
    part = middle(plane, _CROP)
    picture = _stretched(part).resize((edge, edge), Image.Resampling.BILINEAR).convert("RGB")
    pixels = np.asarray(picture).copy()
    counts = []
    for number, one in enumerate(pictures):
        labels = one.pixels()
        counts.append(str(np.count_nonzero(np.unique(labels))))
        small = Image.fromarray(middle(labels, _CROP).astype(np.int32)).resize((edge, edge), Image.Resampling.NEAREST)
        pixels[object_edges(np.asarray(small))] = _OUTLINES[number % len(_OUTLINES)]
    return _Cell(Image.fromarray(pixels), f"{' / '.join(counts)} {'objects' if counts != ['1'] else 'object'}")


def _stretched(plane: NDArray[Any]) -> Image.Image:
    low, high = (float(value) for value in np.percentile(plane, (_DARKEST, _BRIGHTEST)))
    scaled = (plane.astype(np.float64) - low) / (high - low) if high > low else np.zeros(plane.shape)
    return Image.fromarray((np.clip(scaled, 0, 1) * 255).astype(np.uint8))


def _row_title(key: ImageKey, keys: Sequence[ImageKey]) -> tuple[str, ...]:
    """Return the well, and what else distinguishes the image from those of other rows, in lines."""
    varying = [one for one in _NAMED if len({other.value(one) for other in keys}) > 1]
    return key.well, *(f"{one.value} {key.value(one)}" for one in varying)


def _column_title(run: SweepRun) -> tuple[str, ...]:
    return tuple(f"{setting.name.rpartition('.')[2]} = {setting.text}" for setting in run.settings)


def _montage(
    cells: Sequence[Sequence[_Cell]], rows: Sequence[tuple[str, ...]], titles: Sequence[tuple[str, ...]]
) -> Image.Image:
    edge = cells[0][0].picture.width
    top = _MARGIN + _TITLE * max(map(len, titles))
    step = edge + _GAP, edge + _CAPTION + _GAP
    size = (_LABEL + step[0] * len(titles) + _MARGIN, top + step[1] * len(rows) + _MARGIN)
    image = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(image)
    for column, title in enumerate(titles):
        for line, text in enumerate(title):
            place = (_LABEL + column * step[0] + edge / 2, _MARGIN + _TITLE * (line + 0.5))
            _write(draw, place, text, 15, edge)
    for row, (title, across) in enumerate(zip(rows, cells, strict=True)):
        y = top + row * step[1]
        for line, text in enumerate(title):
            _write(draw, (_LABEL / 2, y + edge / 2 + 18 * line), text, 14, _LABEL - _GAP)
        for column, cell in enumerate(across):
            image.paste(cell.picture, (_LABEL + column * step[0], y))
            _write(draw, (_LABEL + column * step[0] + edge / 2, y + edge + _CAPTION / 2), cell.caption, 13, edge)
    return image


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, size: int, width: int) -> None:
    """Write a text around a place, shortened to a width."""
    font = ImageFont.load_default(size)
    while len(text) > 1 and draw.textlength(text, font=font) > width:
        text = f"{text[:-2]}…" if text.endswith("…") else f"{text[:-1]}…"
    draw.text(place, text, fill=_INK, font=font, anchor="mm")
