"""The thumbnails of a run as PNG: one of a well, and all of them in one picture, each at the place of its well."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openhcs_runtime.components import normal_well, well_position
from openhcs_runtime.thumbnails import plate_limits, read_run_thumbnail, render, run_thumbnail
from openhcs_runtime.thumbnails.well import WellThumbnail
from zmqruntime.execution.web.extensions import PanelError

__all__ = ["plate_picture", "well_picture"]

_COLOURS = (0x4D7CFF, 0x3CE05A, 0xFF5A4D, 0xFFD24D, 0xFF4DF0, 0x4DFFF0)
"""Colours of the channels, in order; a plate with one channel is grey."""
_GREY = 0xFFFFFF
_GRIDS = ((8, 12, 64), (16, 24, 48), (32, 48, 32))
"""Rows and columns of a plate, and the edge of a thumbnail in its picture, in pixels."""
_SAMPLE = 24


def plate_picture(run: Path) -> bytes:
    """Return the picture of all wells that have been written; places of others are transparent.

    Raises:
        PanelError: there are no thumbnails.
    """
    names = _wells(run)
    if not names:
        raise PanelError("the run has no thumbnails: they come with the first wells that are done")
    last = max(well_position(name)[0] for name in names), max(well_position(name)[1] for name in names)
    rows, columns, edge = next(grid for grid in _GRIDS if last[0] < grid[0] and last[1] < grid[1])
    limits, colours = _look(run, names)
    canvas = Image.new("RGBA", (columns * edge, rows * edge))
    for name in names:
        picture = _picture(read_run_thumbnail(run, name), limits, colours)
        if picture is not None:
            row, column = well_position(name)
            canvas.paste(picture.resize((edge, edge)), (column * edge, row * edge))
    return _png(canvas)


def well_picture(run: Path, well: str) -> bytes:
    """Return the picture of a well, in the contrast of the plate.

    Raises:
        PanelError: it has no thumbnail, or this is not the name of a well.
    """
    try:
        name = normal_well(well)
    except ValueError as error:
        raise PanelError(str(error)) from error
    names = _wells(run)
    limits, colours = _look(run, names)
    picture = _picture(read_run_thumbnail(run, name) if name in names else None, limits, colours)
    if picture is None:
        raise PanelError(f"well {name} has no thumbnail")
    return _png(picture)


def _wells(run: Path) -> list[str]:
    """Names of the wells that have a thumbnail, in the order of the plate."""
    folder = run_thumbnail(run, "A01").parent
    if not folder.is_dir():
        return []
    return sorted((path.stem for path in folder.glob("*.small") if _is_well(path.stem)), key=well_position)


def _is_well(name: str) -> bool:
    try:
        return normal_well(name) == name
    except ValueError:
        return False


def _look(run: Path, names: list[str]) -> tuple[Any, dict[int, int]]:
    """The contrast and the colour of each channel, from some wells that are spread over the plate."""
    step = max(1, len(names) // _SAMPLE)
    some = [thumbnail for name in names[::step] if (thumbnail := read_run_thumbnail(run, name)) is not None]
    limits = plate_limits(some)
    return limits, _colours(limits)


def _colours(channels: Iterable[int]) -> dict[int, int]:
    known = sorted(channels)
    if len(known) == 1:
        return {known[0]: _GREY}
    return dict(zip(known, _COLOURS, strict=False))


def _picture(thumbnail: WellThumbnail | None, limits: Any, colours: dict[int, int]) -> Image.Image | None:
    pixels: NDArray[np.uint8] | None = None if thumbnail is None else render(thumbnail, limits, colours)
    return None if pixels is None else Image.fromarray(pixels)


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, format="PNG", compress_level=3)
    return data.getvalue()
