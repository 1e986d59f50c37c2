"""What surrounds the panes of the window: welcome, colours, the list of commands, and docks that come to the front."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, Qt, QTimer
from PyQt6.QtWidgets import QApplication, QDockWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow
from openhcs_gui_services.services.plates.values import PlatesAdded
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.common.colours import is_dark
from openhcs_gui_services.widgets.common.theme import Theme, apply_theme
from openhcs_gui_services.window import welcome_link
from openhcs_gui_services.window.command_palette import CommandPalette
from openhcs_gui_services.window.panes import LOG, PIPELINE, SERVERS, WindowPanes

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT = 7883


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


async def painted() -> None:
    """Wait until Qt has handled what it has now, such as new palettes and layouts."""
    for _ in range(5):
        done = asyncio.Event()
        QTimer.singleShot(0, done.set)
        await asyncio.wait_for(done.wait(), 30)


def in_window(
    qt_loop: qasync.QEventLoop,
    qtbot: QtBot,
    settings: QSettings,
    home: Path,
    scene: Callable[[MainWindow, PlateWorkspace], Coroutine[Any, Any, None]],
) -> None:
    async def show() -> None:
        workspace = PlateWorkspace(PORT, memory=home / "memory")
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        qtbot.addWidget(window)
        used = asyncio.Event()
        window.usable.connect(used.set)
        window.resize(780, 700)  # fits the screen of the offscreen platform
        window.show()
        await asyncio.wait_for(used.wait(), 30)
        try:
            await scene(window, workspace)
        finally:
            await window.end()
            await workspace.close()

    qt_loop.run_until_complete(show())


def test_without_plates_the_window_offers_an_example_which_is_recent_later(
    qt_loop: qasync.QEventLoop,
    qtbot: QtBot,
    settings: QSettings,
    isolated_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "example plate"
    monkeypatch.setattr(welcome_link, "example_folder", lambda: folder)
    monkeypatch.setattr(welcome_link, "_SIZE", 64)

    async def scene(window: MainWindow, workspace: PlateWorkspace) -> None:
        assert window.welcome.isVisible()
        assert not window.manager.isVisible()
        added = asyncio.Event()
        workspace.subscribe(lambda event: added.set() if isinstance(event, PlatesAdded) else None)
        qtbot.mouseClick(window.welcome.example, Qt.MouseButton.LeftButton)
        await asyncio.wait_for(added.wait(), 60)
        assert [row.path for row in workspace.rows()] == [str(folder)]
        assert window.manager.isVisible()
        assert not window.welcome.isVisible()
        async with asyncio.timeout(60):
            while workspace.is_busy(str(folder)) or not workspace.wells(str(folder)):
                await asyncio.sleep(0)
        await workspace.remove([str(folder)])
        assert window.welcome.isVisible()
        assert [button.text() for button in window.welcome.recent] == ["example plate"]
        qtbot.mouseClick(window.welcome.recent[0], Qt.MouseButton.LeftButton)
        async with asyncio.timeout(60):
            while not workspace.rows():
                await asyncio.sleep(0)

    in_window(qt_loop, qtbot, settings, isolated_home, scene)


def test_a_new_window_leaves_room_for_its_frame_and_a_long_name_keeps_its_end(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    workspace = PlateWorkspace(PORT, memory=isolated_home / "memory")
    window = MainWindow(workspace, settings)
    qtbot.addWidget(window)
    screen = window.screen()
    assert screen is not None
    assert window.height() <= screen.availableGeometry().height() - 40
    window.welcome.show_recent(["/data/Screen_2026-11-29_Wirkstoffbibliothek_Nachkontrolle_Wiederholung_03"])
    assert window.welcome.recent[0].text().endswith("_03")
    assert window.welcome.recent[0].minimumSizeHint().width() <= 480
    qt_loop.run_until_complete(window.end())
    qt_loop.run_until_complete(workspace.close())


def test_colours_are_chosen_and_come_back(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    async def choose(window: MainWindow, _: PlateWorkspace) -> None:
        palette = window.show_commands()
        qtbot.keyClicks(palette.typed, "colours dark")
        qtbot.keyClick(palette.typed, Qt.Key.Key_Return)
        await painted()
        assert is_dark(window.palette())
        window.close()

    async def find(window: MainWindow, _: PlateWorkspace) -> None:
        assert is_dark(window.palette())
        window.set_theme(Theme.LIGHT)
        await painted()
        assert not is_dark(window.palette())

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    try:
        in_window(qt_loop, qtbot, settings, isolated_home, choose)
        apply_theme(application, Theme.SYSTEM)
        in_window(qt_loop, qtbot, settings, isolated_home, find)
    finally:
        apply_theme(application, Theme.SYSTEM)


def test_a_command_is_found_by_its_words_and_run_with_the_keyboard(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    async def scene(window: MainWindow, _: PlateWorkspace) -> None:
        qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        palette = window.findChild(CommandPalette)
        if palette is None:  # without a window manager no window on X is active
            palette = window.show_commands()
        qtbot.keyClicks(palette.typed, "pane servers")
        shown = [palette.list.topLevelItem(at) for at in range(palette.list.topLevelItemCount())]
        assert [item.text(0) for item in shown if item is not None] == ["Servers"]
        qtbot.keyClick(palette.typed, Qt.Key.Key_Return)
        dock = window.findChild(QDockWidget, SERVERS)
        assert dock is not None
        assert dock.isVisible()
        again = window.show_commands()
        qtbot.keyClicks(again.typed, "no such thing")
        assert again.list.topLevelItemCount() == 0
        again.close()

    in_window(qt_loop, qtbot, settings, isolated_home, scene)


def test_the_key_of_a_pane_brings_it_to_the_front_and_then_hides_it(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, settings: QSettings, isolated_home: Path
) -> None:
    async def scene(window: MainWindow, _: PlateWorkspace) -> None:
        actions = {action.text(): action for action in window.pane_actions}
        window.show_pane(LOG)
        await painted()
        before = window.welcome.geometry()
        actions["Servers"].trigger()
        await painted()
        servers, log = window.findChild(QDockWidget, SERVERS), window.findChild(QDockWidget, LOG)
        assert servers is not None
        assert log is not None
        assert not servers.visibleRegion().isEmpty()
        assert log.visibleRegion().isEmpty()
        assert actions["Servers"].isChecked()
        assert not actions["Log"].isChecked()
        assert window.welcome.geometry() == before, "opening a pane in the same place moves nothing"
        actions["Servers"].trigger()
        await painted()
        assert not servers.isVisible()
        assert window.pane(PIPELINE) is window.pane(PIPELINE)

    in_window(qt_loop, qtbot, settings, isolated_home, scene)
