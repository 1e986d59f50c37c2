"""The window while its server is stopped: it says so, stays usable, and shows the end of the run once it goes on.

WINDOW_SILENCE_SECONDS sets for how long.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, QTimer
from PyQt6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow
from openhcs_gui_services.services import PlateStatus
from openhcs_gui_services.services.plates.values import ServerState, ServerStateChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.window.panes import HISTORY, LOG, SERVERS, WindowPanes
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.testing import Gate

pytestmark = [
    pytest.mark.usefixtures("no_leaks", "isolated_home"),
    pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP"),
    pytest.mark.timeout(240),
]

PORT = 7887
SECONDS = float(os.environ.get("WINDOW_SILENCE_SECONDS", "3"))


class Fluency:
    """The longest time for which Qt's loop did nothing else, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._seen_at = time.monotonic()
        self._timer = QTimer()
        self._timer.setInterval(5)
        self._timer.timeout.connect(self._look)
        self._timer.start()

    def _look(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, now - self._seen_at - 0.005)
        self._seen_at = now

    def stop(self) -> float:
        self._timer.stop()
        return self.longest


class Told:
    """What a workspace tells, to be waited for."""

    def __init__(self, workspace: PlateWorkspace) -> None:
        self.states: list[ServerState] = []
        self._changed = asyncio.Event()
        self.leave = workspace.subscribe(self._take)

    def _take(self, event: WorkspaceEvent) -> None:
        if isinstance(event, ServerStateChanged):
            self.states.append(event.state)
        self._changed.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60 + SECONDS):
            while not holds():
                self._changed.clear()
                await self._changed.wait()


@contextlib.contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def texts(window: MainWindow) -> str:
    bar = window.statusBar()
    assert bar is not None
    return " ".join(label.text() for label in bar.findChildren(QLabel))


def use(window: MainWindow, plate: str) -> None:
    """As somebody does who wants to know why nothing happens."""
    for name in (LOG, HISTORY, SERVERS):
        window.show_pane(name)
    manager = window.manager
    manager.table.select_paths([plate])
    manager.map.select("A02")
    manager.log_wanted.emit(plate, "A02")


async def silence(window: MainWindow, workspace: PlateWorkspace, plate: str, gate: Gate) -> None:
    """In the middle of a run."""
    told = Told(workspace)
    await workspace.add([plate])
    running = asyncio.create_task(workspace.run([plate]))
    await asyncio.to_thread(gate.wait_for_well)
    server = await asyncio.to_thread(server_process)
    use(window, plate)
    fluency = Fluency()
    with stopped(server):
        await told.until(lambda: ServerState.SILENT in told.states)
        use(window, plate)
        ends = time.monotonic() + SECONDS
        while (left := ends - time.monotonic()) > 0:
            assert "still waiting" in texts(window)
            await asyncio.sleep(min(0.5, left))  # the time that the server is silent
        use(window, plate)
    stall = fluency.stop()
    print(f"longest stall of the window: {1000 * stall:.0f} ms in {SECONDS:g} s")
    gate.open()
    await running
    assert workspace.rows()[0].snapshot.state is PlateStatus.COMPLETE
    await told.until(lambda: workspace.server_state is ServerState.CONNECTED)
    assert ServerState.LOST not in told.states
    assert "still waiting" not in texts(window)
    assert stall < SECONDS / 2
    told.leave()


def test_a_window_says_that_its_server_does_not_answer_and_stays_usable(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, tmp_path: Path, gate: Gate
) -> None:
    plate = str(make_plate(tmp_path / "plate", wells=3, sites=1, channels=1, size=64))
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)

    async def scene() -> None:
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory", default_pipeline=gate.pipeline.read_text())
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        qtbot.addWidget(window)
        window.show()
        try:
            await silence(window, workspace, plate, gate)
        finally:
            await window.end()
            await workspace.close()

    try:
        qt_loop.run_until_complete(scene())
    finally:
        with ZMQExecutionClient(PORT, persistent=True) as client:
            client.shutdown_server()


def server_process() -> psutil.Process:
    with ZMQExecutionClient(PORT, persistent=True) as client:
        return psutil.Process(client.server.pid)
