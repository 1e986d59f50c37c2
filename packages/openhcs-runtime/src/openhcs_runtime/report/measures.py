"""The measures of wells that a report shows: those that were asked for, or the most telling ones."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.tables.read import Results, closest
from openhcs_runtime.tables.schema import Measure, TableKind, TableSchema

if TYPE_CHECKING:
    import pyarrow

WELLS = "wells"
MOST_SHOWN = 8
"""Heat maps of a report, if none are asked for."""

_COUNT = "count"
_OF_SET = ("intensity_mean", "area")
"""Measures of objects of which one is shown for each set."""
_FIRST = ("area", "intensity_mean", "intensity_sum", "texture", "eccentricity", "form_factor")
"""Parts of the names of measures that are shown before others."""
_PASSED_OVER = ("image_count", "centroid", "bounding", "bbox", "label", "parent", "location", "euler", "_std")
"""Parts of the names of measures that say little of a well."""
_QUALITY = ("focus", "saturated", "background", "quality", "illumination", "blur", "power_spectrum")
_UNITS = {"um": "µm", "um2": "µm²", "um3": "µm³", "px2": "px²", "percent": "%", "deg": "°"}


@dataclass(frozen=True, slots=True)
class WellMeasure:
    """A measure with one value for each well.

    Attributes:
        column: its name in the table of wells.
        described: what it is.
        values: the values by well; wells without a finite value are left out.
    """

    column: str
    described: Measure
    values: Mapping[str, float]

    @property
    def title(self) -> str:
        """Its name for people, such as ``nuclei area (µm²)`` or ``intensity mean, DAPI``."""
        return measure_title(self.described)


@dataclass(frozen=True, slots=True)
class ChosenMeasures:
    """The measures that a report shows.

    Attributes:
        shown: the measures, the main one first.
        left_out: number of other measures of wells that have numbers.
        why_none: why there are none; empty if there are some.
    """

    shown: tuple[WellMeasure, ...]
    left_out: int = 0
    why_none: str = ""

    def without(self, wells: Collection[str]) -> "ChosenMeasures":
        """Return the same measures without the values of these wells."""
        return replace(
            self,
            shown=tuple(
                replace(one, values={well: value for well, value in one.values.items() if well not in wells})
                for one in self.shown
            ),
        )


def measure_title(measure: Measure) -> str:
    """Return the name of a measure for people."""
    name = measure.measure.replace("_", " ") if measure.measure.islower() else measure.measure
    channel = f", {measure.channel}" if measure.channel else ""
    unit = f" ({unit_title(measure.unit)})" if measure.unit else ""
    return f"{name}{channel}{unit}"


def unit_title(unit: str) -> str:
    """Return a unit for people, such as ``µm²`` for ``um2``."""
    return _UNITS.get(unit, unit)


def choose_measures(results: Results, named: Sequence[str] = ()) -> ChosenMeasures:
    """Read the measures to show from the table of wells.

    Args:
        results: the tables.
        named: names of columns; empty for up to ``MOST_SHOWN`` telling ones: counts, areas and intensities first.

    Raises:
        OutputError: a column does not exist or has no numbers.
        DamagedResultError: the table can't be read.
    """
    if WELLS not in results.tables:
        if named:
            results.schema(WELLS)  # says what is missing, and the remedy
        return ChosenMeasures((), why_none="The run has no table of wells: it measured nothing, or did not end.")
    schema, table = results.schema(WELLS), results.arrow(WELLS)
    numeric = [name for name in schema.measures if _is_numeric(table[name])]
    for name in named:
        _check(name, schema, numeric, results)
    wells = table["well"].to_pylist()
    wanted = list(dict.fromkeys(named)) or _telling(schema, numeric, _sets(results))[: 4 * MOST_SHOWN]
    read = [WellMeasure(name, schema.measures[name], _known(wells, table[name])) for name in wanted]
    shown = [measure for measure in read if measure.values or named][: len(named) or MOST_SHOWN]
    why = "" if shown else "The table of wells has no measure with numbers."
    return ChosenMeasures(tuple(shown), len(numeric) - len(shown), why)


def _sets(results: Results) -> list[str]:
    """Return the sets of objects, those with long names first."""
    found = [name for name in results.tables if results.schema(name).kind is TableKind.OBJECTS]
    return sorted(found, key=len, reverse=True)


def _telling(schema: TableSchema, numeric: Sequence[str], sets: Sequence[str]) -> list[str]:
    """Return the columns that are worth a heat map, those that say most first; the order is otherwise kept.

    Counts of objects come first, then an intensity and an area of each set.
    """
    split = {name: _split(schema.measures[name].measure, sets) for name in numeric}
    in_um = {(one.measure, one.channel) for one in schema.measures.values() if one.unit in ("um", "um2")}
    names = [
        name
        for name in numeric
        if not any(part in name.lower() for part in _PASSED_OVER)
        and Measure(measure=split[name][1]).is_quantity
        and not is_quality(schema.measures[name])
        and not (schema.measures[name].unit in ("px", "px2") and _place(schema.measures[name]) in in_um)
    ]
    rank = {name: _rank(*split[name]) for name in names}
    for wanted, owner in itertools.product(_OF_SET, sets):
        of_set = (name for name in names if split[name][0] == owner and split[name][1].startswith(wanted))
        rank |= dict.fromkeys(itertools.islice(of_set, 1), 1)
    return sorted(names, key=lambda name: rank[name])


def is_quality(measure: Measure) -> bool:
    """Return whether a measure says how good an image is, and not what is in it."""
    return measure.measure.startswith(_QUALITY)


def _place(measure: Measure) -> tuple[str, str]:
    return measure.measure, measure.channel


def _split(measure: str, sets: Sequence[str]) -> tuple[str, str]:
    """Return the set that a measure is of, if it is of one, and what was measured."""
    owner = next((name for name in sets if measure.startswith(f"{name}_")), "")
    return owner, measure.removeprefix(f"{owner}_") if owner else measure


def _rank(owner: str, measure: str) -> int:
    """Return the place of a measure; a count of each object, such as its neighbours, is not a number of objects."""
    if measure == _COUNT or (not owner and measure.endswith(f"_{_COUNT}")):
        return 0
    if measure.endswith(f"_{_COUNT}"):
        return len(_FIRST) + 3
    return 2 + next((place for place, part in enumerate(_FIRST) if part in measure.lower()), len(_FIRST))


def _check(name: str, schema: TableSchema, numeric: Sequence[str], results: Results) -> None:
    if name in numeric:
        return
    if name in schema.columns:
        raise OutputError(f"column {name!r} of table wells in {results.folder} has no numbers: name another measure")
    raise OutputError(f"table wells in {results.folder} has no measure {name!r}: {closest(name, numeric)}")


def _is_numeric(column: "pyarrow.ChunkedArray") -> bool:
    from pyarrow import types  # noqa: PLC0415  heavy

    kind = column.type
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _known(wells: Sequence[str], column: "pyarrow.ChunkedArray") -> dict[str, float]:
    pairs = zip(wells, column.to_pylist(), strict=True)
    return {well: float(value) for well, value in pairs if value is not None and math.isfinite(value)}
