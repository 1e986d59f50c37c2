"""Plate maps in every form people write them, what is wrong with them, and expressions over their columns."""

import datetime
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime.exceptions import PlateMapError
from openhcs_runtime.plate_map import ColumnKind, PlateMap, find_plate_map, parse_where, read_plate_map

LIST = """well,compound,dose,unit,control type,id
A1,DMSO,0,uM,negative,007
a02,staurosporine,1e-6,uM,positive,008
A03,"x, y",2.5,uM,,010
A04,,NaN,,,
"""
MATRIX = """compound,1,2,3
A,DMSO,staurosporine,"x, y"
B,DMSO,,

dose,1,2,3
A,0,1,2.5
B,0,,
"""


def _read(folder: Path, text: str | bytes, name: str = "platemap.csv") -> PlateMap:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_plate_map(path)


def test_a_list_with_typed_columns(tmp_path: Path) -> None:
    known = _read(tmp_path, LIST)
    assert known.columns == ("compound", "dose", "unit", "control type", "id")
    assert known.wells == ("A01", "A02", "A03", "A04")
    assert [known.value(well, "dose") for well in known.wells] == [0.0, 1e-6, 2.5, None]
    assert [known.value(well, "id") for well in known.wells] == ["007", "008", "010", None]
    assert (known.value("a3", "compound"), known.value("A04", "compound")) == ("x, y", None)
    assert known.value("B01", "compound") is None
    assert (known.kind("dose"), known.kind("id")) == (ColumnKind.NUMBER, ColumnKind.TEXT)
    assert len(known.file.digest) == 32


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2"], [1, 2]),
        (["1", "2.0"], [1.0, 2.0]),
        (["1E5", "1E6"], ["1E5", "1E6"]),
        (["1E+05", "2.5e3"], [100000.0, 2500.0]),
        (["1e-06", "2E-7"], [1e-06, 2e-07]),
        (["1.5e3", "0"], [1500.0, 0.0]),
        (["1e-06", "2e3"], ["1e-06", "2e3"]),
        (["1", "none"], ["1", "none"]),
        (["TRUE", "false"], [True, False]),
        (["n/a", "-3"], [None, -3]),
        (["inf", "1"], ["inf", "1"]),
        (["89014103211118510720", "2"], ["89014103211118510720", "2"]),
        (["9223372036854775807", "-9223372036854775807"], [2**63 - 1, 1 - 2**63]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["-9223372036854775808", "1"], ["-9223372036854775808", "1"]),
        (["1" * 5000, "1"], ["1" * 5000, "1"]),
        (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        (["9007199254740992", "0.5"], [2.0**53, 0.5]),
        (["1_000", "2"], ["1_000", "2"]),
        (["00", "1"], ["00", "1"]),
    ],
)
def test_a_column_is_of_one_kind(tmp_path: Path, cells: list[str], values: list[object]) -> None:
    known = _read(tmp_path, f"well,x\nA01,{cells[0]}\nA02,{cells[1]}\n")
    found = [known.value(well, "x") for well in known.wells]
    assert found == values
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (lambda text: text.encode(), "platemap.csv"),
        (lambda text: text.encode("utf-8-sig"), "platemap.csv"),
        (lambda text: text.encode("utf-16"), "platemap.txt"),
        (lambda text: text.replace(",", "\t").encode("latin-1"), "platemap.tsv"),
        (lambda text: text.replace(",", ";").replace("0.5", "0,5").encode("latin-1"), "platemap.csv"),
    ],
)
def test_separators_and_encodings(tmp_path: Path, encode: Callable[[str], bytes], name: str) -> None:
    known = _read(tmp_path, encode("Well,dose (µM),name\r\nA1,0.5,Müller\r\nA2,10,x\r\n\r\n"), name)
    assert (known.value("A01", "dose (µM)"), known.value("A01", "name")) == (0.5, "Müller")


def test_matrices(tmp_path: Path) -> None:
    for text in (MATRIX, MATRIX.replace("compound,", "compound\n,").replace("dose,", "dose\n,")):
        known = _read(tmp_path, text)
        assert (known.columns, known.wells) == (("compound", "dose"), ("A01", "A02", "A03", "B01"))
        assert [known.value("A03", name) for name in known.columns] == ["x, y", 2.5]


