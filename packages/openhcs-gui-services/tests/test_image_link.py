"""The image view in the window: it follows the map, and shows wells that no run has finished."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings, Qt, pyqtBoundSignal
from pytestqt.qtbot import QtBot

from openhcs_gui_services import ImagePlace, ImagesPane, MainWindow
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.tuning.strip import TuningStrip
from openhcs_gui_services.window.panes import IMAGES, PIPELINE, WindowPanes
from openhcs_runtime.plates import make_plate

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PORT, SECONDS = 7893, 60.0
PATTERN = r"(?P<well>[A-Z]\d+)_(?P<site>\d)_(?P<channel>\d)\.tif"


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


async def shown(pane: ImagesPane, plate: Path, place: ImagePlace) -> None:
    """Wait until the pane shows this."""

    def is_shown() -> bool:
        picture, source = pane.view.picture, pane.source
        return picture is not None and picture.place == place and source is not None and source.path == str(plate)

    await until(is_shown, pane.view.loaded)


def show_side_by_side(window: MainWindow, pane: ImagesPane, qtbot: QtBot) -> None:
    """Put images and pipeline next to each other with the mouse, and back with a key, while the preview is on."""
    (strip,) = pane.findChildren(TuningStrip)
    strip.set_on(True)
    assert window.docks.are_tabs(IMAGES, PIPELINE)
    qtbot.mouseClick(strip.layout_button, Qt.MouseButton.LeftButton)
    assert not window.docks.are_tabs(IMAGES, PIPELINE)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(window, Qt.Key.Key_T, keys)
    assert window.docks.are_tabs(IMAGES, PIPELINE)
    strip.set_on(False)


def test_the_view_follows_the_map_and_shows_wells_before_a_run(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, tmp_path: Path
) -> None:
    first = make_plate(tmp_path / "first", wells=3, sites=1, channels=1, size=64)
    other = make_plate(tmp_path / "other", wells=2, sites=1, channels=1, size=64)
    for file in list(other.rglob("*.tif")):  # names that only a pattern reads
        well, site, channel = file.stem.split("_")[1:]
        file.rename(other / f"{well}_{site[1:]}_{channel[1:]}.tif")

    async def scene() -> None:
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory")
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        qtbot.addWidget(window)
        try:
            window.show()
            manager = window.manager
            pane = window.show_pane(IMAGES)
            assert isinstance(pane, ImagesPane)
            await workspace.add([first, other])
            await workspace.set_settings(RunSettings(pattern=PATTERN), [str(other)])
            await workspace.initialise([str(first), str(other)])
            await shown(pane, first, ImagePlace("A01"))
            manager.map.select("A03")
            await shown(pane, first, ImagePlace("A03"))
            pane.view.canvas.setFocus()
            qtbot.keyClick(pane.view.canvas, Qt.Key.Key_Left)
            assert manager.map.selected == "A02"
            await shown(pane, first, ImagePlace("A02"))
            (first / next(iter(first.rglob("*_A03_*.tif")))).unlink()
            read = asyncio.Event()
            workspace.subscribe(lambda _: read.set())
            manager.table.setFocus()
            qtbot.keyClick(manager.table, Qt.Key.Key_F5)
            await until(lambda: pane.plate is not None and "A03" not in pane.plate.wells, pane.view.loaded)
            async with asyncio.timeout(SECONDS):
                while workspace.rows()[0].well_count != 2:
                    await read.wait()
                    read.clear()
            window.resize(1300, 800)
            show_side_by_side(window, pane, qtbot)
            manager.images_wanted.emit(str(other), "A02")
            assert manager.current is not None
            assert manager.current.path == str(other)
            await shown(pane, other, ImagePlace("A02"))
            await workspace.remove([str(first), str(other)])
            assert pane.source is None
        finally:
            await window.end()
            await workspace.close()

    qt_loop.run_until_complete(scene())
