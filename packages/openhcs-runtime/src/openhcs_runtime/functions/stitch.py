"""Stitching of the sites of a well into one mosaic."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.pipeline.decorators import InputKind, Stack, reduces, special_inputs

_MOST_EMPTY = 16
"""The largest area of a mosaic relative to its tiles; a larger one means that the positions are in another unit."""


class GridOrder(StrEnum):
    """The order in which the sites of a grid were taken."""

    ROWS = "rows"
    """Each row from left to right."""
    SNAKE = "snake"
    """Every second row from right to left."""


@special_inputs(InputKind.POSITIONS, InputKind.PIXEL_SIZE_UM, unless="grid")
@reduces
def stitch_sites(
    stack: Stack,
    *,
    positions: NDArray[np.float64] | None,
    pixel_size_um: float | None,
    grid: tuple[int, int] | None = None,
    overlap: float = 0.0,
    order: GridOrder = GridOrder.ROWS,
) -> Stack:
    """Combine the planes into one mosaic: (n, Y, X) to (1, Y', X'), same dtype; for steps with variable sites.

    Positions come from the plate, rounded to whole pixels, or from ``grid``; the images are not registered. Overlapping
    planes are averaged, weighted by the distance to their edges, to avoid visible seams (feathering: Szeliski, Image
    Alignment and Stitching, 2006); pixels without any plane are 0.

    Args:
        stack: The planes (n, Y, X) of the sites.
        positions: Stage positions (n, 2) as y, x in micrometres, from the engine.
        pixel_size_um: Edge length of a pixel in micrometres, from the engine.
        grid: Number of rows and columns, to place the planes by their order instead of their positions.
        overlap: Overlap of neighbouring planes in the grid, as a fraction of their edge length.
        order: Order of the planes in the grid.

    Raises:
        ValueError: If neither the plate nor ``grid`` has the positions, or they don't fit into one image.
    """
    if grid is not None:
        corners = _grid_corners(stack, grid, overlap, choose(GridOrder, order, "grid order"))
    elif positions is None or pixel_size_um is None:
        lacking = "positions" if positions is None else "pixel size"
        raise ValueError(f"the plate has no {lacking} for the sites: give grid=(rows, columns)")
    else:
        corners = np.rint((positions - positions.min(axis=0)) / pixel_size_um).astype(int)
    return _blend(stack, corners)


def _grid_corners(stack: Stack, grid: tuple[int, int], overlap: float, order: GridOrder) -> NDArray[np.int_]:
    rows, columns = grid
    if rows * columns != len(stack) or not 0 <= overlap < 1:
        raise ValueError(f"a grid of {rows} x {columns} with overlap {overlap} does not fit {len(stack)} sites")
    places = []
    for number in range(len(stack)):
        row, column = divmod(number, columns)
        if order is GridOrder.SNAKE and row % 2:
            column = columns - 1 - column
        places.append((row, column))
    steps = np.array(stack.shape[1:]) * (1 - overlap)
    return np.asarray(np.rint(np.array(places) * steps).astype(int))


def _blend(stack: Stack, corners: NDArray[np.int_]) -> Stack:
    height, width = stack.shape[1:]
    rows, columns = (corners.max(axis=0) + np.array([height, width])).tolist()
    if rows * columns > _MOST_EMPTY * max(len(stack), 4) * height * width:
        raise ValueError(f"a mosaic of {rows} x {columns} pixels is nearly empty: check positions and pixel size")
    down, right = (np.minimum(np.arange(1, size + 1), np.arange(size, 0, -1)) for size in (height, width))
    weight = np.minimum.outer(down, right).astype(np.float32)
    total = np.zeros((rows, columns), np.float32)
    weights = np.zeros((rows, columns), np.float32)
    for plane, (top, left) in zip(stack, corners.tolist(), strict=True):
        place = slice(top, top + height), slice(left, left + width)
        total[place] += weight * plane
        weights[place] += weight
    mosaic = np.divide(total, weights, out=total, where=weights > 0)
    if np.issubdtype(stack.dtype, np.integer):
        mosaic = np.rint(mosaic)
    return np.asarray(mosaic.astype(stack.dtype)[np.newaxis])
