"""The map of a real plate: its pictures, what is in its wells, and the numbers of a well, as a user reaches them."""

import logging
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path

import numpy as np
import pytest
import qasync  # type: ignore[import-untyped]
import tifffile
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MapLook, PlateManagerWidget, PlateWorkspace
from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.thumbnails.cache import ThumbnailCache
from openhcs_gui_services.window.map_link import MapLink
from openhcs_runtime.plates import make_plate
from zmqruntime.testing import until

pytestmark = pytest.mark.usefixtures("no_leaks", "isolated_home")

PLATE_MAP = "well,compound,dose_um\nA01,DMSO,\nA02,aspirin,3\nA03,aspirin,10\nA04,,\n"


class Scene:
    """A plate manager with its link, and the plate that it shows."""

    def __init__(self, manager: PlateManagerWidget, workspace: PlateWorkspace, link: MapLink, folder: Path) -> None:
        self.manager, self.workspace, self.link = manager, workspace, link
        self.plate, self.cache = folder / "plate", folder / "cache"
        self.map, self.bar = manager.map, manager.map_bar

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition, which is looked at when the link has shown something."""
        await until(lambda: bool(condition()), self.link.shown.connect, self.map.wells_changed.connect)

    async def read(self) -> None:
        await self.workspace.initialise([str(self.plate)])
        await self.until(lambda: len(self.map.wells()) == 4)

    def choose_channel(self, number: int) -> None:
        """Choose from the list with the keys, as a user does."""
        box = self.bar._channels
        box.setFocus()
        while box.currentIndex() != number:
            QtBot.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < number else Qt.Key.Key_Up)

    def pictures(self) -> dict[str, object]:
        return {well: image.copy() for well, image in self.map._thumbnails.items()}


Play = Callable[[Callable[[Scene], Coroutine[None, None, None]]], None]


@pytest.fixture(scope="module")
def four_wells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_plate(tmp_path_factory.mktemp("plates") / "plate", wells=4, sites=2, channels=2, size=128)


@pytest.fixture
def play(qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, tmp_path: Path, four_wells: Path) -> Play:
    """Play a scene with a plate manager that is closed afterwards; no server is needed."""
    plate = tmp_path / "plate"
    shutil.copytree(four_wells, plate)
    (plate / "platemap.csv").write_text(PLATE_MAP)

    async def in_manager(scene: Callable[[Scene], Coroutine[None, None, None]]) -> None:
        workspace = PlateWorkspace(7997, memory=isolated_home / "memory")
        manager = PlateManagerWidget(workspace)
        qtbot.addWidget(manager)
        manager.resize(1000, 700)
        manager.show()
        tasks = BackgroundTasks(lambda text: manager.show_message(text, True))
        link = MapLink(manager, workspace, tasks, ThumbnailCache(tmp_path / "cache"))
        await workspace.add([str(plate)])
        made = Scene(manager, workspace, link, tmp_path)
        try:
            await made.read()
            await scene(made)
        finally:
            await tasks.close()
            await link.close()
            await manager.close_host_calls()
            await workspace.close()

    return lambda scene: qt_loop.run_until_complete(in_manager(scene))


def actions(menu: QMenu) -> dict[str, QAction]:
    return {action.text().replace("&", "").partition(" (")[0]: action for action in menu.actions()}


def test_the_pictures_of_a_plate_come_before_any_run_and_are_kept(
    play: Play, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(now: Scene) -> None:
        qtbot.keyClick(now.manager, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
        assert now.map.look is MapLook.IMAGES
        await now.until(lambda: len(now.pictures()) == 4 and list(now.cache.glob("*.thumbnails")))
        await now.until(lambda: "4 wells" not in now.map._caption)
        assert now.map._caption == "All channels, first site"
        (kept,) = now.cache.glob("*.thumbnails")
        in_colours = now.pictures()
        now.choose_channel(1)
        await now.until(lambda: now.map._caption.endswith("first site") and now.pictures()["A01"] != in_colours["A01"])
        now.choose_channel(0)
        await now.until(lambda: now.pictures() == in_colours)

        before = kept.stat().st_mtime_ns
        for image in now.plate.rglob("*_A03_s1_w1*.tif"):
            tifffile.imwrite(image, np.full((128, 128), 60000, np.uint16))
        await now.workspace.initialise([str(now.plate)])
        await now.until(lambda: now.pictures()["A03"] != in_colours["A03"])
        await now.until(lambda: kept.stat().st_mtime_ns != before)

        now.bar.set_look(MapLook.STATES)
        kept.write_bytes(kept.read_bytes()[:-50])
        now.map.clear_thumbnails()
        with caplog.at_level(logging.WARNING):
            now.bar.set_look(MapLook.IMAGES)
            await now.until(lambda: len(now.pictures()) == 4)
        assert "thumbnails are made again" in caplog.text

    play(scene)


def test_an_image_that_cannot_be_read_leaves_the_other_channels(play: Play) -> None:
    async def scene(now: Scene) -> None:
        for image in now.plate.rglob("*_A02_s1_w1*.tif"):
            image.write_bytes(image.read_bytes()[:300])
        now.bar.set_look(MapLook.IMAGES)
        await now.until(lambda: len(now.pictures()) == 4)
        now.choose_channel(1)
        await now.until(lambda: now.map._caption.startswith("DAPI") or now.map._caption.startswith("Channel"))
        assert "DAPI can&#x27;t be read" in now.map.tooltip_of("A02")
        assert "read" not in now.map.tooltip_of("A01")

    play(scene)


def test_wells_are_selected_by_what_is_in_them(play: Play, qtbot: QtBot) -> None:
    async def scene(now: Scene) -> None:
        await now.until(lambda: now.map._descriptions)
        assert "compound aspirin, dose_um 3" in now.map.tooltip_of("A02")
        menu = now.bar.menu
        menu.aboutToShow.emit()
        by_map = next(each for each in menu.findChildren(QMenu) if "map" in each.title())
        column = next(each for each in by_map.findChildren(QMenu) if each.title() == "compound")
        actions(column)["aspirin"].trigger()
        assert now.map.selected_wells == ("A02", "A03")
        assert "2 wells selected" in now.manager.details._title.whole_text
        assert now.manager.details._note.whole_text == "compound aspirin, dose_um 3"
        menu.aboutToShow.emit()
        actions(menu)["Others"].trigger()
        assert now.map.selected_wells == ("A01", "A04")
        (now.plate / "platemap.csv").write_text(PLATE_MAP.replace("aspirin", "ibuprofen"))
        now.map.select("A02")
        await now.until(lambda: "ibuprofen" in now.map.tooltip_of("A02"))

    play(scene)
