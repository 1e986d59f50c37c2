"""The table of plates and its model."""

import time

import pytest
from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services import PlateSnapshot, PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.widgets import PlateColumn, PlateTable, PlateTableModel


def row(name: str, state: PlateStatus = PlateStatus.READY, **known: object) -> PlateRow:
    return PlateRow(f"/data/{name}", name, PlateSnapshot(state, **known), well_count=96)  # type: ignore[arg-type]


@pytest.fixture
def table(qtbot: QtBot) -> PlateTable:
    made = PlateTable()
    qtbot.addWidget(made)
    made.resize(1000, 400)
    made.show()
    return made


def names(model: PlateTableModel) -> list[str]:
    return [str(model.data(model.index(number, PlateColumn.PLATE))) for number in range(model.rowCount())]


def test_a_row_says_all_of_a_plate(table: PlateTable) -> None:
    running = row(
        "p1", PlateStatus.RUNNING, percent=42, elapsed_seconds=90, remaining_seconds=124, axis_id="B06",
        step_name="Segment", total_steps=3, failed_wells=2,
    )  # fmt: skip
    table.plates.add_rows([running])
    texts = [str(table.plates.data(table.plates.index(0, column))) for column in PlateColumn]
    assert texts == [
        "p1", "Running 42 %", "42 %", "Segment (step 1 of 3), well B06, 2 wells failed", "1 min 30 s, about 3 min left",
        "96", "2", "",
    ]  # fmt: skip
    assert "State: Running" in str(table.plates.data(table.plates.index(0, 1), Qt.ItemDataRole.AccessibleTextRole))


def test_names_are_sorted_as_people_count() -> None:
    model = PlateTableModel()
    model.add_rows([row("plate_10"), row("plate_9"), row("Plate_1")])
    model.sort(PlateColumn.PLATE)
    assert names(model) == ["Plate_1", "plate_9", "plate_10"]
    model.sort(PlateColumn.PLATE, Qt.SortOrder.DescendingOrder)
    model.add_rows([row("plate_11")])
    assert names(model) == ["plate_11", "plate_10", "plate_9", "Plate_1"]
    model.sort(-1)
    assert names(model) == ["plate_10", "plate_9", "Plate_1", "plate_11"]


@pytest.mark.parametrize("column", PlateColumn)
def test_every_column_can_be_sorted(column: PlateColumn) -> None:
    model = PlateTableModel()
    model.add_rows([row(state.value, state, percent=number, elapsed_seconds=number or None, failed_wells=number % 3)
                    for number, state in enumerate(PlateStatus)])  # fmt: skip
    model.sort(column)
    upwards = names(model)
    model.sort(column, Qt.SortOrder.DescendingOrder)
    assert set(names(model)) == set(upwards)
    assert model.rowCount() == len(PlateStatus)


def test_the_filter_looks_at_name_path_and_state_and_keeps_the_selection(table: PlateTable) -> None:
    table.plates.add_rows(
        [row("a1"), row("a2", PlateStatus.FAILED, error="no such image"), row("b1", PlateStatus.FAILED)]
    )
    table.select_paths(["/data/a2"])
    for text, expected in {
        "A": ["a1", "a2", "b1"],
        "failed": ["a2", "b1"],
        "failed a2": ["a2"],
        "image": [],
        "zz": [],
    }.items():
        table.plates.set_filter(text)
        assert names(table.plates) == expected
    table.plates.set_filter("a2")
    table.select_paths(["/data/a2"])
    table.plates.set_filter("")
    assert table.selected_paths() == ["/data/a2"]


def test_the_selection_stays_with_its_plates_when_rows_move_or_go(table: PlateTable) -> None:
    table.plates.add_rows([row(f"p{number}") for number in range(20)])
    table.select_paths(["/data/p3", "/data/p15"])
    table.plates.sort(PlateColumn.PLATE, Qt.SortOrder.DescendingOrder)
    assert set(table.selected_paths()) == {"/data/p3", "/data/p15"}
    table.plates.remove_rows(["/data/p4", "/data/p3", "/data/p19"])
    assert table.selected_paths() == ["/data/p15"]
    assert table.plates.rowCount() == 17
    assert table.plates.number_of("/data/p15") == names(table.plates).index("p15")


