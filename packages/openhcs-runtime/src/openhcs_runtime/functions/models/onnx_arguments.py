"""Checks of the numbers that the step with an ONNX model is given."""

import math
from collections.abc import Iterator, Mapping
from numbers import Integral, Real

__all__ = ["number_problems"]

_LOWEST = {"foreground": 0, "boundary": 0, "distance": 0, "tile_px": 1, "overlap_px": 0, "multiple_px": 1}
_OPTIONAL = frozenset({"boundary", "distance", "tile_px"})


def number_problems(arguments: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for each number that can't be right."""
    threshold, area = arguments.get("threshold", 0.5), arguments.get("min_area_px", 0)
    if math.isnan(_number(threshold)):
        yield f"threshold {threshold!r} is not a number: give the value above which pixels are foreground, such as 0.5"
    if not _number(area) >= 0:
        yield f"min_area_px {area!r} is not an area: give a number of pixels from 0"
    wrong = [name for name, lowest in _LOWEST.items() if not _is_whole(name, arguments.get(name, lowest), lowest)]
    for name in wrong:
        what = "number of pixels" if name.endswith("_px") else "channel of the output"
        yield f"{name} {arguments[name]!r} is not a {what}: give a whole number from {_LOWEST[name]}"
    tile, overlap = arguments.get("tile_px"), arguments.get("overlap_px", 64)
    if tile is not None and not {"tile_px", "overlap_px"} & {*wrong} and _number(overlap) >= _number(tile):
        yield f"overlap_px {overlap} does not fit in tile_px {tile}: give a smaller overlap, or larger tiles"


def _number(value: object) -> float:
    """Return a number; NaN for anything else, and for what is infinite."""
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return math.nan


def _is_whole(name: str, value: object, lowest: int) -> bool:
    if value is None:
        return name in _OPTIONAL
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= lowest
