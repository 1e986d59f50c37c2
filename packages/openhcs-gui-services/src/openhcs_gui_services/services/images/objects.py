"""The measurements of one object: its row in the table of its set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.labels import LabelFile
from openhcs_gui_services.services.images.set_names import is_same_object, is_same_plane

__all__ = ["ObjectValues", "object_box", "read_object"]

_OTHERS = ("images", "wells")


@dataclass(frozen=True, slots=True)
class ObjectValues:
    """The measurements of an object.

    Attributes:
        table: the table they are in; empty if there is none.
        values: name and value of each column, as text, measurements first; a missing value is empty.
        problem: why there are none, and what to do; empty if there are.
    """

    table: str = ""
    values: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def object_box(labels: NDArray[Any], label: int) -> tuple[int, int, int, int] | None:
    """Return first row, first column, last row, last column of an object (Y, X); None if it is not there."""
    mask = labels == label
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]), int(columns[-1])


def read_object(run: Path, name: str, of: LabelFile, label: int, labels: NDArray[Any]) -> ObjectValues:
    """Read the row of an object; for a thread.

    Sets of different names can have the same labels, such as cells and their nuclei, so a row counts only if its
    area and centroid are those of the object in the label image.

    Args:
        run: folder of the run.
        name: name of its set; its table is looked at first.
        of: the label image.
        label: label of the object.
        labels: pixels of the label image (Y, X).

    Raises:
        OutputError: the run can't be read.
        DamagedResultError: a table can't be read.
    """
    from openhcs_runtime.tables.read import open_results  # noqa: PLC0415  pyarrow takes a third of a second

    results = open_results(run)
    names = [name for name in results.tables if name not in _OTHERS]
    if not names:
        return ObjectValues(problem="Measurements of objects appear when the run has ended.")
    where = f"well == '{of.key.well}' and site == {of.key.site} and label == {label}"
    for table in sorted(names, key=lambda table: table != name):
        for row in results.arrow(table, where=where).to_pylist():
            if is_same_plane(row, of) and is_same_object(row, labels, label):
                keys = results.schema(table).keys
                order = [*(name for name in row if name not in keys), *(name for name in row if name in keys)]
                return ObjectValues(table, tuple((column, _text(row[column])) for column in order))
    return ObjectValues(problem=f"No table of the run has object {label}: its pipeline measures other objects.")


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
