"""The plate manager with a real server and a real plate."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import Qt, pyqtBoundSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import ServerState
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets import PlateColumn, PlateManagerWidget
from openhcs_gui_services.widgets.plates.run_phase import RunPhase
from openhcs_gui_services.widgets.plates.stop_question import StopAnswer, StopQuestion
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.testing import Gate
from zmqruntime.execution import AxisState

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT = 7881
SECONDS = 60.0
QUICK = """
from openhcs_runtime import FunctionStep

def same(stack):
    return stack

pipeline_steps = [FunctionStep(same, materialize=False)]
"""


@dataclass
class Desk:
    """A plate manager with its workspace, and what it has said."""

    workspace: PlateWorkspace
    manager: PlateManagerWidget
    messages: list[str] = field(default_factory=list)
    server: list[ServerState] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for events until it is so."""
        changed = asyncio.Event()
        leave = self.workspace.subscribe(lambda event: changed.set())
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            pytest.fail(f"{what} never came; plates {[row.snapshot for row in self.workspace.rows()]}, {self.messages}")
        finally:
            leave()

    async def reach(self, *states: PlateStatus) -> None:
        """Wait until the plates are in these states."""
        await self.until(lambda: self.states() == list(states), f"{states}")

    def states(self) -> list[PlateStatus]:
        return [row.snapshot.state for row in self.workspace.rows()]

    def shown(self, column: PlateColumn, row: int = 0) -> str:
        plates = self.manager.table.plates
        return str(plates.data(plates.index(row, column)))

    def click(self, qtbot: QtBot, action: QAction) -> None:
        """Click the button of an action with the mouse."""
        [button] = [found for found in self.manager.findChildren(QToolButton) if found.defaultAction() is action]
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    """A plate of this test's own, so that its results are, too."""
    return make_plate(tmp_path / "plate", wells=3, sites=1, channels=1, size=64)


@pytest.fixture
def server_ends(isolated_home: Path) -> Iterator[None]:
    """The server that the window starts is stopped after the test."""
    yield
    client = ZMQExecutionClient(PORT, persistent=True)
    client.connect()
    client.shutdown_server()
    client.disconnect()


Scene = Callable[[Desk], Coroutine[None, None, None]]


@pytest.fixture
def play(qt_loop: qasync.QEventLoop, qtbot: QtBot, server_ends: None, isolated_home: Path) -> Callable[[Scene], None]:
    """Play a scene at a desk that is closed afterwards."""

    async def at_desk(scene: Scene) -> None:
        desk = open_desk(qtbot, isolated_home / "memory")
        try:
            await scene(desk)
        finally:
            await close_desk(desk)

    return lambda scene: qt_loop.run_until_complete(at_desk(scene))


def open_desk(qtbot: QtBot, memory: Path, ask_from_seconds: float = 300.0) -> Desk:
    workspace = PlateWorkspace(PORT, memory=memory, default_pipeline=builtin_source())
    manager = PlateManagerWidget(workspace, ask_from_seconds=ask_from_seconds)
    qtbot.addWidget(manager)
    manager.resize(1100, 700)
    manager.show()
    desk = Desk(workspace, manager)
    manager.message.connect(lambda text, is_error: desk.messages.append(text))
    manager.server_changed.connect(lambda state, text: desk.server.append(state))
    return desk


async def close_desk(desk: Desk) -> None:
    await desk.manager.close_host_calls()
    await desk.workspace.close()


def test_add_init_compile_run_by_clicks(play: Callable[[Scene], None], plate: Path, qtbot: QtBot) -> None:
    async def scene(desk: Desk) -> None:
        manager = desk.manager
        manager.add_plates([str(plate)])
        await desk.reach(PlateStatus.READY)
        assert desk.shown(PlateColumn.PLATE) == "plate"
        assert desk.shown(PlateColumn.WELLS) == "3"
        assert manager.current is not None
        assert manager.map.well("A01") is not None
        await press(manager.actions_.compile)
        await desk.reach(PlateStatus.COMPILED)
        await manager_offers(desk, manager.actions_.run)
        assert manager.actions_.run.iconText() == "Run plate"
        assert any("plate checked: 3 wells, 4 steps" in text for text in desk.messages)
        assert not plate.with_name("plate_results").exists()  # a check writes nothing
        desk.click(qtbot, manager.actions_.run)
        await desk.until(lambda: manager.phase is RunPhase.AT_WORK, "work")
        await desk.reach(PlateStatus.COMPLETE)
        assert desk.shown(PlateColumn.STATE) == "Complete"
        assert manager.table.plates.presentation_at(0).tone is Tone.GOOD
        for axis_id in ("A01", "A02", "A03"):
            well = manager.map.well(axis_id)
            assert well is not None
            assert well.state is AxisState.COMPLETE
        assert manager.phase is RunPhase.IDLE
        assert manager.current is not None
        assert manager.current.output is not None
        assert Path(manager.current.output, "measurements.csv").is_file()

    play(scene)


