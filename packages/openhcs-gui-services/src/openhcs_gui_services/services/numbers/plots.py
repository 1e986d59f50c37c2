"""What a histogram or a scatter plot draws, computed from all objects. Without Qt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.numbers.mapped_table import MappedTable

if TYPE_CHECKING:
    from openhcs_runtime.profiles.columns import MapRole

__all__ = [
    "MOST_POINTS",
    "Density",
    "Grouping",
    "Histogram",
    "Points",
    "View",
    "group_objects",
    "histogram",
    "kept_rows",
    "on_axis",
    "scatter",
]

MOST_POINTS = 5_000
"""Points that are drawn one by one; more in view are drawn as a density."""
_BINS, _CELLS = 60, 200
_MOST_GROUPS = 8
"""Groups that are drawn apart; the objects of others are drawn together."""
OTHER = "others"

View = tuple[float, float, float, float]
"""The part of a plot that is shown: lowest and highest x, lowest and highest y, in units of its axes."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Which group each object is in.

    Attributes:
        codes: the group of each object (rows,).
        names: the groups.
    """

    codes: NDArray[np.intp]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """A histogram.

    Attributes:
        edges: edges of the bins (bins + 1,), in units of the axis.
        counts: objects in each bin (bins,), by group.
        left_out: objects that have no place on the axis: missing values, and on a logarithmic one those up to 0.
    """

    edges: NDArray[np.float64]
    counts: Mapping[str, NDArray[np.int64]]
    left_out: int


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The objects in view, one by one: their rows, places on the axes (points,) and groups."""

    rows: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: NDArray[np.intp]
    left_out: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """The number of objects in each cell of a grid over the view.

    Attributes:
        counts: the numbers (x cells, y cells).
        view: the part of the plot that the grid covers.
        left_out: objects that have no place on the axes.
    """

    counts: NDArray[np.float64]
    view: View
    left_out: int = 0


def on_axis(values: NDArray[np.float64], is_log: bool) -> NDArray[np.float64]:
    """Return where values are on an axis: the values, or their decimal logarithms; NaN for those without a place."""
    if not is_log:
        return np.where(np.isfinite(values), values, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), np.nan)


def histogram(values: NDArray[np.float64], is_log: bool, groups: Grouping, kept: NDArray[np.bool_]) -> Histogram:
    """Count objects in bins of equal width on the axis.

    Args:
        values: a measurement (rows,).
        is_log: whether the axis is logarithmic.
        groups: which group each object is in.
        kept: whether an object counts (rows,); those of excluded wells do not.
    """
    places = on_axis(values, is_log)
    shown = np.isfinite(places) & kept
    known = places[shown]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    codes = groups.codes[shown]
    counts = {
        name: np.histogram(known[codes == place], edges)[0].astype(np.int64) for place, name in enumerate(groups.names)
    }
    return Histogram(edges, {name: of_group for name, of_group in counts.items() if of_group.any()}, _lost(shown, kept))


def scatter(
    x: NDArray[np.float64], y: NDArray[np.float64], groups: Grouping, kept: NDArray[np.bool_], view: View | None = None
) -> Points | Density:
    """Return what a scatter plot draws: the objects in view, or their density if there are many.

    Args:
        x: places on the first axis (rows,), NaN for objects without one.
        y: places on the second axis (rows,).
        groups: which group each object is in.
        kept: whether an object counts (rows,).
        view: the part of the plot that is shown; None for all.
    """
    shown = np.isfinite(x) & np.isfinite(y) & kept
    lost = _lost(shown, kept)
    if view is not None:
        shown = shown & (x >= view[0]) & (x <= view[1]) & (y >= view[2]) & (y <= view[3])
    rows = np.flatnonzero(shown).astype(np.int64)
    if len(rows) <= MOST_POINTS:
        return Points(rows, x[rows], y[rows], groups.codes[rows], lost)
    of_x, of_y = x[rows], y[rows]
    seen = view or (float(of_x.min()), float(of_x.max()), float(of_y.min()), float(of_y.max()))
    counts, _, _ = np.histogram2d(of_x, of_y, _CELLS, [[seen[0], seen[1]], [seen[2], seen[3]]])
    return Density(counts, seen, lost)


def group_objects(table: MappedTable, role: "MapRole | None") -> Grouping:
    """Return the group of each object: what the plate map says of its well, or one group for all.

    Args:
        table: the table.
        role: what the groups are, such as controls or compounds; None for one group.
    """
    everything = Grouping(np.zeros(len(table), dtype=np.intp), ("all",))
    column = None if role is None else _column(table, role)
    if column is None:
        return everything
    codes, names = table.texts(column)
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    largest = sorted(range(len(names)), key=lambda place: -sizes[place])[:_MOST_GROUPS]
    kept = sorted(largest, key=lambda place: names[place])
    moved = np.full(len(names) + 1, len(kept), dtype=np.intp)  # the last one is that of missing values
    moved[kept] = np.arange(len(kept))
    return Grouping(moved[codes], (*(names[place] for place in kept), _rest(names, kept, codes)))


def kept_rows(table: MappedTable, excluded: frozenset[str]) -> NDArray[np.bool_]:
    """Return whether the well of each row is not excluded (rows,)."""
    if not excluded:
        return np.ones(len(table), dtype=np.bool_)
    codes, names = table.texts("well")
    return ~np.isin(codes, [place for place, name in enumerate(names) if name in excluded])


def _rest(names: Sequence[str], kept: Sequence[int], codes: NDArray[np.intp]) -> str:
    return OTHER if len(kept) < len(names) or (codes < 0).any() else ""


def _column(table: MappedTable, role: "MapRole") -> str | None:
    from openhcs_runtime.profiles import MapColumns  # noqa: PLC0415  heavy

    return MapColumns(table.schema.plate_map).find(role)


def _lost(shown: NDArray[np.bool_], kept: NDArray[np.bool_]) -> int:
    return int(kept.sum() - (shown & kept).sum())
