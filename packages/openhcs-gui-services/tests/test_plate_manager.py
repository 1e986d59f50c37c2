"""What the plate manager offers when; without a server, which its other tests have."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QMimeData, QPointF, Qt, QUrl
from PyQt6.QtGui import QAction, QDropEvent
from PyQt6.QtWidgets import QApplication, QMessageBox, QToolButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services import PlateSnapshot, PlateStatus
from openhcs_gui_services.services.plates.choice import ChosenPreview, WellChoice
from openhcs_gui_services.services.plates.values import (
    BatchChanged,
    BatchEnd,
    BatchEnded,
    BatchState,
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    PlatesRemoved,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WellsChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.widgets import PlateManagerWidget
from openhcs_gui_services.widgets.plates.add_plates import FoundPlatesDialog
from openhcs_gui_services.widgets.plates.choose_wells import ChooseWellsDialog
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
def test_the_phase_follows_the_plates_and_the_stop(
    states: list[PlateStatus], stop_asked: bool, kill_asked: bool, expected: RunPhase
) -> None:
    assert run_phase(states, stop_asked, kill_asked) is expected


@pytest.mark.parametrize(("action", "state"), list(product(PlateAction, PlateStatus)))
def test_what_a_plate_at_work_allows_is_stopping_it(action: PlateAction, state: PlateStatus) -> None:
    row = PlateRow("/p", "p", PlateSnapshot(state), execution_id="id")
    at_work = run_phase([state], False, False) is not RunPhase.IDLE
    if action in (PlateAction.STOP, PlateAction.KILL):
        is_stopping = state is PlateStatus.CANCELLING
        assert bool(plates_for(action, [row])) == (at_work and (action is PlateAction.KILL) == is_stopping)
    else:
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


RESULTS = {"View", "Open results", "Report"}


def test_what_is_offered_names_the_outlined_plate_or_the_selected_ones(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    assert manager.current is not None
    assert manager.current.path == "/0"  # outlined, but not selected
    of_one = {"Remove plate 0", "Read plate 0", "Check plate 0", "Run plate 0"}
    assert offered(manager) == {"Add", "Run all 2 plates...", *of_one, *RESULTS}
    assert "Run plate 0" in manager.actions_.run.toolTip()
    manager.table.select_paths(["/0", "/1"])
    of_both = {"Remove 2 plates", "Read 2 plates", "Check 2 plates", "Run 2 plates", "Resume plate 1"}
    assert offered(manager) == {"Add", "Run all 2 plates...", *of_both, *RESULTS}
    host.turn("/0", PlateStatus.RUNNING)
    qtbot.waitUntil(lambda: "Stop plate 0" in offered(manager), timeout=5000)
    # The idle plate can join what runs.
    of_idle = {"Remove plate 1", "Read plate 1", "Check plate 1", "Run plate 1", "Resume plate 1"}
    assert offered(manager) == {"Add", "Run all", "Stop plate 0", "Stop all of them", *of_idle, *RESULTS}
    manager.table.select_paths(["/1"])
    assert not manager.actions_.stop.isEnabled()  # it would stop a plate that is not selected
    manager.table.select_paths(["/0"])
    host.turn("/0", PlateStatus.CANCELLING)
    qtbot.waitUntil(lambda: "Force stop plate 0..." in offered(manager), timeout=5000)
    assert not manager.actions_.run.isEnabled()
    host.turn("/0", PlateStatus.CANCELLED)
    qtbot.waitUntil(lambda: "Run plate 0" in offered(manager), timeout=5000)
    assert manager.phase is RunPhase.IDLE


def test_force_stop_is_not_offered_again_to_a_user_who_waits(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    commands, messages = manager._commands, manager._parts.messages
    host.turn("/0", PlateStatus.CANCELLING)
    qtbot.waitUntil(lambda: "Force stop plate 0..." in offered(manager), timeout=5000)
    commands._offer_kill()
    assert "has not stopped yet" in messages.text()
    commands.kill()
    question = manager.findChild(StopQuestion)
    assert question is not None
    question.reject()
    messages.forget()
    commands._offer_kill()
    assert messages.text() == ""


def test_a_hidden_plate_is_neither_shown_nor_acted_on(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    manager.table.select_paths(["/0"])
    with qtbot.waitSignal(manager.current_changed) as changed:
        qtbot.keyClicks(manager._parts.filter, "/1")
    assert changed.args == ["/1"]
    assert manager.current is not None
    assert manager.current.path == "/1"
    assert [row.path for row in manager._commands.chosen()] == ["/1"]
    assert "Run all" in offered(manager)  # which is one plate now
    qtbot.keyClicks(manager._parts.filter, "x")
    assert manager.current is None
    assert offered(manager) == {"Add"}
    qtbot.keyClick(manager._parts.filter, Qt.Key.Key_Escape)
    assert manager.table.plates.rowCount() == 2


@pytest.mark.parametrize("width", [470, 550, 860, 1280, 2000])
def test_run_and_stop_keep_their_places_and_texts_at_every_width(manager: PlateManagerWidget, width: int) -> None:
    manager.resize(width, 600)
    QApplication.processEvents()
    bar = manager._parts.buttons
    for button in (bar.run_button, bar.stop_button):
        assert button.isVisible()
        assert button.toolButtonStyle() == Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        assert button.fontMetrics().horizontalAdvance(button.text()) < button.width()
    places = bar.run_button.geometry(), bar.stop_button.geometry()
    manager.table.select_paths(["/0", "/1"])
    QApplication.processEvents()
    assert (bar.run_button.geometry(), bar.stop_button.geometry()) == places
    visible = [button for button in bar.findChildren(QToolButton) if button.isVisible()]
    assert all(button.geometry().right() <= bar.width() for button in visible)
    assert bar.geometry().right() <= manager.width()


def test_a_message_goes_when_its_cause_goes(manager: PlateManagerWidget, host: SilentHost) -> None:
    bar, tell = manager._parts.messages, host.told[0]
    tell(StatusMessage("plate 1 failed", True, "/1"))
    assert bar.text() == "plate 1 failed"
    host.turn("/1", PlateStatus.READY)  # its pipeline was corrected
    assert bar.text() == ""
    manager.table.select_paths(["/0"])
    manager.show_message("no viewer", True)
    manager.table.select_paths(["/1"])
    assert bar.text() == ""  # the error of one plate is not under the map of another
    tell(ServerStateChanged(ServerState.LOST, "no answer"))
    tell(StatusMessage("plate 0 complete"))
    assert bar.text() == "no answer"
    tell(ServerStateChanged(ServerState.CONNECTED, ""))
    assert bar.text() == "plate 0 complete"


def test_the_progress_and_the_end_of_all_plates_are_said(
    manager: PlateManagerWidget, host: SilentHost, qtbot: QtBot
) -> None:
    host.told[0](BatchChanged(BatchState(5, 1, 120, 41, 700.0)))
    assert manager._parts.messages.batch_text() == "plate 2 of 5, 41 of 120 wells, about 12 min left"
    end = BatchEnd(("plate 0",), 22, {"plate 0": ("A05",)}, ("plate 0",), 60.0)
    with qtbot.waitSignal(manager.batch_ended) as ended:
        host.told[0](BatchEnded(end))
    assert ended.args == [end]
    host.told[0](BatchChanged(None))
    assert manager._parts.messages.batch_text() == ""


def test_the_current_well_is_told_and_can_be_set(manager: PlateManagerWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(manager.well_changed, check_params_cb=lambda *place: place == ("/1", "A02")):
        manager.select_well("/1", "A02")
    assert manager.current is not None
    assert (manager.current.path, manager.map.selected) == ("/1", "A02")


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
    assert manager._parts.messages.text() == "no answer for 2 s"


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
        (True, "Force stop", StopAnswer.KILL),
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


class FullHost(SilentHost):
    """Notes what it is asked for, and can do all that a workspace can."""

    def __init__(self, *states: PlateStatus) -> None:
        super().__init__(*states)
        self.asked: list[tuple[str, object]] = []
        self.removed: dict[str, PlateRow] = {}

    async def note(self, name: str, *what: object) -> None:
        self.asked.append((name, what))

    async def run(self, paths: Sequence[str]) -> None:  # type: ignore[override]
        await self.note("run", *paths)

    async def stop_plates(self, paths: Sequence[str], graceful: bool = True) -> None:
        await self.note("stop", *paths, graceful)

    async def stop_plates_after_wells(self, paths: Sequence[str]) -> None:
        await self.note("stop after wells", *paths)

    async def run_wells(self, path: str, choice: WellChoice) -> None:
        await self.note("run wells", path, choice)

    async def preview_wells(self, path: str, choice: WellChoice) -> ChosenPreview:
        return ChosenPreview(choice.wells, f"{len(choice.wells)} of 2 wells", bool(choice.wells))

    async def move_in_queue(self, path: str, place: int) -> None:
        await self.note("move", path, place)

    async def remove(self, paths: Sequence[str]) -> None:  # type: ignore[override]
        for path in paths:
            self.removed[path] = self.kept.pop(path)
        for tell in self.told:
            tell(PlatesRemoved(tuple(paths)))

    async def take_back(self) -> None:
        self.kept.update(self.removed)
        for tell in self.told:
            tell(PlatesAdded(tuple(self.removed.values())))

    def change(self, path: str, **values: Any) -> None:
        self.kept[path] = replace(self.kept[path], **values)
        for tell in self.told:
            tell(PlatesChanged((self.kept[path],)))


@pytest.fixture
def full(qt_loop: qasync.QEventLoop, qtbot: QtBot) -> Iterator[tuple[FullHost, PlateManagerWidget]]:
    host = FullHost(PlateStatus.READY, PlateStatus.QUEUED, PlateStatus.QUEUED)
    for path, place in (("/1", 1), ("/2", 2)):
        host.kept[path] = replace(host.kept[path], snapshot=PlateSnapshot(PlateStatus.QUEUED, queue_position=place))
    made = PlateManagerWidget(host)
    qtbot.addWidget(made)
    made.resize(1000, 700)
    made.show()
    yield host, made
    qt_loop.run_until_complete(made.close_host_calls())


async def turns() -> None:
    """Let what was started end; a host that only notes needs one turn for each call."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_pipeline_that_is_in_no_file_is_asked_for_before_its_plate_goes_and_comes_back(
    full: tuple[FullHost, PlateManagerWidget], qt_loop: qasync.QEventLoop, qtbot: QtBot
) -> None:
    host, manager = full

    async def scene() -> None:
        host.change("/0", pipeline="edited", is_pipeline_modified=True)
        manager.table.select_paths(["/0"])
        manager.actions_.remove.trigger()
        box = manager.findChild(QMessageBox)
        assert isinstance(box, QMessageBox)
        assert "saved in no file" in box.informativeText()
        next(button for button in box.buttons() if "Remove" in button.text()).click()
        await turns()
        assert "/0" not in host.kept
        qtbot.mouseClick(manager._parts.messages._offer, Qt.MouseButton.LeftButton)
        await turns()
        assert host.kept["/0"].pipeline == "edited"
        assert manager.table.selected_paths() == ["/0"]
        assert not manager.actions_.undo_remove.isEnabled()

    qt_loop.run_until_complete(scene())