def test_stop_is_seen_at_once_and_resume_does_the_rest(
    play: Callable[[Scene], None], plate: Path, gate: Gate, qtbot: QtBot
) -> None:
    async def scene(desk: Desk) -> None:
        await run_to_gate(desk, plate, gate, gate.pipeline)
        actions = desk.manager.actions_
        desk.click(qtbot, actions.stop)
        assert desk.manager._parts.messages.text() == "Stopping plate"
        await manager_offers(desk, actions.kill)
        assert not actions.stop.isEnabled()  # a second click at the same place does nothing
        await desk.reach(PlateStatus.CANCELLED)
        gate.open()
        await manager_offers(desk, actions.run)
        await press(desk.manager.actions_.resume)
        await desk.reach(PlateStatus.COMPLETE)

    play(scene)


def test_force_kill_ends_what_hears_no_stop(
    play: Callable[[Scene], None], plate: Path, gate: Gate, qtbot: QtBot
) -> None:
    async def scene(desk: Desk) -> None:
        await run_to_gate(desk, plate, gate, gate.deaf_pipeline)
        desk.click(qtbot, desk.manager.actions_.stop)
        await desk.reach(PlateStatus.CANCELLING)
        desk.manager._commands._offer_kill()  # as after a stop that takes long
        bar = desk.manager._parts.messages
        assert "has not stopped yet" in bar.text()
        qtbot.mouseClick(bar._offer, Qt.MouseButton.LeftButton)
        question = desk.manager.findChild(StopQuestion)
        assert isinstance(question, StopQuestion)
        assert "being worked on" in question.informativeText()
        button = next(button for button in question.buttons() if button.text().replace("&", "") == "Force stop")
        button.click()
        await desk.reach(PlateStatus.CANCELLED)

    play(scene)


def test_a_long_run_is_asked_for_and_ends_after_its_wells(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, server_ends: None, isolated_home: Path, plate: Path, gate: Gate
) -> None:
    async def scene() -> None:
        desk = open_desk(qtbot, isolated_home / "memory", ask_from_seconds=-1.0)
        try:
            await run_to_gate(desk, plate, gate, gate.pipeline)
            await press(desk.manager.actions_.stop)
            question = desk.manager.findChild(StopQuestion)
            assert isinstance(question, StopQuestion)
            default = question.defaultButton()
            assert default is not None
            assert default.text().startswith("Stop after")
            with qtbot.waitSignal(question.answered) as answered:
                default.click()
            assert answered.args == [StopAnswer.AFTER_WELLS]
            await desk.reach(PlateStatus.CANCELLING)
            gate.open()
            await desk.until(lambda: desk.manager.phase is RunPhase.IDLE, "the end")
            assert AxisState.COMPLETE in well_states(desk)
        finally:
            await close_desk(desk)

    qt_loop.run_until_complete(scene())


def test_a_killed_server_is_lost_and_no_cancel(play: Callable[[Scene], None], plate: Path, gate: Gate) -> None:
    async def scene(desk: Desk) -> None:
        await run_to_gate(desk, plate, gate, gate.pipeline)
        os.kill(await server_pid(), signal.SIGKILL)
        await desk.until(lambda: ServerState.LOST in desk.server, "the loss")
        assert PlateStatus.CANCELLED not in desk.states()
        await asyncio.to_thread(gate.wait_for_well)  # its successor goes on with the run
        gate.open()
        await desk.reach(PlateStatus.COMPLETE)

    play(scene)


def test_stop_in_one_window_stops_nothing_of_another(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, server_ends: None, isolated_home: Path, tmp_path: Path, gate: Gate
) -> None:
    plates = [make_plate(tmp_path / name, wells=2, sites=1, channels=1, size=64) for name in ("one", "two")]

    async def scene() -> None:
        desks = [open_desk(qtbot, isolated_home / f"memory{number}") for number in (1, 2)]
        try:
            for desk, plate in zip(desks, plates, strict=True):
                desk.workspace.default_pipeline = gate.pipeline.read_text(encoding="utf-8")
                desk.manager.add_plates([str(plate)])
                await desk.reach(PlateStatus.READY)
                await press(desk.manager.actions_.run)
            await asyncio.to_thread(gate.wait_for_well)
            settled = {PlateStatus.RUNNING, PlateStatus.QUEUED}
            await desks[0].until(lambda: {desk.states()[0] for desk in desks} == settled, "one running, one queued")
            by_state = {desk.states()[0]: desk for desk in desks}
            running, waiting = by_state[PlateStatus.RUNNING], by_state[PlateStatus.QUEUED]
            await press(waiting.manager.actions_.stop)
            await waiting.reach(PlateStatus.CANCELLED)
            assert running.states() == [PlateStatus.RUNNING]
            gate.open()
            await running.reach(PlateStatus.COMPLETE)
        finally:
            for desk in desks:
                await close_desk(desk)

    qt_loop.run_until_complete(scene())


