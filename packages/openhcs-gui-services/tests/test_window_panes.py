"""The window with its panes on a real server: results in a viewer, logs, settings."""

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import qasync  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PyQt6.QtCore import QSettings, pyqtBoundSignal
from PyQt6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from openhcs_gui_services import HistoryView, LogView, MainWindow, PipelinePane, ServerBrowserWidget, SettingsDialog
from openhcs_gui_services.services import PlateStatus
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.services.settings import WindowSettings
from openhcs_gui_services.widgets.log.model import LogColumn
from openhcs_gui_services.widgets.settings.dialog import load_settings, save_settings
from openhcs_gui_services.window.panes import HISTORY, LOG, PIPELINE, SERVERS, WindowPanes
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime import PongResponse, get_ipc_socket_path
from zmqruntime.streaming import Position, StreamingVisualizerServer

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT, VIEWER_PORT = 7886, 7888
SECONDS = 60.0
CHATTY = """
import logging
from openhcs_runtime import FunctionStep

def tell(stack):
    logging.getLogger("chatty").warning("brightest pixel %d", stack.max())
    return stack

pipeline_steps = [FunctionStep(tell)]
"""


class Viewer(StreamingVisualizerServer):
    """Keeps which wells it has shown."""

    def __init__(self) -> None:
        super().__init__(VIEWER_PORT, config=OPENHCS_CONFIG)
        self.wells: set[str] = set()
        self.went_to: list[Position] = []
        self.changed = threading.Condition()

    def display_image(self, image_data: NDArray[Any], metadata: dict[str, Any]) -> None:
        assert np.asarray(image_data).size
        with self.changed:
            self.wells.add(metadata["position"]["well"])
            self.changed.notify_all()

    def navigate(self, position: Position) -> None:
        self.went_to.append(position)

    def wait_for(self, wells: set[str]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.wells == wells, SECONDS), f"it has shown {self.wells}"


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def server_ends(isolated_home: Path) -> Iterator[None]:
    """The server that the window starts is stopped after the test."""
    yield
    client = ZMQExecutionClient(PORT, persistent=True)
    client.connect()
    client.shutdown_server()
    client.disconnect()


Scene = Callable[[MainWindow, PlateWorkspace], Coroutine[None, None, None]]


@pytest.fixture
def play(qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, settings: QSettings) -> Callable[[Scene], None]:
    """Play a scene in a window that is ended afterwards."""

    async def in_window(scene: Scene) -> None:
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory", default_pipeline=CHATTY)
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        qtbot.addWidget(window)
        window.show()
        try:
            await scene(window, workspace)
        finally:
            await window.end()
            await workspace.close()

    return lambda scene: qt_loop.run_until_complete(in_window(scene))


async def until(condition: Callable[[], bool], *signals: pyqtBoundSignal) -> None:
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


def state_is(workspace: PlateWorkspace, state: PlateStatus) -> bool:
    return bool(workspace.rows()) and workspace.rows()[0].snapshot.state is state


def test_view_shows_the_results_and_the_log_what_was_said(
    server_ends: None, play: Callable[[Scene], None], settings: QSettings, tmp_path: Path
) -> None:
    plate = make_plate(tmp_path / "plate", wells=2, sites=1, channels=1, size=64)
    save_settings(settings, WindowSettings(viewer=f"fiji:{VIEWER_PORT}"))

    async def scene(window: MainWindow, workspace: PlateWorkspace) -> None:
        said: list[str] = []
        manager = window.manager
        manager.message.connect(lambda text, is_error: said.append(text))
        manager.add_plates([str(plate)])
        model = manager.table.plates
        await until(lambda: state_is(workspace, PlateStatus.READY), model.rowsInserted, model.dataChanged)
        await until(manager.actions_.run.isEnabled, manager.actions_.run.changed)
        manager.actions_.run.trigger()
        await until(lambda: state_is(workspace, PlateStatus.COMPLETE), model.dataChanged)
        await until(manager.actions_.view.isEnabled, manager.actions_.view.changed)
        with Viewer() as viewer:
            manager.actions_.view.trigger()
            await asyncio.to_thread(viewer.wait_for, {"A01", "A02"})
            viewer.wells.clear()
            manager.map.select("A02")
            manager.details.images_wanted.emit("A02")
            await asyncio.to_thread(viewer.wait_for, {"A02"})
            shown = f"of well A02 of plate in fiji:{VIEWER_PORT}"
            await until(lambda: any(shown in text for text in said), manager.message)
            assert [place["well"] for place in viewer.went_to] == ["A01", "A02"]
            assert all(
                place["plate"] == str(plate) and "plate_results" in str(place["run"]) for place in viewer.went_to
            )
        manager.log_wanted.emit(str(plate), "A02")
        log = window.pane(LOG)
        assert isinstance(log, LogView)
        await until(lambda: log.model.rowCount() > 0, log.model.rowsInserted, log.model.modelReset)
        rows = range(log.model.rowCount())
        assert {log.model.index(row, LogColumn.WELL).data() for row in rows} == {"A02"}

    play(scene)