def test_excel_and_json_say_the_same(tmp_path: Path) -> None:
    records = [{"well": "A1", "compound": "DMSO", "dose": 0}, {"well": "B12", "compound": None, "dose": 1.5}]
    forms: list[object] = [
        records,
        {"wells": records},
        {"A01": {"compound": "DMSO", "dose": 0}, "B12": {"compound": None, "dose": 1.5}},
    ]
    found = [_read(tmp_path, json.dumps(form), "m.json") for form in forms]
    openpyxl = importlib.import_module("openpyxl")  # without types
    book = openpyxl.Workbook()
    for line in (("Well", "compound", "dose"), ("A1", "DMSO", 0), ("B12", None, 1.5)):
        book.active.append(line)
    book.save(tmp_path / "m.xlsx")
    found.append(read_plate_map(tmp_path / "m.xlsx"))
    book.active.delete_rows(1, 3)
    for cells in (("dose", 1, 2), ("A", 0.5, 7), ("B", None, "x")):
        book.active.append(cells)
    book.save(tmp_path / "matrix.xlsx")
    for known in found:
        assert [known.value("A01", name) for name in ("compound", "dose")] == ["DMSO", 0]
        assert [known.value("B12", name) for name in ("compound", "dose")] == [None, 1.5]
    assert read_plate_map(tmp_path / "matrix.xlsx").values == {"dose": {"A01": "0.5", "A02": "7", "B02": "x"}}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty: write a row for each well"),
        ("well,x\n", "describes no wells"),
        ("a,b\n1,2\n", "describes no wells"),
        ("well,x\nA01,1\nA1,2\n", "line 3: well A01 is also in line 2"),
        ("well,plate\nA01,P1\nA1,P2\n", "line 3: well A01 is also in line 2; keep only the rows of one plate"),
        ("well,x\nZZ9,1\n", "line 2: 'ZZ9' is not a well"),
        ("well,x\n,1\n", "line 2: the name of the well is missing"),
        ("well,x,x\nA01,1,2\n", "line 1: column 'x' is there twice"),
        ("well,x\nA01,1,2\n", "line 2: '2' is in a column without a title; give it one in line 1"),
        ('well,x\nA01,"1\n', "line 2: unexpected end of data"),
        ("well,Well,x\nA01,B01,1\n", "line 1: two columns are named 'Well'"),
        ("row,column,row\nA,1,B\n", "line 1: two columns are named 'row'"),
        ("well,position\nA01,A1\nA02,B02\n", "line 3: 'well' says well A02 and 'position' says well B02"),
        (",1,2\nA,3,4\n", "line 1: the block has no title"),
        ("x,1,2\nA,3,4\nA,3,4\n", "line 3: row A of 'x' is there twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(PlateMapError, match="platemap") as caught:
        _read(tmp_path, text)
    assert problem in str(caught.value)


def test_cells_of_excel_and_json_are_read_as_they_are_or_refused(tmp_path: Path) -> None:
    openpyxl = importlib.import_module("openpyxl")  # without types
    book = openpyxl.Workbook()
    for line in (("well", "on", "x"), ("A1", datetime.datetime(2024, 5, 6), 1)):
        book.active.append(line)
    book.save(tmp_path / "m.xlsx")
    known = read_plate_map(tmp_path / "m.xlsx")
    assert known.value("A01", "on") == "2024-05-06"
    in_json = f'[{{"well": "A1", "x": 89014103211118510720}}, {{"well": "A2", "x": {10**390}}}]'
    known = _read(tmp_path, in_json, "m.json")
    assert known.values["x"] == {"A01": "89014103211118510720", "A02": str(10**390)}
    with pytest.raises(PlateMapError, match="well A01 has 89014103211118510720, which a number can't hold"):
        known.matching("x > 1")
    book.active["C2"] = "=1+1"
    book.save(tmp_path / "m.xlsx")
    with pytest.raises(PlateMapError, match="cell C2 has a formula without a value: open the file in Excel"):
        read_plate_map(tmp_path / "m.xlsx")
    (tmp_path / "m.xlsx").rename(tmp_path / "m.csv")
    with pytest.raises(PlateMapError, match=r"is an Excel file, not text: rename it to \.xlsx"):
        read_plate_map(tmp_path / "m.csv")


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, text, problem in (
        ("m.doc", "x", "is not a plate map"),
        ("m.json", '[{"x": 1}]', 'have no "well"'),
        ("m.json", '{"a": 1}', "is not a plate map in JSON"),
        ("m.json", "[]", "describes no wells"),
        ("m.json", '{"A01": {"x": 1}, "A01": {"x": 2}}', "an object has 'A01' twice: remove one"),
        ("m.json", '[{"well": "A1", "x": NaN}]', "NaN is not JSON"),
        ("m.json", "[" * 100000, "is not a plate map in JSON"),
        ("m.xlsx", "well,x", r"is not a valid Excel file, but text: rename it to \.csv"),
        ("m.xlsx", b"\xd0\xcf\x11\xe0\0", "is an old or encrypted Excel file"),
    ):
        with pytest.raises(PlateMapError, match=problem):
            _read(tmp_path, text, name)
    with pytest.raises(PlateMapError, match="no such plate map"):
        read_plate_map(tmp_path / "gone.csv")
    with pytest.raises(PlateMapError, match="not a valid Excel file"):
        _read(tmp_path, "PK\x03\x04", "m.xlsx")


def test_the_map_of_a_plate_is_found_or_named(tmp_path: Path) -> None:
    plate = tmp_path / "plate7"
    plate.mkdir()
    with pytest.raises(PlateMapError, match=r"has no plate map: put platemap\.csv"):
        find_plate_map(plate)
    for path in (tmp_path / "platemap.csv", tmp_path / "plate7_platemap.json", plate / "platemap.xlsx"):
        path.touch()
        assert find_plate_map(plate) == path
    (plate / "platemap.csv").touch()
    with pytest.raises(PlateMapError, match=r"several plate maps in .* \(platemap\.csv, platemap\.xlsx\)"):
        find_plate_map(plate)


@pytest.mark.parametrize(
    ("expression", "wells"),
    [
        ("compound == 'DMSO'", ["A01"]),
        ("compound != 'DMSO'", ["A02", "A03", "A04"]),
        ("dose > 0 and dose <= 2.5", ["A02", "A03"]),
        ("0 <= dose < 1", ["A01", "A02"]),
        ("not (dose < 1)", ["A03", "A04"]),
        ('dose == None or `control type` == "negative"', ["A01", "A04"]),
        ("compound in ('DMSO', 'x, y')", ["A01", "A03"]),
        ("compound not in ['DMSO'] and id != '008'", ["A03", "A04"]),
        ("compound == '`id`' or dose > -1", ["A01", "A02", "A03"]),
        ("unit == compound", ["A04"]),
    ],
)
def test_expressions(tmp_path: Path, expression: str, wells: list[str]) -> None:
    assert list(_read(tmp_path, LIST).matching(expression)) == wells


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("compund == 'DMSO'", "has no column 'compund': did you mean 'compound'? its columns are compound, dose"),
        ("dose == 'high'", "column 'dose' has numbers, which can't be compared with text"),
        ("id == 7", "column 'id' has text, which can't be compared with numbers"),
        ("id == 7", "numbers; well A01 has '007', which may be a name: write 7 if it is a number, or compare with"),
        ("1 < unit", "well A01 has 'uM', which is not a number: write one, or leave the cell empty, or compare with"),
        ("dose == id", "column 'dose' has numbers, which can't be compared with text; well A01 has '007'"),
        ("class == 1", "class is a word of Python: write `class` in backticks if it is a column"),
        ("dose > 1 and is == 'x'", "is is a word of Python: write `is` in backticks"),
        ("in in ('a', 'b')", "in is a word of Python: write `in` in backticks"),
        ("dose > 1 and", "use comparisons"),
        ("dose", "column 'dose' has numbers: compare it with a value"),
        ("compound = 'DMSO'", "write == to compare"),
        ("compound == 'a' & dose == 1", "write 'and' and 'or' instead"),
        ("(compound == 'a') | (dose == 1)", "write 'and' and 'or' instead of & and |"),
        ("compound in 'DMSO'", "write a list after 'in'"),
        ("dose is None", "write == and != instead of is"),
        ("__import__('os').system('x')", "use comparisons"),
        ("compound.upper() == 'A'", "use comparisons"),
        ("[x for x in (1,)] == 1", "use comparisons"),
        ("dose + 1 > 2", "use comparisons"),
        ("", "use comparisons"),
        ("(" * 300 + "dose" + ")" * 300, "use comparisons"),
        ("not " * 200 + "dose == 1", "nested too deeply"),
        ("dose == 1" + " and dose == 1" * 400, "shorten it"),
    ],
)
def test_expressions_that_are_refused(tmp_path: Path, expression: str, problem: str) -> None:
    with pytest.raises(PlateMapError) as caught:
        _read(tmp_path, LIST).matching(expression)
    assert problem in str(caught.value)