def test_a_run_outlives_its_window_and_is_found_by_the_next_one(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, server_ends: None, isolated_home: Path, plate: Path, gate: Gate
) -> None:
    async def scene() -> None:
        first = open_desk(qtbot, isolated_home / "memory")
        try:
            await run_to_gate(first, plate, gate, gate.pipeline)
        finally:
            await close_desk(first)
        second = open_desk(qtbot, isolated_home / "memory")
        try:
            await second.workspace.reattach()
            await second.reach(PlateStatus.RUNNING)
            await manager_offers(second, second.manager.actions_.stop)
            gate.open()
            await second.reach(PlateStatus.COMPLETE)
            assert second.shown(PlateColumn.PLATE) == "plate"
        finally:
            await close_desk(second)

    qt_loop.run_until_complete(scene())


def test_a_plate_of_1536_wells_from_its_folder_to_its_end(
    play: Callable[[Scene], None], tmp_path: Path, qtbot: QtBot
) -> None:
    large = make_plate(tmp_path / "large", wells=1536, sites=1, channels=1, size=32)

    async def scene(desk: Desk) -> None:
        desk.workspace.default_pipeline = QUICK
        desk.manager.add_plates([str(large)])
        await desk.reach(PlateStatus.READY)
        assert desk.shown(PlateColumn.WELLS) == "1536"
        await press(desk.manager.actions_.run)
        await desk.reach(PlateStatus.COMPLETE)
        wells = [desk.manager.map.well(well.axis_id) for well in desk.workspace.wells(str(large))]
        assert len(wells) == 1536
        assert {well.state for well in wells if well is not None} == {AxisState.COMPLETE}
        assert desk.manager.map.well("AF48") is not None

    play(scene)


def test_one_well_is_cancelled_from_the_map(
    play: Callable[[Scene], None], plate: Path, gate: Gate, qtbot: QtBot
) -> None:
    async def scene(desk: Desk) -> None:
        await run_to_gate(desk, plate, gate, gate.pipeline)
        desk.manager.map.select("A03")
        qtbot.keyClick(desk.manager.map, Qt.Key.Key_Delete)
        await desk.until(lambda: any("A03" in text for text in desk.messages), "an answer")
        gate.open()
        await desk.until(lambda: desk.manager.phase is RunPhase.IDLE, "the end")
        ended = {well.axis_id: well.state for well in desk.workspace.wells(str(plate))}
        assert ended == {"A01": AxisState.COMPLETE, "A02": AxisState.COMPLETE, "A03": AxisState.CANCELLED}

    play(scene)


async def run_to_gate(desk: Desk, plate: Path, gate: Gate, pipeline: Path) -> None:
    """Run the plate until a well waits and the window says so."""
    desk.workspace.default_pipeline = pipeline.read_text(encoding="utf-8")
    desk.manager.add_plates([str(plate)])
    await desk.reach(PlateStatus.READY)
    await press(desk.manager.actions_.run)
    await asyncio.to_thread(gate.wait_for_well)
    await desk.until(lambda: AxisState.RUNNING in well_states(desk), "a running well")
    await manager_offers(desk, desk.manager.actions_.stop)


def well_states(desk: Desk) -> list[AxisState]:
    return [well.state for row in desk.workspace.rows() for well in desk.workspace.wells(row.path)]


async def manager_offers(desk: Desk, action: QAction) -> None:
    """Wait until an action can be taken; it is told once a frame."""
    await told(action.isEnabled, desk.manager.phase_changed, action.changed)


async def press(action: QAction) -> None:
    """Do what it stands for, as soon as that can be done."""
    await told(action.isEnabled, action.changed)
    action.trigger()


async def told(condition: Callable[[], bool], *signals: pyqtBoundSignal) -> None:
    """Wait until it is so, which one of the signals tells."""
    changed = asyncio.Event()
    connections = [(signal, signal.connect(lambda *_: changed.set())) for signal in signals]
    try:
        async with asyncio.timeout(SECONDS):
            while not condition():
                await changed.wait()
                changed.clear()
    finally:
        for signal, connection in connections:
            signal.disconnect(connection)


async def server_pid() -> int:
    client = ZMQExecutionClient(PORT, persistent=True)
    try:
        pong = await asyncio.to_thread(client.connect)
        assert psutil.pid_exists(pong.pid)
        return pong.pid
    finally:
        await asyncio.to_thread(client.disconnect)