def test_wells_of_the_map_are_run_and_the_rest_afterwards(
    full: tuple[FullHost, PlateManagerWidget], qt_loop: qasync.QEventLoop, qtbot: QtBot
) -> None:
    host, manager = full

    async def scene() -> None:
        manager.select_well("/0", "A02")
        manager._update_actions()
        assert manager.actions_.run_wells.text() == "Run 1 &well of plate 0"
        manager.actions_.run_wells.trigger()
        host.change("/0", rest=23)
        manager._update_actions()
        assert manager.actions_.run_rest.text() == "Run the res&t of plate 0 (23 wells)"
        manager.actions_.run_rest.trigger()
        await turns()
        assert host.asked == [("run wells", ("/0", WellChoice(wells=("A02",)))), ("run", ("/0",))]

    qt_loop.run_until_complete(scene())


def test_wells_can_be_chosen_in_a_dialog_that_says_which_they_are(
    full: tuple[FullHost, PlateManagerWidget], qt_loop: qasync.QEventLoop, qtbot: QtBot
) -> None:
    host, manager = full

    async def scene() -> None:
        manager.actions_.choose_wells.trigger()
        dialog = manager.findChild(ChooseWellsDialog)
        assert isinstance(dialog, ChooseWellsDialog)
        qtbot.keyClicks(dialog.wells, "A01, A02")
        qtbot.keyClicks(dialog.sites, "x")
        dialog._ask()
        assert "Sites are numbers" in dialog.found.text()
        assert not dialog.run_button.isEnabled()
        dialog.sites.clear()
        dialog._ask()
        await turns()
        assert dialog.run_button.text() == "&Run 2 wells"
        qtbot.mouseClick(dialog.run_button, Qt.MouseButton.LeftButton)
        await turns()
        assert host.asked == [("run wells", ("/0", WellChoice(wells=("A01", "A02"))))]

    qt_loop.run_until_complete(scene())


