"""What people give as measurements becomes the cells they mean, or is refused by name."""

import datetime
import decimal
import enum
import fractions
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import StepError
from openhcs_runtime.pipeline.calls import Measured, WellContext, call_chain
from openhcs_runtime.pipeline.cells import Cell, CellError, ColumnKind, as_cell, as_column, as_table
from openhcs_runtime.pipeline.decorators import InputKind, Measurements, OutputKind, special_inputs, special_outputs
from openhcs_runtime.pipeline.patterns import PatternGroup
from openhcs_runtime.pipeline.step import FunctionStep

LABELS = np.zeros((8, 8), np.int32)
LABELS[1, 1], LABELS[3, 3], LABELS[5, 5] = 7, 2, 4
KEY = ImageKey("A01")


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, True),
        (np.bool_(False), False),
        (np.array(True), True),
        (3, 3),
        (np.int64(-3), -3),
        (np.uint64(2**63 - 1), 2**63 - 1),
        (np.array(3, np.uint8), 3),
        (0.5, 0.5),
        (np.float32(1.5), 1.5),
        (np.float16(0.25), 0.25),
        (np.longdouble(0.5), 0.5),
        (np.array(math.inf), math.inf),
        ("blurred", "blurred"),
        ("", ""),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
        (None, None),
        (np.ma.masked, None),
        (np.datetime64("2026-01-02T03:04"), "2026-01-02T03:04"),
        (np.datetime64("NaT"), None),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05"),
        (datetime.time(3, 4), "03:04:00"),
    ],
)
def test_a_value_is_a_cell(value: object, cell: Cell) -> None:
    found = as_cell(value)
    assert (type(found), found) == (type(cell), cell)


@pytest.mark.parametrize(
    "value",
    [
        decimal.Decimal(1),
        fractions.Fraction(1, 3),
        1j,
        np.complex64(1),
        b"bytes",
        [1],
        (1, 2),
        {"a": 1},
        np.array([1]),
        np.zeros((2, 2)),
        object(),
        datetime.timedelta(1),
        np.timedelta64(1, "s"),
        2**63,
        -(2**63) - 1,
        np.uint64(2**63),
        np.longdouble("0.1"),
        "\udcff",
        "x" * 40_000,
        np.void(b"1"),
        iter([1]),
        int,
    ],
)
def test_what_is_no_cell_is_refused(value: object) -> None:
    with pytest.raises(CellError):
        as_cell(value)


@pytest.mark.parametrize(
    ("values", "kind", "cells"),
    [
        ([1, 2], ColumnKind.INT, (1, 2)),
        (range(2), ColumnKind.INT, (0, 1)),
        ([1, 2.5], ColumnKind.FLOAT, (1.0, 2.5)),
        ((1, None), ColumnKind.INT, (1, None)),
        ([], ColumnKind.EMPTY, ()),
        ([math.nan, None], ColumnKind.EMPTY, (math.nan, None)),
        (np.array([1, 2], np.uint16), ColumnKind.INT, (1, 2)),
        (np.array([0.5], ">f4"), ColumnKind.FLOAT, (0.5,)),
        (np.array([True, False]), ColumnKind.BOOL, (True, False)),
        (np.array(["a", "b"]), ColumnKind.TEXT, ("a", "b")),
        (np.array([1, 2], object), ColumnKind.INT, (1, 2)),
        (np.ma.array([1, 2], mask=[False, True]), ColumnKind.INT, (1, None)),
        ([np.bool_(True), None, math.nan], ColumnKind.BOOL, (True, None, None)),
        ([2**53 + 1, 1], ColumnKind.WIDE, (2**53 + 1, 1)),
    ],
)
def test_columns(values: object, kind: ColumnKind, cells: tuple[Cell, ...]) -> None:
    column = as_column(values)
    assert (column.kind, list(map(repr, column.cells))) == (kind, list(map(repr, cells)))


@pytest.mark.parametrize(
    "values",
    [
        [True, 1],
        [1, "a"],
        [2**53 + 1, 0.5],
        np.zeros((2, 2)),
        np.array(3),
        3,
        "text",
        b"bytes",
        {1: 2},
        np.array([1j]),
        np.array(["0.1"], np.longdouble),
        np.array([2**63], np.uint64),
        [[1, 2], [3, 4]],
        iter([1]),
    ],
)
def test_what_is_no_column_is_refused(values: object) -> None:
    with pytest.raises(CellError, match="column 'x'"):
        as_table({"x": values})


def test_names_of_columns_are_texts() -> None:
    names: tuple[object, ...] = (1, None, "", " ", ("a", "b"), "\udcff")
    for name in names:
        with pytest.raises(CellError, match="column name"):
            as_table({name: [1]})
    with pytest.raises(CellError, match="differ in length: a 1, b 2"):
        as_table({"a": [1], "b": [1, 2]})