def test_changes_are_announced_once_a_frame_row_by_row(table: PlateTable, qtbot: QtBot) -> None:
    table.plates.add_rows([row(f"p{number}") for number in range(10)])
    QApplication.processEvents()
    told: list[tuple[int, int]] = []
    table.plates.dataChanged.connect(lambda a, b: told.append((a.row(), b.row())))
    with qtbot.waitSignal(table.plates.dataChanged, timeout=5000):
        for percent in range(100):
            table.plates.change_rows([row("p4", PlateStatus.RUNNING, percent=percent)])
    assert told == [(4, 4)]
    assert names(table.plates)[4] == "p4"
    begin = time.monotonic()
    while time.monotonic() < begin + 0.5 or len(told) < 3:
        table.plates.change_rows([row("p4", PlateStatus.RUNNING, percent=time.monotonic() % 100)])
        QApplication.processEvents()
    assert len(told) <= 30 * (time.monotonic() - begin) + 2


def test_time_goes_on_while_nothing_is_told() -> None:
    now = 100.0
    model = PlateTableModel(clock=lambda: now)
    model.add_rows([row("p", PlateStatus.RUNNING, percent=10, elapsed_seconds=60, remaining_seconds=540)])
    assert model.presentation_at(0).timing.startswith("1 min,")
    now = 130.0
    model.tick()
    assert model.presentation_at(0).timing.startswith("1 min 30 s,")


def test_a_name_is_no_markup() -> None:
    model = PlateTableModel()
    model.add_rows([row("<b>x</b>")])
    assert "&lt;b&gt;" in str(model.data(model.index(0, 0), Qt.ItemDataRole.ToolTipRole))


def test_ten_thousand_plates_are_handled_in_a_moment(table: PlateTable) -> None:
    rows = [row(f"p{number}", list(PlateStatus)[number % len(PlateStatus)]) for number in range(10_000)]
    begin = time.process_time()
    table.plates.add_rows(rows)
    table.plates.sort(PlateColumn.PLATE)
    table.plates.set_filter("77")
    QApplication.processEvents()
    assert time.process_time() - begin < 2.0
    assert all("77" in name for name in names(table.plates))


class Paints(QObject):
    """Counts paint events."""

    count = 0

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        self.count += event is not None and event.type() == QEvent.Type.Paint
        return False


def test_a_bar_without_an_end_moves_and_one_with_an_end_rests(table: PlateTable, qtbot: QtBot) -> None:
    table.plates.add_rows([row("p", PlateStatus.INIT_PENDING)])
    viewport = table.viewport()
    assert viewport is not None
    before = table.grab().toImage()
    qtbot.waitUntil(lambda: table.grab().toImage() != before, timeout=5000)
    table.plates.change_rows([row("p")])
    qtbot.wait(200)
    paints = Paints()
    viewport.installEventFilter(paints)
    qtbot.wait(400)
    assert paints.count == 0


def test_the_details_take_the_room_that_is_left(table: PlateTable) -> None:
    header, viewport = table.horizontalHeader(), table.viewport()
    assert header is not None
    assert viewport is not None
    table.plates.add_rows([row("Screen_2026-11-29_Wirkstoffbibliothek_Nachkontrolle_Wiederholung_03")])
    for width in (1400, 1000, 860, 550):
        table.resize(width, 300)
        QApplication.processEvents()
        assert header.length() <= max(viewport.width(), 500)
        shown = {column for column in PlateColumn if not header.isSectionHidden(column)}
        assert {PlateColumn.PLATE, PlateColumn.STATE, PlateColumn.PROGRESS, PlateColumn.RESULTS} <= shown
        assert ({PlateColumn.TIME, PlateColumn.WELLS, PlateColumn.FAILED} <= shown) == (width >= 860)
        state = table.fontMetrics().horizontalAdvance("Waiting (23rd)") + 24
        assert header.sectionSize(PlateColumn.STATE) >= state
    table.resize(1400, 300)
    QApplication.processEvents()
    before = header.sectionSize(PlateColumn.DETAIL)
    header.resizeSection(PlateColumn.PLATE, header.sectionSize(PlateColumn.PLATE) + 40)
    assert header.sectionSize(PlateColumn.DETAIL) == before - 40


def test_an_empty_table_says_what_to_do(table: PlateTable) -> None:
    empty = table.grab().toImage()
    table.plates.add_rows([row("p")])
    table.plates.remove_rows(["/data/p"])
    assert table.plates.rowCount() == 0
    table.plates.add_rows([row("p")])
    table.plates.set_filter("nothing like it")
    assert table.grab().toImage() != empty