def test_waiting_plates_are_moved_and_taken_out(
    full: tuple[FullHost, PlateManagerWidget], qt_loop: qasync.QEventLoop, qtbot: QtBot
) -> None:
    host, manager = full

    async def scene() -> None:
        manager.table.select_paths(["/2"])
        assert manager.actions_.stop.iconText() == "Take out plate 2"
        is_seen = QApplication.platformName() == "offscreen"  # without a window manager no window on X has the keys
        if is_seen:
            qtbot.keyClick(manager.table, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
        manager.table.drop_on("/2", "/1")
        manager.table.drop_on("/2", "/0")  # it is not waiting, so it has no place in the queue
        manager.actions_.stop.trigger()
        await turns()
        moved = [("move", ("/2", 1))] * (2 if is_seen else 1)
        assert host.asked == [*moved, ("stop", ("/2", True))]

    qt_loop.run_until_complete(scene())


def test_running_all_names_the_number_and_asks(
    full: tuple[FullHost, PlateManagerWidget], qt_loop: qasync.QEventLoop, qtbot: QtBot
) -> None:
    host, manager = full

    async def scene() -> None:
        host.turn("/1", PlateStatus.COMPLETE)
        manager._update_actions()
        manager.actions_.run_all.trigger()
        box = manager.findChild(QMessageBox)
        assert isinstance(box, QMessageBox)
        assert box.text() == "Run 2 plates?"
        await turns()
        assert host.asked == []
        next(button for button in box.buttons() if "Run" in button.text()).click()
        await turns()
        assert host.asked == [("run", ("/0", "/1"))]

    qt_loop.run_until_complete(scene())


def test_a_folder_of_several_plates_offers_them(qtbot: QtBot) -> None:
    dialog = FoundPlatesDialog(["/screen/p1", "/screen/p2"])
    qtbot.addWidget(dialog)
    item = dialog.list.item(0)
    assert item is not None
    item.setCheckState(Qt.CheckState.Unchecked)
    assert dialog.add_button.text() == "&Add 1 plate"
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.add_button.click()
    assert chosen.args == [["/screen/p2"]]
