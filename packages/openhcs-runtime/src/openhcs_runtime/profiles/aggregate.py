"""Makes a row for each well from a table of objects or images, in memory that does not grow with the plate.

The centre (mean or median) of each measure by well is the usual first step of image-based profiling: Caicedo et al.,
Data-analysis strategies for image-based cell profiling, Nature Methods 14, 2017.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plate_map import MapValue, parse_where
from openhcs_runtime.profiles.values import WellProfiles
from openhcs_runtime.profiles.words import Centre
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.tables.places import WELLS, table_path
from openhcs_runtime.tables.schema import WELL_KEYS, Measure, TableKind, TableSchema
from openhcs_runtime.wells import well_position

if TYPE_CHECKING:
    import pyarrow

    from openhcs_runtime.tables.read import Results

_BLOCK_BYTES = 128 << 20
"""Values that are held at once: as many measures are read together as fit."""

Well = tuple[str, str]
"""Plate and well."""
_STATUS = "status"


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """The wells of a table.

    Attributes:
        wells: its wells, in plate order, those without a row at any place.
        maps: what the plate map says of each well.
        codes: which of the wells each row of the table is in (rows,).
    """

    wells: tuple[Well, ...]
    maps: Mapping[Well, Mapping[str, MapValue | None]]
    codes: NDArray[np.intp]


def well_profiles(
    results: "Results",
    table: str = "",
    *,
    measures: Sequence[str] | None = None,
    centre: Centre | str = Centre.MEDIAN,
    where: str = "",
) -> WellProfiles:
    """Return one row for each well.

    A missing value does not count, nor does one that is not finite; True and False count as 1 and 0. The number of
    objects is a measure of its own, named ``<table>_count``: a well of the run without objects has 0 there, and no
    value in the other measures.

    Args:
        results: the results of a run.
        table: name of a table; empty for the only set of objects, or ``wells`` if there is none.
        measures: only these measures; None for all that are quantities, without positions, directions and labels.
        centre: whether a well has the mean or the median of its objects; without effect on the table ``wells``.
        where: only rows for which this expression is true, such as ``"area_um2 > 40"``.

    Raises:
        OutputError: there is no such table or measure, a measure is a text, or the expression is not valid.
        DamagedResultError: the table can't be read.
    """
    centre = choose(Centre, centre, "centre")
    name = table or _only_table(results)
    schema = results.schema(name)
    source = f"table {name} of {results.folder}"
    wanted = _measures(results, schema, measures, source)
    groups = _groups(results, schema, where)
    blocks = [_block(results, name, columns, groups, where, centre) for columns in _blocks(wanted, len(groups.codes))]
    kinds = {measure: schema.measures[measure] for measure in wanted}
    count = f"{name}_count"
    if schema.kind is TableKind.OBJECTS and count not in kinds and (measures is None or count in measures):
        kinds[count] = Measure(measure=count)
        blocks.append(np.bincount(groups.codes, minlength=len(groups.wells)).astype(np.float64)[:, None])
    return WellProfiles(
        table=name,
        source=source,
        plates=tuple(plate for plate, _ in groups.wells),
        wells=tuple(well for _, well in groups.wells),
        plate_map={column: tuple(groups.maps[well][column] for well in groups.wells) for column in schema.plate_map},
        measures=kinds,
        values=np.hstack(blocks) if blocks else np.empty((len(groups.wells), 0)),
    )


def _only_table(results: "Results") -> str:
    objects = [name for name in results.tables if results.schema(name).kind is TableKind.OBJECTS]
    if len(objects) > 1:
        raise OutputError(f"{results.folder} has several sets of objects: choose {', '.join(objects)}")
    return objects[0] if objects else WELLS


def _measures(results: "Results", schema: TableSchema, wanted: Sequence[str] | None, source: str) -> list[str]:
    """Return the measures to read: those that were asked for, or all that are numbers."""
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import parquet  # noqa: PLC0415  heavy

    from openhcs_runtime.tables.read import closest  # noqa: PLC0415  heavy

    types = parquet.read_schema(table_path(results.folder, schema.table))
    numeric = [name for name in schema.measures if not pyarrow.types.is_string(types.field(name).type)]
    if wanted is None:
        return [name for name in numeric if schema.measures[name].is_quantity]
    counts = {f"{schema.table}_count"} - schema.measures.keys() if schema.kind is TableKind.OBJECTS else set()
    for name in wanted:
        if name in schema.measures and name not in numeric:
            raise OutputError(f"{name} of {source} is a text, which has no {Centre.MEAN} and no {Centre.MEDIAN}")
        if name not in numeric and name not in counts:
            raise OutputError(f"{source} has no measure {name!r}: {closest(name, [*numeric, *sorted(counts)])}")
    return [name for name in dict.fromkeys(wanted) if name not in counts]


def _groups(results: "Results", schema: TableSchema, where: str) -> _Groups:
    """Return the wells of a table and which of them each row is in."""
    maps: dict[Well, Mapping[str, MapValue | None]] = {}
    places: dict[Well, int] = {}
    codes: list[NDArray[np.intp]] = []
    for batch in results.batches(schema.table, [*WELL_KEYS, *schema.plate_map], where):
        wells, first, inverse = _wells_of(batch)
        for well, row in zip(wells, first, strict=True):
            if well not in places:
                places[well] = len(places)
                maps[well] = {name: batch.column(name)[row].as_py() for name in schema.plate_map}
        codes.append(np.array([places[well] for well in wells], dtype=np.intp)[inverse])
    maps |= {well: row for well, row in _wells_without_rows(results, schema, where).items() if well not in maps}
    ordered = sorted(maps, key=lambda well: (well[0], well_position(well[1])))
    new_places = {well: place for place, well in enumerate(ordered)}
    moved = np.array([new_places[well] for well in places], dtype=np.intp)
    found = np.concatenate(codes) if codes else np.empty(0, dtype=np.intp)
    return _Groups(tuple(ordered), maps, moved[found] if len(moved) else found)


def _wells_of(batch: "pyarrow.RecordBatch") -> tuple[list[Well], list[int], NDArray[np.intp]]:
    """Return the wells of a batch, the first row of each, and which of them each row is in (rows,)."""
    plates, wells = (batch.column(key).dictionary_encode() for key in WELL_KEYS)
    pairs = plates.indices.to_numpy().astype(np.int64) * max(1, len(wells.dictionary)) + wells.indices.to_numpy()
    _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    names = [(plates[row].as_py(), wells[row].as_py()) for row in first.tolist()]
    return names, first.tolist(), inverse.astype(np.intp)


def _wells_without_rows(
    results: "Results", schema: TableSchema, where: str
) -> dict[Well, Mapping[str, MapValue | None]]:
    """Return the complete wells, which may have no objects; those that ``where`` chooses, if it chooses wells."""
    if schema.kind is not TableKind.OBJECTS or WELLS not in results.tables:
        return {}
    of_wells = results.schema(WELLS)
    known = {*WELL_KEYS, *of_wells.plate_map}
    used = set(parse_where(where).columns) if where else set()
    if used & known and used - known:
        raise OutputError(
            f"the expression {where!r} chooses wells by {', '.join(sorted(used & known))} and objects by "
            f"{', '.join(sorted(used - known))}: a well without such objects could not be told from one that was not "
            "chosen; choose objects here, and wells of the result"
        )
    status = [_STATUS] if _STATUS in of_wells.measures else []
    columns = [*WELL_KEYS, *of_wells.plate_map, *status]
    found = results.arrow(WELLS, columns, where if used and used <= known else "").to_pylist()
    return {
        (row["plate"], row["well"]): {name: row.get(name) for name in schema.plate_map}
        for row in found
        if row.get(_STATUS, ResultStatus.COMPLETE) == ResultStatus.COMPLETE
    }


def _blocks(measures: Sequence[str], rows: int) -> Iterator[Sequence[str]]:
    """Yield as many measures as may be held at once."""
    size = max(1, _BLOCK_BYTES // max(1, rows * np.dtype(np.float64).itemsize))
    for start in range(0, len(measures), size):
        yield measures[start : start + size]


def _block(
    results: "Results", table: str, columns: Sequence[str], groups: _Groups, where: str, centre: Centre
) -> NDArray[np.float64]:
    """Return the centres of some measures (wells, measures)."""
    rows = len(groups.codes)
    values = np.empty((len(columns), rows))
    start = 0
    for batch in results.batches(table, columns, where):
        for place, name in enumerate(columns):
            values[place, start : start + len(batch)] = _numbers(batch, name)
        start += len(batch)
    if start != rows:
        raise OutputError(f"table {table} of {results.folder} has changed while it was read: try again")
    values[~np.isfinite(values)] = np.nan
    order = np.argsort(groups.codes, kind="stable")
    ends = np.searchsorted(groups.codes[order], np.arange(len(groups.wells) + 1))
    centres = np.full((len(groups.wells), len(columns)), np.nan)
    has_row = np.diff(ends) > 0
    if rows == has_row.sum():  # one row for each well, which is its own centre
        centres[has_row] = values[:, order].T
        return centres
    for place in range(len(columns)):
        sorted_values = values[place, order]
        for well in range(len(groups.wells)):
            centres[well, place] = _centre(sorted_values[ends[well] : ends[well + 1]], centre)
    return centres


def _numbers(batch: "pyarrow.RecordBatch", name: str) -> NDArray[np.float64]:
    """Return a column as floats (rows,), NaN for missing values."""
    import pyarrow  # noqa: PLC0415  heavy

    try:
        column = batch.column(name).cast(pyarrow.float64())
    except pyarrow.ArrowInvalid as error:
        raise OutputError(f"{name} can't be averaged without rounding ({error}): choose other measures") from error
    numbers: NDArray[np.float64] = column.to_numpy(zero_copy_only=False)
    return numbers


def _centre(values: NDArray[np.float64], centre: Centre) -> float:
    """Return the mean or median of the values that are not NaN; NaN if there are none."""
    present = values[~np.isnan(values)]
    if not len(present):
        return float("nan")
    return float(np.mean(present) if centre is Centre.MEAN else np.median(present))
