"""From the empty window to a counted plate in colours and the image of a well, with clicks on the screen."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QPoint, QSettings, Qt, QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QToolButton, QWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import ImagesPane, MainWindow
from openhcs_gui_services.services.plates.values import BatchEnded, WorkspaceEvent
from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.window import welcome_link
from openhcs_gui_services.window.panes import IMAGES, WindowPanes
from openhcs_runtime import open_results
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.service.client import ZMQExecutionClient

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT = 7897
SECONDS = 90


@pytest.fixture
def server_ends(no_leaks: None, isolated_home: Path) -> Iterator[None]:
    """The server that the window starts is stopped after the test."""
    yield
    client = ZMQExecutionClient(PORT, persistent=True)
    client.connect()
    client.shutdown_server()
    client.disconnect()


async def click(window: MainWindow, widget: QWidget, place: QPoint | None = None) -> None:
    """Click where the widget is in the window, as the mouse does: what lies over it would get the click."""
    clicked = asyncio.Event()

    def press() -> None:
        handle = window.windowHandle()
        assert handle is not None
        at = widget.mapTo(window, widget.rect().center() if place is None else place)
        QTest.mouseClick(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)  # type: ignore[call-overload]
        clicked.set()

    QTimer.singleShot(0, press)  # it handles other events meanwhile, which can't be done within a task
    await asyncio.wait_for(clicked.wait(), SECONDS)


@pytest.mark.usefixtures("server_ends")
def test_two_clicks_to_a_counted_plate_and_a_third_to_a_well(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "example"
    monkeypatch.setattr(welcome_link, "example_folder", lambda: folder)
    monkeypatch.setattr(welcome_link, "_SIZE", 128)
    monkeypatch.setattr(welcome_link, "_WELLS", 3)
    store = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)

    async def scene() -> None:
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory", default_pipeline=builtin_source())
        window = MainWindow(workspace, store, WindowPanes(workspace, store, None, PORT))
        qtbot.addWidget(window)
        window.resize(1000, 760)
        told = asyncio.Event()
        events: list[WorkspaceEvent] = []
        colours: list[WellColours] = []
        workspace.subscribe(events.append)
        workspace.subscribe(lambda _: told.set())
        window.manager.map.values_changed.connect(colours.append)
        window.manager.map.values_changed.connect(lambda _: told.set())

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    told.clear()
                    await told.wait()

        used = asyncio.Event()
        window.usable.connect(used.set)
        window.show()
        await asyncio.wait_for(used.wait(), SECONDS)
        await click(window, window.welcome.example)
        await until(lambda: bool(workspace.wells(str(folder))) and not workspace.is_busy(str(folder)))
        images = window.show_pane(IMAGES)
        assert isinstance(images, ImagesPane)
        images.place_changed.connect(lambda _: told.set())
        window.manager.actions_.run.changed.connect(told.set)
        await until(window.manager.actions_.run.isEnabled)
        run = next(
            each for each in window.findChildren(QToolButton) if each.defaultAction() is window.manager.actions_.run
        )
        await click(window, run, QPoint(12, run.height() // 2))  # not its arrow, which opens a menu
        await until(lambda: any(isinstance(event, BatchEnded) for event in events))
        assert window.manager.map.look is MapLook.VALUES
        await until(lambda: bool(colours and colours[-1] is not None and len(colours[-1].values) == 3))
        rows = open_results(folder).arrow("wells", ["well", "nuclei_count"]).to_pylist()
        assert colours[-1].values == {row["well"]: row["nuclei_count"] for row in rows}
        assert sum(colours[-1].values.values()) > 0
        await click(window, window.manager.map, window.manager.map.rect_of("A02").center())
        await until(lambda: images.place is not None and images.place.well == "A02")
        window.close()
        await window.end()
        await workspace.close()

    qt_loop.run_until_complete(scene())
