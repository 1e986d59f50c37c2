"""The plate map as it is edited: its table, pasted cells, series, and the file that runs find."""

import json
from pathlib import Path

import pytest

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.checks import layout_notes
from openhcs_gui_services.services.layout.clipboard import block_text, list_text, paste
from openhcs_gui_services.services.layout.edits import LayoutEdits
from openhcs_gui_services.services.layout.file import MapForm, find_file, import_table, own_place
from openhcs_gui_services.services.layout.saving import Answer, save_layout, save_questions
from openhcs_gui_services.services.layout.series import Direction, Operation, Series
from openhcs_gui_services.services.layout.shapes import PlateShape, shape_for
from openhcs_gui_services.services.layout.table import LayoutTable, table_of
from openhcs_gui_services.services.layout.templates import TEMPLATES
from openhcs_runtime.exceptions import OutputError, PlateMapError
from openhcs_runtime.plate_map import find_plate_map, read_plate_map

SHAPE = PlateShape(8, 12)
TABLE = LayoutTable().with_values("compound", {"A01": "DMSO", "A02": "acid", "B01": "base"})


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A folder that stands for a plate, and has nothing next to it."""
    folder = tmp_path / "p6"
    folder.mkdir()
    return folder


def saved(plate: Path, table: LayoutTable, answer: Answer = Answer.GO_ON) -> Path:
    found = save_layout(find_file(str(plate)), table, answer)
    assert found.path is not None
    assert find_plate_map(plate) == found.path
    assert found.table == table_of(read_plate_map(found.path))
    return found.path


def test_a_table_changes_by_columns_and_wells() -> None:
    table = TABLE.with_column("dose").with_values("dose", {"A02": " 3 "}).renamed("compound", "drug")
    assert (table.columns, table.text("drug", "A02"), table.text("dose", "A02")) == (("drug", "dose"), "acid", "3")
    assert table.with_values("dose", {"A02": ""}).cells["dose"] == {}
    assert table.values("drug")["DMSO"] == ("A01",)
    assert table.without_column("drug").columns == ("dose",)
    assert TABLE.text("compound", "A01") == "DMSO", "the table before is as it was"
    for name, words in (("Well", "already"), ("COMPOUND", "already"), ("a;b", "semicolons"), (" ", "no name")):
        with pytest.raises(LayoutError, match=words):
            TABLE.with_column(name)


def test_edits_are_undone_and_done_again() -> None:
    edits = LayoutEdits(TABLE)
    assert not edits.do("nothing", TABLE)
    edits.do("add dose", TABLE.with_column("dose"))
    assert (edits.undo_title, edits.is_modified) == ("add dose", True)
    edits.undo()
    assert (edits.table, edits.undo_title, edits.redo_title, edits.is_modified) == (TABLE, "", "add dose", False)
    edits.redo()
    assert edits.table.columns == ("compound", "dose")
    for number in range(300):
        edits.do("again", TABLE.with_values("compound", {"A01": str(number)}))
    undone = 0
    while edits.undo_title:
        edits.undo()
        undone += 1
    assert undone == 200


@pytest.mark.parametrize(
    ("series", "wells", "texts"),
    [
        (Series(10, 3), "A01 A02 B01 B02", {"A01": "10", "A02": "3.33333", "B01": "10", "B02": "3.33333"}),
        (Series(10, 10, direction=Direction.LEFT), "A01 A02 A03", {"A03": "10", "A02": "1", "A01": "0.1"}),
        (Series(1, 2, Operation.MULTIPLY, Direction.DOWN, 2), "A01 B01 C01", {"A01": "1", "B01": "1", "C01": "2"}),
        (Series(1, 1, Operation.ADD, Direction.ROW_BY_ROW), "A01 A02 B01", {"A01": "1", "A02": "2", "B01": "3"}),
        (Series(1, 1, Operation.ADD, Direction.UP, points=2), "A01 B01 C01", {"C01": "1", "B01": "2", "A01": "1"}),
    ],
)
def test_a_series_goes_over_the_wells(series: Series, wells: str, texts: dict[str, str]) -> None:
    assert series.values(wells.split()) == texts


def test_a_series_that_makes_no_sense_is_refused() -> None:
    for series, words in ((Series(1, 0), "factor"), (Series(1, 10, replicates=0), "equal"), (Series(1, 1e9), "fewer")):
        with pytest.raises(LayoutError, match=words):
            series.values(["A01", "A02", "A03"])


@pytest.mark.parametrize(
    ("text", "wells", "cells"),
    [
        ("x", "A01 A02", {"A01": "x", "A02": "x", "B01": "base"}),
        ("x\ty\nz\t", "A01", {"A01": "x", "A02": "y", "B01": "z"}),
        ("1\t2", "A01 A02 A03 A04", {"A01": "1", "A02": "2", "A03": "1", "A04": "2", "B01": "base"}),
        ("\t1\t2\nA\tx\ty\nC\t\tz", "H12", {"A01": "x", "A02": "y", "B01": "base", "C02": "z"}),
        ("Well\tcompound\nA1\tx\nh12\ty", "", {"A01": "x", "A02": "acid", "B01": "base", "H12": "y"}),
        ("compound\t1\t2\nA\tx\ty", "", {"A01": "x", "A02": "y", "B01": "base"}),
    ],
    ids=["one value", "block", "repeated", "matrix", "list", "titled matrix"],
)
def test_cells_of_a_spreadsheet_are_pasted(text: str, wells: str, cells: dict[str, str]) -> None:
    table, _ = paste(TABLE, text, "compound", wells.split(), SHAPE)
    assert (table.cells["compound"], table.columns) == (cells, ("compound",))


def test_what_does_not_fit_is_refused() -> None:
    for text, wells, words in (
        ("a\tb", "A12", "does not fit at A12"),
        ("", "A01", "no cells"),
        ("x", "", "no well is selected"),
        ("well\tdose\nP24\t1", "A01", "larger plate"),
        ("well\tdose\nA01\t1\nA1\t2", "A01", "is also in line"),
    ):
        with pytest.raises(LayoutError, match=words):
            paste(TABLE, text, "compound", wells.split(), SHAPE)


def test_what_is_copied_can_be_pasted() -> None:
    table = TABLE.with_values("dose", {"A02": "0.1"})
    wells = ["A01", "A02", "B01"]
    assert block_text(table, "compound", wells) == "DMSO\tacid\nbase\t\n"
    assert (
        paste(LayoutTable(), block_text(table, "compound", wells), "compound", ["A01"], SHAPE)[0].cells == TABLE.cells
    )
    assert paste(LayoutTable(), list_text(table, wells), "compound", [], SHAPE)[0].cells == table.cells


def test_templates_place_controls_and_keep_the_rest() -> None:
    table = TEMPLATES[2].apply(TABLE, SHAPE, ())
    assert table.text("compound", "A02") == "acid"
    assert [table.text("control", f"C{column:02}") for column in (2, 3, 10, 11)] == ["negative", "", "", "positive"]
    small = TEMPLATES[2].apply(LayoutTable(), shape_for(["B03"]), ["A01", "A02", "A03"])
    assert small.cells["control"] == {"A01": "negative", "A03": "positive"}
    assert TEMPLATES[0].apply(small, SHAPE, ()).cells["control"] == small.cells["control"]


def test_a_layout_is_saved_where_runs_find_it(plate: Path) -> None:
    assert save_questions(find_file(str(plate))) == ()
    path = saved(plate, TABLE.with_values("dose", {"A02": "0.1"}))
    assert path == plate.parent / "p6_platemap.csv"
    assert path.read_text() == "well,compound,dose\nA01,DMSO,\nA02,acid,0.1\nB01,base,\n"
    inside = plate / "platemap.tsv"
    inside.write_text("well\tdose\nA01\t0,5\n")
    assert saved(plate, find_file(str(plate)).table) == inside, "the one in the plate comes first, in its own form"
    assert inside.read_text() == "well\tdose\nA01\t0.5\n"


def test_a_map_that_other_plates_share_is_not_changed_unasked(plate: Path) -> None:
    shared = plate.parent / "platemap.csv"
    shared.write_text("well,compound\nA01,DMSO\n")
    (question,) = save_questions(find_file(str(plate)))
    assert [answer for answer, _ in question.answers] == [Answer.OWN_FILE, Answer.SHARED_FILE]
    assert saved(plate, TABLE, Answer.SHARED_FILE) == shared
    assert save_questions(find_file(str(plate)), Answer.OWN_FILE) == ()
    assert saved(plate, TABLE.with_column("dose"), Answer.OWN_FILE) == plate.parent / "p6_platemap.csv"
    assert "dose" not in shared.read_text()


@pytest.mark.parametrize(
    ("name", "content", "form", "kept"),
    [
        ("p6_platemap.json", json.dumps([{"well": "A01", "dose": 1e5}]), MapForm.JSON, "p6_platemap_before.json"),
        ("p6_platemap.csv", "dose,1,2\nA,100000,\n", MapForm.BLOCKS, "p6_platemap_before.csv"),
        ("p6_platemap.csv", "# mine\nwell,dose\nA01,1.0E5\n", MapForm.BLOCKS, "p6_platemap_before.csv"),
    ],
)
def test_a_map_in_another_form_is_kept_and_asked_for(
    plate: Path, name: str, content: str, form: MapForm, kept: str
) -> None:
    path = plate.parent / name
    path.write_text(content)
    found = find_file(str(plate))
    (question,) = save_questions(found)
    assert (found.form, found.table.text("dose", "A01")) == (form, "100000")
    assert kept in question.detail
    assert saved(plate, found.table) == plate.parent / "p6_platemap.csv"
    assert (plate.parent / kept).read_text() == content
    assert not save_questions(find_file(str(plate)))


def test_a_file_in_another_form_has_its_name_again_if_nothing_could_be_written(
    plate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plate.parent / "p6_platemap.json"
    path.write_text('[{"well": "A01", "dose": 1}]')
    monkeypatch.setattr("openhcs_runtime.atomic.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OutputError, match="no space left"):
        save_layout(find_file(str(plate)), TABLE)
    assert find_plate_map(plate) == path


def test_a_file_that_another_program_changed_is_not_replaced_unasked(plate: Path) -> None:
    path = saved(plate, TABLE)
    layout = find_file(str(plate))
    path.write_text("well,compound\nA01,theirs\n")
    assert "changed by another program" in save_questions(layout)[0].text
    (plate.parent / "p6_platemap.json").write_text("[]")
    with pytest.raises(PlateMapError, match="several plate maps"):
        save_questions(layout)


def test_nothing_is_written_that_would_be_read_differently(plate: Path) -> None:
    strange = LayoutTable(("a;b",), {"a;b": {"A01": "1"}})  # as an Excel file may have it
    for table, words in ((LayoutTable(), "empty"), (strange, "platemap.csv")):
        with pytest.raises((LayoutError, PlateMapError), match=words):
            save_layout(find_file(str(plate)), table)
    assert list(plate.parent.iterdir()) == [plate]
    net = find_file("https://example.org/plate.zarr")
    with pytest.raises(LayoutError, match="--platemap"):
        save_questions(net)
    with pytest.raises(LayoutError, match="export"):
        own_place("https://example.org/plate.zarr")


def test_values_of_other_forms_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    records = {"A01": {"id": "007", "dose": 1e-9, "n": 2**60, "ok": True}, "A02": {"id": "x,y", "n": 1, "ok": False}}
    path.write_text(json.dumps(records))
    plate = tmp_path / "p"
    plate.mkdir()
    assert read_plate_map(saved(plate, import_table(path))).values == read_plate_map(path).values


def test_what_the_runtime_refuses_is_said_while_editing(tmp_path: Path) -> None:
    path = tmp_path / "p6_platemap.csv"
    dosed = TABLE.with_values("dose", {"A02": "1", "B01": "3"})
    assert layout_notes(LayoutTable(), ["A01"], path) == ()
    assert "the plate has no images of B01" in layout_notes(TABLE, ["A01", "A02"], path)[0]
    assert "have no unit: add a column dose_unit" in layout_notes(dosed, ["A01", "A02", "B01"], path)[0]
    for column, texts, words in (
        ("dose", {"A02": "much"}, "is not a dose"),
        ("dose_unit", {"A02": "uM", "B01": "mg"}, ""),
        ("position", {"A01": "B02", "A02": "B03"}, "says well"),
        ("control", {"A01": "DMSO", "A02": "neg"}, ""),
        ("compound", {"A01": "ACID"}, "Different spellings"),
    ):
        notes = " ".join(layout_notes(dosed.with_values(column, texts), [], path))
        assert words in notes
        assert str(tmp_path) not in notes
    assert layout_notes(dosed.with_values("dose_unit", {"A02": "uM", "B01": "uM"}), [], path) == ()
    mixed = dosed.with_values("dose_unit", {"A02": "uM", "B01": "mg/ml"}).with_values("compound", {"B01": "acid"})
    assert "can't be compared" in layout_notes(mixed, [], path)[0]
