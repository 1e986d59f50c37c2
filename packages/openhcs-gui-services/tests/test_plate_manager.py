"""What the plate manager offers when; without a server, which its other tests have."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QAction, QDropEvent
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services import PlateSnapshot, PlateStatus
from openhcs_gui_services.services.plates.values import (
    PlateRow,
    PlatesChanged,
    PlatesRemoved,
    ServerState,
    ServerStateChanged,
    WellsChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.widgets import PlateManagerWidget
from openhcs_gui_services.widgets.plates.run_phase import BusyTime, PlateAction, RunPhase, plates_for, run_phase
from openhcs_gui_services.widgets.plates.stop_question import StopAnswer, StopQuestion
from zmqruntime.execution import AxisProgress, AxisState


class SilentHost:
    """Has plates, and does nothing with them."""

    def __init__(self, *states: PlateStatus) -> None:
        self.kept = {
            f"/{number}": PlateRow(f"/{number}", f"plate {number}", PlateSnapshot(state), "id", output="/results")
            for number, state in enumerate(states)
        }
        self.told: list[Callable[[WorkspaceEvent], None]] = []

    def subscribe(self, callback: Callable[[WorkspaceEvent], None]) -> Callable[[], None]:
        self.told.append(callback)
        return lambda: self.told.remove(callback)

    def rows(self) -> Sequence[PlateRow]:
        return list(self.kept.values())

    def wells(self, path: str) -> Sequence[AxisProgress]:
        return [AxisProgress("A01", AxisState.RUNNING, "Segment", 1, 3), AxisProgress("A02", AxisState.WAITING)]

    async def nothing(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody asked for this")

    add = remove = initialise = compile = run = resume = stop = stop_after_wells = cancel_well = nothing

    def turn(self, path: str, state: PlateStatus) -> None:
        old = self.kept[path]
        self.kept[path] = PlateRow(path, old.name, PlateSnapshot(state), old.execution_id, output=old.output)
        for tell in self.told:
            tell(PlatesChanged((self.kept[path],)))


@pytest.mark.parametrize(
    ("states", "stop_asked", "kill_asked", "expected"),
    [
        ([], False, False, RunPhase.IDLE),
        ([PlateStatus.READY, PlateStatus.COMPLETE, PlateStatus.FAILED], True, True, RunPhase.IDLE),
        ([PlateStatus.QUEUED], False, False, RunPhase.AT_WORK),
        ([PlateStatus.CANCELLING, PlateStatus.RUNNING], False, False, RunPhase.AT_WORK),
        ([PlateStatus.CANCELLING], False, False, RunPhase.STOPPING),
        ([PlateStatus.RUNNING], True, False, RunPhase.STOPPING),
        ([PlateStatus.RUNNING], True, True, RunPhase.KILLING),
    ],
)
def test_run_stop_force_kill_follow_each_other(
    states: list[PlateStatus], stop_asked: bool, kill_asked: bool, expected: RunPhase
) -> None:
    assert run_phase(states, stop_asked, kill_asked) is expected


@pytest.mark.parametrize(("action", "state"), list(product(PlateAction, PlateStatus)))
def test_nothing_is_offered_for_a_plate_that_is_at_work(action: PlateAction, state: PlateStatus) -> None:
    row = PlateRow("/p", "p", PlateSnapshot(state), execution_id="id")
    at_work = run_phase([state], False, False) is not RunPhase.IDLE
    assert not (at_work and plates_for(action, [row]))
    if action is PlateAction.RESUME:
        resumable = state in (PlateStatus.FAILED, PlateStatus.CANCELLED, PlateStatus.INTERRUPTED)
        assert bool(plates_for(action, [row])) == resumable


def test_the_work_that_would_be_lost_is_that_of_the_wells_that_run() -> None:
    now = 0.0
    clock = BusyTime(lambda: now)
    clock.apply("/p", [AxisProgress("A01", AxisState.RUNNING), AxisProgress("A02", AxisState.WAITING)])
    now = 100.0
    clock.apply("/p", [AxisProgress("A01", AxisState.RUNNING), AxisProgress("A02", AxisState.RUNNING)])
    now = 160.0
    assert (clock.wells, clock.seconds) == (2, 220.0)
    clock.apply("/p", [AxisProgress("A01", AxisState.COMPLETE)])
    assert (clock.wells, clock.seconds) == (1, 60.0)
    clock.forget("/p")
    assert clock.seconds == 0


@pytest.fixture
def host() -> SilentHost:
    return SilentHost(PlateStatus.READY, PlateStatus.FAILED)


@pytest.fixture
def manager(host: SilentHost, qtbot: QtBot) -> PlateManagerWidget:
    made = PlateManagerWidget(host)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    return made


def offered(manager: PlateManagerWidget) -> set[str]:
    return {action.text().replace("&", "") for action in manager.actions_.all if action.isEnabled()}


def test_what_is_offered_follows_selection_and_states(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    assert offered(manager) == {"Add", "Init", "Compile", "Run", "Resume", "View", "Open results", "Report"}
    manager.table.select_paths(["/0"])
    assert offered(manager) == {"Add", "Init", "Compile", "Run", "Remove", "View", "Open results", "Report"}
    host.turn("/0", PlateStatus.RUNNING)
    qtbot.waitUntil(lambda: "Stop" in offered(manager), timeout=5000)
    assert offered(manager) == {"Add", "Stop", "View", "Open results"}
    host.turn("/0", PlateStatus.CANCELLING)
    qtbot.waitUntil(lambda: "Force Kill" in offered(manager), timeout=5000)
    host.turn("/0", PlateStatus.CANCELLED)
    qtbot.waitUntil(lambda: "Run" in offered(manager), timeout=5000)
    assert manager.phase is RunPhase.IDLE


def test_every_action_has_a_shortcut_that_its_tooltip_names_and_no_two_the_same(manager: PlateManagerWidget) -> None:
    keys = [action.shortcut().toString() for action in manager.actions_.all]
    assert all(keys)
    assert len(set(keys)) == len(keys)
    assert all(action.shortcut().toString() in action.toolTip() for action in manager.actions_.all)
    mnemonics = [action.text().partition("&")[2][:1].lower() for action in manager.actions_.all]
    assert all(mnemonics)


def test_the_map_shows_the_current_plate_and_follows_its_wells(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    manager.table.select_paths(["/0"])
    assert manager.map.well("A01") is not None
    manager.map.select("A01")
    assert manager.details._title.text() == "Well A01: running"
    for tell in host.told:
        tell(WellsChanged("/0", (AxisProgress("A01", AxisState.FAILED, "Segment", 1, 3, error="no such image"),)))
        tell(WellsChanged("/1", (AxisProgress("A02", AxisState.FAILED),)))
    qtbot.waitUntil(lambda: manager.details._title.text() == "Well A01: failed", timeout=5000)
    well = manager.map.well("A02")
    assert well is not None
    assert well.state is AxisState.WAITING
    with qtbot.waitSignal(manager.log_wanted) as wanted:
        manager.details._log.click()
    assert wanted.args == ["/0", "A01"]


def test_a_plate_that_was_removed_is_gone(manager: PlateManagerWidget, host: SilentHost) -> None:
    manager.table.select_paths(["/0"])
    del host.kept["/0"]
    for tell in host.told:
        tell(PlatesRemoved(("/0",)))
    assert manager.table.plates.rowCount() == 1
    assert manager.current is None or manager.current.path == "/1"


def test_a_lost_server_is_said(manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot) -> None:
    with qtbot.waitSignal(manager.server_changed) as changed:
        host.told[0](ServerStateChanged(ServerState.LOST, "no answer for 2 s"))
    assert changed.args == [ServerState.LOST, "no answer for 2 s"]
    assert manager._parts._message.text() == "no answer for 2 s"


def test_folders_can_be_dropped(manager: PlateManagerWidget, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Sequence[str]] = []
    monkeypatch.setattr(manager, "add_plates", added.append)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/data/plate"), QUrl("https://example.org/x")])
    nothing = (Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, *nothing)
    manager.dropEvent(event)
    assert added == [["/data/plate"]]
    assert event.isAccepted()


@pytest.mark.parametrize(
    ("kills", "text", "expected"),
    [
        (False, "Stop after these wells", StopAnswer.AFTER_WELLS),
        (False, "Stop now", StopAnswer.NOW),
        (False, "Keep running", StopAnswer.KEEP_RUNNING),
        (True, "Force Kill", StopAnswer.KILL),
        (True, "Wait", StopAnswer.KEEP_RUNNING),
    ],
)
def test_the_question_gives_what_was_chosen(qtbot: QtBot, kills: bool, text: str, expected: StopAnswer) -> None:
    question = StopQuestion(4, 1900, kills=kills)
    qtbot.addWidget(question)
    question.open()
    button = next(button for button in question.buttons() if button.text().replace("&", "") == text)
    with qtbot.waitSignal(question.answered) as answered:
        button.click()
    assert answered.args == [expected]
    assert "31 min 40 s" in question.informativeText()


def test_escape_keeps_everything_running(qtbot: QtBot) -> None:
    question = StopQuestion(1, 600, kills=False)
    qtbot.addWidget(question)
    question.open()
    with qtbot.waitSignal(question.answered) as answered:
        question.reject()
    assert answered.args == [StopAnswer.KEEP_RUNNING]


def test_a_widget_that_was_closed_hears_nothing_more(host: SilentHost, qtbot: QtBot) -> None:
    manager = PlateManagerWidget(host)
    qtbot.addWidget(manager)
    assert len(host.told) == 1
    asyncio.run(manager.close_host_calls())
    assert host.told == []


def test_columns_and_dividers_come_back(manager: PlateManagerWidget, qtbot: QtBot) -> None:
    header = manager.table.horizontalHeader()
    assert header is not None
    header.resizeSection(0, 333)
    saved = manager.save_state()
    again = PlateManagerWidget(SilentHost())
    qtbot.addWidget(again)
    again.restore_state(saved)
    restored = again.table.horizontalHeader()
    assert restored is not None
    assert restored.sectionSize(0) == 333
    again.restore_state("no such thing")


def test_icons_follow_the_palette(manager: PlateManagerWidget) -> None:
    def picture(action: QAction) -> object:
        return action.icon().pixmap(32, 32).toImage()

    before = picture(manager.actions_.add)
    palette = manager.palette()
    palette.setColor(palette.ColorRole.ButtonText, Qt.GlobalColor.yellow)
    manager.setPalette(palette)
    QApplication.processEvents()
    assert picture(manager.actions_.add) != before