def test_settings_are_kept_and_used(play: Callable[[Scene], None], settings: QSettings) -> None:
    async def scene(window: MainWindow, workspace: PlateWorkspace) -> None:
        window.settings_action.trigger()
        dialog = window.findChild(SettingsDialog)
        assert isinstance(dialog, SettingsDialog)
        chosen = WindowSettings(port=7889, workers=3)
        dialog.settings_accepted.emit(chosen)
        assert load_settings(settings) == chosen
        dialog.reject()

    play(scene)


def test_a_pipeline_that_no_plate_has_is_not_lost_by_closing(play: Callable[[Scene], None], tmp_path: Path) -> None:
    async def scene(window: MainWindow, workspace: PlateWorkspace) -> None:
        closed = asyncio.Event()
        window.closed.connect(closed.set)
        pane = window.show_pane(PIPELINE)
        assert isinstance(pane, PipelinePane)
        pane.editor.insertPlainText("# worth keeping\n")
        window.close()
        question = pane.findChild(QMessageBox)
        assert isinstance(question, QMessageBox)
        question.done(QMessageBox.StandardButton.Cancel)
        await asyncio.sleep(0)
        assert window.isVisible()
        assert not closed.is_set()
        window.manager.add_plates([str(tmp_path)])
        await until(lambda: bool(workspace.rows()), window.manager.table.plates.rowsInserted)
        assert "# worth keeping" in workspace.rows()[0].pipeline
        window.close()
        await asyncio.wait_for(closed.wait(), SECONDS)

    play(scene)


def connections_to(server: PongResponse) -> tuple[int, int]:
    """How many clients are connected to the control and to the data channel."""
    sockets = psutil.Process(server.pid).net_connections(kind="unix")
    paths = [str(get_ipc_socket_path(port, OPENHCS_CONFIG)) for port in (PORT + 1000, PORT)]
    control, data = (sum(str(each.laddr) == path for each in sockets) - 1 for path in paths)  # one of them listens
    return control, data


@pytest.mark.skipif(sys.platform != "linux", reason="counts the connections of socket files")
def test_a_window_with_all_panes_has_one_connection(server_ends: None, play: Callable[[Scene], None]) -> None:
    async def scene(window: MainWindow, workspace: PlateWorkspace) -> None:
        server = await workspace.connection.connect()
        for name in (PIPELINE, LOG, HISTORY, SERVERS):
            window.show_pane(name)
        history, servers = window.pane(HISTORY), window.pane(SERVERS)
        assert isinstance(history, HistoryView)
        assert isinstance(servers, ServerBrowserWidget)
        loaded = history.table.model()
        assert loaded is not None
        asked = asyncio.Event()
        loaded.modelReset.connect(asked.set)
        history.load()
        model = servers.tree.model()
        assert model is not None
        await until(lambda: model.rowCount() > 0, model.rowsInserted)
        await asyncio.wait_for(asked.wait(), SECONDS)
        assert connections_to(server) == (1, 1)
        io_threads = [thread.name for thread in threading.enumerate() if thread.name.endswith(f"-{PORT}")]
        assert len([name for name in io_threads if not name.startswith("callbacks")]) == 1

    play(scene)
