"""Checks of what pipeline functions return: arrays that files can store exactly, and tables with keyed rows."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.choices import alternatives
from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.cells import (
    COUNT_SUFFIX,
    LABEL,
    OBJECTS,
    Cell,
    CellError,
    Column,
    ColumnKind,
    as_cell,
    as_table,
    check_name,
    is_missing,
)
from openhcs_runtime.pipeline.decorators import Measurements, Stack
from openhcs_runtime.pipeline.step import FunctionCall
from openhcs_runtime.rois.label_numbers import numbers_of

_RESERVED = frozenset(component.value for component in Component)
_LARGEST_LABEL = int(np.iinfo(np.uint32).max)
_WORD_BYTES = 8
_LARGEST_COUNT = 2**40
"""Counts are summed up over a plate, and sums have to be exact."""
_SET_NAME = re.compile(r"\w[\w-]{0,63}")
_OTHER_TABLES = ("images", "wells")
"""Names of the tables that are not of objects."""


def checked_stack(call: FunctionCall, stack: Any, planes: int) -> Stack:
    """Return the stack that a call returned, (planes, Y, X) of bool, integers or floats of up to 64 bits.

    Raises:
        StepError: If it is anything else.
    """
    if not isinstance(stack, np.ndarray) or stack.ndim != 3 or len(stack) != planes:
        raise StepError(f"{call.name} must return a stack of {planes} plane(s), ({planes}, Y, X), not {what(stack)}")
    return _plain(call, "a stack", stack)


def checked_labels(call: FunctionCall, labels: Any, stack: Stack) -> NDArray[np.integer[Any]]:
    """Return the labels that a call returned: integers from 0 that fit in 32 bits, one for each pixel of the stack.

    They do not share memory with the stack, which the next function may change.

    Raises:
        StepError: If they are anything else.
    """
    if not isinstance(labels, np.ndarray) or labels.ndim != 3 or len(labels) != len(stack):
        planes = len(stack)
        raise StepError(f"{call.name} must return labels of {planes} plane(s), ({planes}, Y, X), not {what(labels)}")
    labels = _plain(call, "labels", labels)
    if not np.issubdtype(labels.dtype, np.integer):
        raise StepError(f"{call.name} must return integer labels, not {labels.dtype}")
    if labels.shape != stack.shape:
        raise StepError(f"{call.name} returned labels of shape {labels.shape} for a stack of {stack.shape}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0:
        raise StepError(
            f"{call.name} returned the label {lowest}: labels are numbers from 1, and 0 is background "
            "(set the watershed lines of OpenCV, -1, to 0)"
        )
    if highest > _LARGEST_LABEL:
        raise StepError(f"{call.name} returned the label {highest}: the largest possible label is {_LARGEST_LABEL}")
    return np.array(labels) if np.may_share_memory(labels, stack) else np.asarray(labels)


def checked_summary(call: FunctionCall, measurements: Measurements) -> dict[str, Cell]:
    """Return the values of a plane as cells.

    Raises:
        StepError: If a value can't be a cell; the error names the function and the column.
    """
    try:
        values = measurements.summary
        if not isinstance(values, Mapping):
            table = as_table(values)
            if any(len(column) != 1 for column in table.values()):
                raise CellError("summary has several rows: return one row per plane")
            values = {name: column.cells[0] for name, column in table.items()}
        return {name: _summary_cell(name, value) for name, value in values.items()}
    except CellError as error:
        raise StepError(f"{call.name} can't be measured with: {error}") from error


def checked_table(
    call: FunctionCall, measurements: Measurements, labels: NDArray[np.integer[Any]] | None
) -> dict[str, Column]:
    """Return the columns of a plane's objects, ``label`` first.

    Args:
        call: The function that measured them.
        measurements: The measurements that it returned.
        labels: The label plane of the objects. If there is no column of labels, the rows are in the order of its
            numbers; if there are no labels at all, rows are numbered from 1.

    Raises:
        StepError: If they do not form a table; the error names the function and the column.
    """
    try:
        table = as_table(measurements.objects)
        if not table:
            return {}
        if taken := sorted((_RESERVED | {OBJECTS}) & table.keys()):
            raise CellError(f"column {taken[0]!r} is one of the table's own: give it another name")
        numbers = None if labels is None else numbers_of(labels).tolist()
        own = _given_labels(table.pop(LABEL), numbers) if LABEL in table else _labels_in_order(table, numbers)
        return {LABEL: Column(ColumnKind.INT if own else ColumnKind.EMPTY, own), **table}
    except CellError as error:
        raise StepError(f"{call.name} can't be measured with: {error}") from error


def check_set_name(call: FunctionCall, name: str) -> None:
    """Check that a set of objects can have this name, which is that of its table and of a file.

    Raises:
        StepError: If it can't.
    """
    if not _SET_NAME.fullmatch(name) or name.casefold() in _OTHER_TABLES:
        raise StepError(
            f"{call.name} measures objects named {name!r}: give them another name, of letters, digits, hyphens and "
            f"underscores, and not {alternatives(_OTHER_TABLES)}"
        )


def what(value: object) -> str:
    """Describe a value in an error message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _plain(call: FunctionCall, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as a plain numpy array that every format can store."""
    if isinstance(array, np.ma.MaskedArray):
        if np.ma.is_masked(array):
            raise StepError(f"{call.name} returned {name} with masked pixels, which images can't have: fill them")
        array = array.data
    if array.size == 0:
        raise StepError(f"{call.name} returned {name} without pixels, of shape {array.shape}")
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > _WORD_BYTES:
        raise StepError(
            f"{call.name} returned {name} of {array.dtype}: use bool, integers, or floats of at most 64 bits"
        )
    return np.asarray(array)


def _summary_cell(name: object, value: object) -> Cell:
    check_name(name)
    assert isinstance(name, str)
    if name in _RESERVED:
        raise CellError(f"column {name!r} is one of the table's own: give it another name")
    try:
        cell = as_cell(value)
    except CellError as error:
        raise CellError(f"column {name!r} {error}") from None
    if name.endswith(COUNT_SUFFIX):
        if is_missing(cell):
            return None
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        if isinstance(cell, int) and abs(cell) > _LARGEST_COUNT:
            raise CellError(f"column {name!r} has {cell}, which is too large for a count: give it another name")
        if isinstance(cell, bool) or not isinstance(cell, int):
            raise CellError(
                f"column {name!r} has {cell!r}: columns ending in {COUNT_SUFFIX} are summed up and need whole numbers"
            )
    return cell


def _given_labels(column: Column, numbers: list[int] | None) -> tuple[int, ...]:
    """Return the labels as integers; each has to belong to an object and must not occur twice."""
    own: list[int] = []
    for cell in column.cells:
        if isinstance(cell, bool) or not isinstance(cell, int | float) or not float(cell).is_integer():
            raise CellError(f"column {LABEL!r} has {cell!r}: give the whole number of an object")
        own.append(int(cell))
    known, seen = set(own if numbers is None else numbers), set[int]()
    for number in own:
        if number not in known:
            raise CellError(f"column {LABEL!r} has {number}, but the labels have no object with this number")
        if number in seen:
            raise CellError(f"column {LABEL!r} has {number} twice: give each object one row")
        seen.add(number)
    return tuple(own)


def _labels_in_order(table: Mapping[str, Column], numbers: list[int] | None) -> tuple[int, ...]:
    name, column = next(iter(table.items()))
    if numbers is None:
        return tuple(range(1, len(column) + 1))
    if len(column) != len(numbers):
        raise CellError(
            f"column {name!r} has {len(column)} values for {len(numbers)} objects: give one for each, in the order of "
            f"their numbers, or a column {LABEL!r} with those numbers"
        )
    return tuple(numbers)
