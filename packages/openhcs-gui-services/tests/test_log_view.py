"""The log window as Qt shows it."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PyQt6.QtCore import QModelIndex, Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QAbstractItemModelTester
from PyQt6.QtWidgets import QComboBox, QLabel, QLineEdit, QTableView, QToolButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.log import LogFilter, LogLines
from openhcs_gui_services.widgets.log.model import LogColumn
from openhcs_gui_services.widgets.log.view import LogView
from zmqruntime.messages import LogLevel, LogLine

ONE, TWO = "1" * 32, "2" * 32
MakeView = Callable[..., LogView]


def lines(count: int, start: int = 0, execution: str = ONE, level: LogLevel = LogLevel.INFO) -> list[LogLine]:
    return [
        LogLine(
            execution_id=execution,
            sequence=number + 1,
            timestamp=1_700_000_000.0 + number,
            level=level,
            logger="log",
            text=f"line {number}",
        )
        for number in range(start, start + count)
    ]


@pytest.fixture
def make_view(qtbot: QtBot) -> MakeView:
    """Makes a view on the screen, whose model is checked by Qt's own tester, which looks at every cell every time."""

    def make(kept: LogLines | None = None, *, is_checked: bool = True) -> LogView:
        view = LogView(kept)
        qtbot.addWidget(view)
        view.resize(700, 300)
        view.show()
        qtbot.waitExposed(view)
        if is_checked:
            QAbstractItemModelTester(view.model, QAbstractItemModelTester.FailureReportingMode.Fatal, view)
        return view

    return make


def table(view: LogView) -> QTableView:
    found = view.findChild(QTableView)
    assert isinstance(found, QTableView)
    return found


def texts(view: LogView) -> list[str]:
    return [view.model.index(row, LogColumn.TEXT).data() for row in range(view.model.rowCount())]


def settled(qtbot: QtBot, view: LogView) -> None:
    qtbot.waitUntil(lambda: not view.model.has_work, timeout=20_000)


def last_row_is_visible(view: LogView) -> bool:
    shown = table(view)
    viewport = shown.viewport()
    assert viewport is not None
    bottom = shown.visualRect(view.model.index(view.model.rowCount() - 1, 0)).bottom()
    return 0 < bottom <= viewport.height()


def test_lines_appear_and_the_end_is_followed(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    view.add_lines(lines(500))
    settled(qtbot, view)
    assert texts(view)[-1] == "line 499"
    assert last_row_is_visible(view)
    view.add_line(lines(1, 500)[0])
    settled(qtbot, view)
    assert last_row_is_visible(view)
    assert "501 lines" in [label.text() for label in view.findChildren(QLabel)]


def test_who_scrolls_up_stays_there_until_back_at_the_end(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view(LogLines(max_lines=600))
    view.add_lines(lines(500))
    settled(qtbot, view)
    bar = table(view).verticalScrollBar()
    assert bar is not None
    bar.setValue(200)
    assert not view.follows_end
    top = table(view).rowAt(0)
    seen = view.model.entry(top)
    view.add_lines(lines(300, 500))  # 200 of the oldest go
    settled(qtbot, view)
    assert not view.follows_end
    assert view.model.entry(table(view).rowAt(0)) == seen
    bar.setValue(bar.maximum())
    assert view.follows_end
    bar.setValue(10)
    button = next(each for each in view.findChildren(QToolButton) if each.text() == "To the end")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert view.follows_end
    assert last_row_is_visible(view)


def test_filters_by_the_widgets(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    view.add_lines(lines(100) + lines(5, 100, TWO, LogLevel.ERROR))
    settled(qtbot, view)
    search = view.findChild(QLineEdit)
    assert isinstance(search, QLineEdit)
    qtbot.keyClicks(search, "LINE 10")
    settled(qtbot, view)
    assert texts(view) == ["line 10", *(f"line {number}" for number in range(100, 105))]
    boxes = {box.accessibleName(): box for box in view.findChildren(QComboBox)}
    boxes["Level"].setCurrentText("Errors and above")
    settled(qtbot, view)
    assert len(texts(view)) == 5
    view.set_filter(LogFilter(execution_id=ONE))
    settled(qtbot, view)
    assert len(texts(view)) == 100
    assert boxes["Execution"].currentData() == ONE


def test_new_lines_pass_the_filter_too_and_names_are_shown(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    view.set_execution_name(TWO, "plate_07")
    view.show_execution(TWO)
    view.add_lines(lines(10) + lines(3, 10, TWO))
    settled(qtbot, view)
    assert texts(view) == ["line 10", "line 11", "line 12"]
    assert view.model.index(0, 2).data() == "plate_07"


def test_selected_lines_are_copied(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    view.add_lines(lines(10))
    settled(qtbot, view)
    table(view).selectRow(3)
    table(view).setFocus()
    qtbot.keyClick(table(view), Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    view.copy()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert clipboard.text().endswith("INFO     log: line 3")


def test_what_is_shown_is_saved(qtbot: QtBot, make_view: MakeView, tmp_path: Path) -> None:
    view = make_view()
    view.set_filter(LogFilter(text="9"))
    view.add_lines(lines(100))
    settled(qtbot, view)
    view.save(tmp_path / "log.txt")
    written = (tmp_path / "log.txt").read_text().splitlines()
    assert len(written) == 19
    assert written[-1].endswith("line 99")
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]


def test_lines_that_were_kept_before_are_shown(qtbot: QtBot, make_view: MakeView) -> None:
    kept = LogLines()
    kept.add(lines(7))
    kept.set_filter(LogFilter(text="line 3"))
    kept.scan(100)
    view = make_view(kept)
    settled(qtbot, view)
    assert len(texts(view)) == 7


def test_clear_forgets_all(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    view.add_lines(lines(100))
    settled(qtbot, view)
    view.clear()
    assert view.model.rowCount(QModelIndex()) == 0
    view.add_lines(lines(2))
    settled(qtbot, view)
    assert len(texts(view)) == 2


def test_a_flood_is_taken_in_bit_by_bit(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view(LogLines(max_lines=30_000), is_checked=False)
    view.model.give(lines(60_000))
    begin = time.perf_counter()
    view.model.work(0.004)
    assert time.perf_counter() - begin < 1.0
    assert view.model.has_work
    view.add_lines([])
    settled(qtbot, view)
    assert view.model.rowCount() == 30_000
    assert view.model.lines.first_number == 30_000


def test_the_lines_of_one_well_alone_and_of_all_again(qtbot: QtBot, make_view: MakeView) -> None:
    view = make_view()
    of_wells = [
        msgspec.structs.replace(line, axis_id=well) for line, well in zip(lines(3), ["", "A01", "B06"], strict=True)
    ]
    view.add_lines(of_wells)
    view.set_filter(LogFilter(ONE, axis_id="B06"))
    qtbot.waitUntil(lambda: texts(view) == ["line 2"])
    assert view.model.index(0, LogColumn.WELL).data() == "B06"
    (button,) = (button for button in view.findChildren(QToolButton) if button.text().startswith("Well B06"))
    assert button.isVisible()
    button.click()
    qtbot.waitUntil(lambda: texts(view) == ["line 0", "line 1", "line 2"])
    assert not button.isVisible()
