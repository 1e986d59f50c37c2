"""What the window says of plates: one word for a state, costs of the same run, ends that stay, and room for times."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtWidgets import QLineEdit, QTreeWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.notices import PlateEnd
from openhcs_gui_services.services.plates.batch_text import batch_end_text
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.on_disk import ResultsOnDisk
from openhcs_gui_services.services.plates.presenter import PlateSnapshot, Trouble
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import BatchEnd, PlateRow, WorkspaceEvent
from openhcs_gui_services.services.plates.well_numbers import WellNumbers
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.widgets.plates.message_bar import MessageBar
from openhcs_gui_services.widgets.plates.model import PlateColumn, PlateTableModel
from openhcs_gui_services.widgets.plates.stop_question import StopQuestion
from openhcs_gui_services.widgets.plates.table import PlateTable
from openhcs_gui_services.widgets.plates.well_details import WellDetails
from openhcs_gui_services.widgets.plates.well_texts import state_word
from openhcs_gui_services.window.main_window import MainWindow
from openhcs_runtime.outputs.costs import StepTotal
from openhcs_runtime.outputs.runs import RunStatus, RunSummary
from openhcs_runtime.results import StepCost
from zmqruntime.execution import AxisProgress, AxisState

RUN = RunSummary(Path("/r"), RunStatus.COMPLETE, "2020-01-01T10:18:00+00:00", done=("A01",), executions=("old",))
END = BatchEnd(("p1", "p2", "pbad", "p4"), 9, {"pbad": ("A02", "A04")}, ("pbad", "p4"), 5.0, ("p4",))


def test_the_end_of_several_plates_stays_until_something_else_is_done(qtbot: QtBot) -> None:
    text = batch_end_text(END)
    assert text == "4 plates: 2 complete, pbad 2 wells failed: A02, A04, p4 stopped"
    assert batch_end_text(replace(END, plates=("p1",))) == ""
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.say_end(text, True)
    bar.say("p4 stopped after 3 s", False, "/p4")
    assert bar.text() == text
    bar.leave("/p1")
    bar.say(window_text("Not all notices were sent: [Errno 111] Connection refused"), True)
    assert bar.text() == f"{text}  \u00b7  Not all notices were sent: Connection refused"
    bar.forget()
    assert bar.text() == ""


def test_a_stopped_run_has_one_word() -> None:
    assert state_word(AxisState.CANCELLED) == "stopped"
    assert PlateEnd("p", "/p", "cancelled", 1, 2).line == "p: stopped, 1 of 2 wells done"


def test_a_table_that_is_added_is_called_one() -> None:
    said = window_text("/d/map.csv is a file, not a plate (name the folder that holds the images)")
    assert said.startswith("/d/map.csv is a table, not a plate: ")


@pytest.mark.parametrize(("execution_id", "total", "shown"), [("old", 2, True), ("new", 2, False), (None, 0, True)])
def test_the_costs_in_a_row_are_those_of_its_run(execution_id: str | None, total: int, shown: bool) -> None:
    found = ResultsOnDisk(RUN, (), costs=(StepTotal("Segment", 1, 3.0, 1.0, None),))
    snapshot = PlateSnapshot(PlateStatus.CANCELLED if total else PlateStatus.READY, total_wells=total)
    model = PlateTableModel()
    model.add_rows([PlateRow("/p", "p", snapshot, execution_id, found=found)])
    text = model.data(model.index(0, PlateColumn.DETAIL))
    assert text == ("Segment 3.0 s of computing" if shown else "")


def test_the_filter_knows_names_paths_and_states_only() -> None:
    model = PlateTableModel()
    failed = PlateSnapshot(PlateStatus.FAILED, error="not like p6", trouble=Trouble.CHECK)
    model.add_rows([PlateRow("/d/pbad", "pbad", failed), PlateRow("/d/p6", "p6", PlateSnapshot(PlateStatus.READY))])
    found: Callable[[], list[str]] = lambda: [row.name for row in model.shown_rows]  # noqa: E731
    model.set_filter("p6")
    assert found() == ["p6"]
    model.set_filter("check failed")
    assert found() == ["pbad"]


def test_plates_come_back_at_their_places(tmp_path: Path) -> None:
    book, model = PlateCollection(tmp_path), PlateTableModel()
    book.save_soon = lambda: None  # type: ignore[method-assign]
    records = {name: PlateRecord(f"/{name}") for name in "abcd"}
    book.add(list(records.values()))
    book.remove([records["c"], records["a"]])
    model.add_rows(book.rows())
    assert [record.name for record in book.take_back()] == ["a", "c"]
    model.add_rows(book.rows())
    model.arrange([row.path for row in book.rows()])
    assert [row.name for row in book.rows()] == [row.name for row in model.shown_rows] == list("abcd")


@pytest.mark.parametrize("name", ["p", "a-plate-with-a-very-long-name-that-takes-all-of-the-room-it-can-get"])
def test_the_time_of_results_is_seen_and_names_give_way(qtbot: QtBot, name: str) -> None:
    wells = tuple(AxisProgress(str(number), AxisState.COMPLETE) for number in range(384))
    table = PlateTable()
    qtbot.addWidget(table)
    table.resize(1000, 300)
    row = PlateRow("/p", name, PlateSnapshot(PlateStatus.READY), well_count=384)
    table.plates.add_rows([row])
    table.plates.change_rows([replace(row, found=ResultsOnDisk(RUN, wells))])
    table.plates._announce()
    index = table.plates.index(0, PlateColumn.RESULTS)
    assert str(index.data()).startswith("384 of 384, ")
    assert table.columnWidth(PlateColumn.RESULTS) > table.fontMetrics().horizontalAdvance(str(index.data()))


def test_a_complete_well_of_which_no_steps_are_known_says_nothing_wrong(qtbot: QtBot) -> None:
    details = WellDetails()
    qtbot.addWidget(details)
    details.show_well(AxisProgress("A03", AxisState.COMPLETE), {}, has_output=True, has_log=True)
    steps = details.findChild(QTreeWidget)
    assert steps is not None
    assert steps.topLevelItemCount() == 0
    details.show_numbers("A03", WellNumbers(steps=(StepCost("Segment", 2.0),)))
    item = steps.topLevelItem(0)
    assert item is not None
    assert (item.text(0), item.text(1)) == ("1. Segment", "done, 2.0 s")


def test_force_stop_says_what_is_lost(qtbot: QtBot) -> None:
    for wells, said in ((2, "Force stop q6 and lose the work on 2 wells?"), (0, "Force stop q6?")):
        question = StopQuestion(wells, 9.0, kills=True, scope="q6")
        qtbot.addWidget(question)
        assert question.text() == said


class _Host:
    """Has one plate that can be run, and counts nothing."""

    def subscribe(self, callback: Callable[[WorkspaceEvent], None]) -> Callable[[], None]:
        return lambda: None

    def rows(self) -> list[PlateRow]:
        return [PlateRow("/p", "p", PlateSnapshot(PlateStatus.READY))]

    def wells(self, path: str) -> list[AxisProgress]:
        return []

    async def nothing(self, *_: object, **__: object) -> None:
        """Not called: the action is looked at, not its call."""

    add = remove = initialise = compile = run = resume = stop = stop_after_wells = cancel_well = nothing


def test_run_all_works_while_text_is_edited(qtbot: QtBot, tmp_path: Path) -> None:
    window = MainWindow(_Host(), QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat))
    qtbot.addWidget(window)
    field = QLineEdit(window)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    field.show()
    field.setFocus()
    qtbot.waitUntil(lambda: field.hasFocus() and window.manager.actions_.run_all.isEnabled())
    pressed: list[bool] = []
    window.manager.actions_.run_all.triggered.disconnect()
    window.manager.actions_.run_all.triggered.connect(pressed.append)
    modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(field, Qt.Key.Key_L, modifiers)
    assert pressed == [False]
    window.close()