def test_data_frames() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    columns: dict[str, list[object]] = {"n": [1, 2], "ok": [True, False], "note": ["a", None], "x": [0.5, math.inf]}
    frames = (pandas.DataFrame(columns), polars.DataFrame(columns), pyarrow.table(columns))
    for frame in frames:
        table = as_table(frame)
        assert {name: list(column.cells) for name, column in table.items()} == columns
    nullable = pandas.DataFrame({"n": pandas.array([1, None], dtype="Int64"), "t": [pandas.NaT, pandas.Timestamp(0)]})
    assert as_table(nullable)["n"].cells == (1, None)
    assert as_table(nullable)["t"].cells == (None, "1970-01-01T00:00:00")
    by_label = pandas.DataFrame({"n": [5, 6]}, index=pandas.Index([7, 2], name="label"))
    assert as_table(by_label)["label"].cells == (7, 2)
    for unordered in (frames[0].sort_values("n", ascending=False), {"n": frames[0]["n"].iloc[::-1]}):
        with pytest.raises(CellError, match="have been reordered"):
            as_table(unordered)
    with pytest.raises(CellError, match="exists twice"):
        as_table(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(CellError, match="a dict of columns"):
        as_table(frames[1].lazy())
    records = np.array([(1, 0.5)], dtype=[("label", int), ("x", float)])
    assert {name: column.cells for name, column in as_table(records).items()} == {"label": (1,), "x": (0.5,)}


def measure(measurements: Callable[[], Measurements], *inputs: InputKind) -> Measured:
    @special_inputs(*inputs)
    @special_outputs(OutputKind.MEASUREMENTS)
    def qc(stack: Any, **_: Any) -> Any:
        return stack, [measurements()]

    known = WellContext({KEY: LABELS}, sets={KEY: "nuclei"})
    calls = FunctionStep(qc).calls_for(None)
    [measured] = call_chain(calls, LABELS[np.newaxis], PatternGroup((KEY,), ()), known).measurements
    return measured


def test_objects_without_labels_are_in_their_order() -> None:
    measured = measure(lambda: Measurements({}, {"x": [1, 2, 3]}), InputKind.LABELS)
    assert (measured.table["label"].cells, measured.table["x"].cells) == ((2, 4, 7), (1, 2, 3))
    assert (measured.objects.name, measured.objects.found_in) == ("nuclei", KEY)
    own = measure(lambda: Measurements({}, {"x": [1, 2]}))
    assert (own.table["label"].cells, own.objects.name) == ((1, 2), "qc")
    some = measure(lambda: Measurements({}, {"label": [7.0, 2.0], "x": [1, 2]}), InputKind.LABELS)
    assert some.table["label"].cells == (7, 2)


@pytest.mark.parametrize(
    ("summary", "objects", "text"),
    [
        ({"z": 1j}, {}, "column 'z' has a complex"),
        ({"flag_count": True}, {}, "'flag_count' has True: columns ending in _count"),
        ({"n_count": 2.5}, {}, "'n_count' has 2.5"),
        ({"n_count": 2**62}, {}, "'n_count' has 4611686018427387904, which is too large for a count"),
        ({"n_count": 1e18}, {}, "'n_count' has 1000000000000000000, which is too large for a count"),
        ({"a\nb": 1}, {}, "has characters that can't be seen"),
        ({"well": "A01"}, {}, "'well' is one of the table's own"),
        ([1], {}, "use a dict"),
        ({}, {"x": [1, 2]}, r"column 'x' has 2 values for 3 objects: .* or a column 'label'"),
        ({}, {"x": [1, 2, 3], "y": [1]}, "differ in length: x 3, y 1"),
        ({}, {"objects": [1, 2, 3]}, "'objects' is one of the table's own"),
        ({}, {"label": [1], "x": [1]}, "'label' has 1, but the labels have no object with this number"),
        ({}, {"label": [2, 2], "x": [1, 2]}, "'label' has 2 twice"),
        ({}, {"label": [2.5], "x": [1]}, "'label' has 2.5"),
        ({}, {"label": [None], "x": [1]}, "'label' has None"),
        ({}, {"label": [True], "x": [1]}, "'label' has True"),
        ({}, {"label": [math.nan], "x": [1]}, "'label' has nan"),
    ],
)
def test_what_cannot_be_measured_with_names_function_and_column(summary: Any, objects: Any, text: str) -> None:
    with pytest.raises(StepError, match=f"qc can't be measured with: .*{text}"):
        measure(lambda: Measurements(summary, objects), InputKind.LABELS)


def test_counts_may_be_given_as_numbers_and_may_lack() -> None:
    summary = measure(lambda: Measurements({"a_count": np.float64(3), "b_count": math.nan, "c_count": None})).summary
    assert summary == {"a_count": 3, "b_count": None, "c_count": None}
    assert isinstance(summary["a_count"], int)
