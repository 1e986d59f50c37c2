"""Which table of a run has the measurements of the objects in a label image, told by where the objects lie.

Label images are in folders named after steps, and tables are named after sets of objects, so the names alone don't say
which belong together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.labels import LabelFile
from openhcs_runtime.components import PROJECTED
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.wells import WellTable, read_part
from openhcs_runtime.tables.places import table_path

__all__ = ["is_same_object", "is_same_plane", "name_sets"]

_NEAR = 0.05
"""Most distance in pixels between the centroid in a table and that of the labels of the same object."""
_ROWS = 3
_CENTROID, _AREA = ("centroid_y_px", "centroid_x_px"), "area_px2"
_COLUMNS = ("site", "z", "t", "label", *_CENTROID, _AREA)


def name_sets(run: Path, files: Sequence[LabelFile], planes: Sequence[NDArray[Any]]) -> tuple[str, ...]:
    """Return the name of the table of each label image of a field of view; for a thread.

    Args:
        run: folder of the run.
        files: the label images, at least one.
        planes: their pixels (Y, X).

    Returns:
        The names; that of a label image without a table, or without objects, is the one it has in ``files``.

    Raises:
        DamagedResultError: a table can't be read.
    """
    part = read_part(run, files[0].key.well)
    tables = [] if part is None else part.tables
    rows = {table.file: _first_rows(run, table, files[0]) for table in tables}
    names, taken = [], set()
    for file, labels in zip(files, planes, strict=True):
        fitting = [table for table in tables if table.file not in taken and _fits(rows[table.file], file, labels)]
        best = min(fitting, key=lambda table: _strangeness(table, file), default=None)
        if best is not None:
            taken.add(best.file)
        names.append(file.name if best is None else _table_name(run, best, tables))
    return tuple(names)


def is_same_plane(row: dict[str, Any], of: LabelFile) -> bool:
    """Return whether a row is of the plane and the time point of a label image; a projection has those of all."""
    planes = ((of.key.z_index, row.get("z")), (of.key.timepoint, row.get("t")))
    return all(known in (PROJECTED, value) for known, value in planes)


def is_same_object(row: dict[str, Any], labels: NDArray[Any], label: int) -> bool:
    """Return whether area and centroid in a row are those of an object in a label image, as far as the row has them."""
    rows, columns = np.nonzero(labels == label)
    if not len(rows) or row.get(_AREA) not in (None, len(rows)):
        return False
    at = zip((row.get(name) for name in _CENTROID), (rows.mean(), columns.mean()), strict=True)
    return all(value is None or abs(value - here) <= _NEAR for value, here in at)


def _first_rows(run: Path, table: WellTable, of: LabelFile) -> list[dict[str, Any]]:
    """Return the first objects of a well's table at the site of a label image."""
    import pyarrow  # noqa: PLC0415  heavy
    from pyarrow import compute, parquet  # noqa: PLC0415

    path = run / table.file
    try:
        with parquet.ParquetFile(path) as file:
            known = [name for name in _COLUMNS if name in file.schema_arrow.names]
            read = file.read(known)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DamagedResultError(f"{path} can't be read ({error}): resume the run to write it again") from error
    here: list[dict[str, Any]] = read.filter(compute.equal(read["site"], of.key.site)).to_pylist()
    return here


def _fits(rows: Sequence[dict[str, Any]], of: LabelFile, labels: NDArray[Any]) -> bool:
    same = [row for row in rows if is_same_plane(row, of)][:_ROWS]
    return bool(same) and all(is_same_object(row, labels, int(row["label"])) for row in same)


def _strangeness(table: WellTable, file: LabelFile) -> tuple[bool, bool]:
    """Return how little the names of a table and a label image with the same objects have in common."""
    return table.name.casefold() not in file.name.casefold(), f"channel {file.key.channel}" != table.channel


def _table_name(run: Path, table: WellTable, tables: Sequence[WellTable]) -> str:
    """Return the name of a well's table in the run: with its channel if the set was found in several."""
    full = f"{table.name}_{table.channel}"
    if table_path(run, full).exists():
        return full
    is_one_of_several = len([each for each in tables if each.name == table.name]) > 1
    return full if is_one_of_several and not table_path(run, table.name).exists() else table.name