def test_the_first_cell_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    for text, cell in (
        ("well,x\nA01,0.5\nA02,2e3\nA03,1E5\n", "well A02 has '2e3', which may be a name: write 2.0e3 if it is"),
        ("well;x\nA01;0,5\nA02;n/a\nA03;<1\n", "well A03 has '<1', which is not a number: write one"),
    ):
        with pytest.raises(PlateMapError) as caught:
            _read(tmp_path, text).matching("x > 1")
        assert cell in str(caught.value)
    assert _read(tmp_path, "well,is,class\nA01,1,x\n").matching("`is` == 1 and `class` == 'x'") == ("A01",)
    assert _read(tmp_path, "well,Well ID\nA01,a1\nA02,plate 7\n").columns == ("Well ID",)


def test_columns_of_an_expression_and_the_wells_of_a_plate(tmp_path: Path) -> None:
    assert parse_where("`cell line` == 'HeLa' and dose > 1 and dose < 3").columns == ("cell line", "dose")
    known = _read(tmp_path, LIST)
    assert known.problems(["A01", "A02", "A03", "A04"]) == ()
    assert known.problems(["A01", "B01"]) == (
        f"the plate has no images of A02, A03, A04, which plate map {tmp_path / 'platemap.csv'} describes",
        f"plate map {tmp_path / 'platemap.csv'} does not describe B01",
    )
    (line,) = _read(tmp_path, "well,Plate\nA01,P1\nA02,P2\n").problems(["A01", "A02"])
    assert "has several plates (P1, P2): keep only the rows of this plate" in line
    with pytest.raises(PlateMapError, match=r"describes A01, A02, A03, A04, and the plate has B01: give the map"):
        known.problems(["B01"])
    with pytest.raises(PlateMapError, match="has no column 'x': choose compound"):
        known.value("A01", "x")
