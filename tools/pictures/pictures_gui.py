"""Take the pictures of the window for the documentation, light and dark, into docs/images.

    python tools/pictures/pictures_gui.py [FOLDER] [--all]

The window shows real plates on a real server in its own home folder; tables, maps and questions are examples. With
--all also pictures that the documentation does not show. Runs without a screen.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QApplication, QDockWidget, QWidget

from openhcs_gui_services import MainWindow, PlateMap, PlateTable
from openhcs_gui_services.services import PlateSnapshot, PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.stop_question import StopQuestion
from openhcs_gui_services.window.panes import PIPELINE, SERVERS, WindowPanes
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.components import well_name
from openhcs_runtime.plates import make_plate
from openhcs_runtime.service.client import ZMQExecutionClient
from zmqruntime.execution import AxisProgress, AxisState

ROOT = Path(__file__).resolve().parents[2]
PORT = 7885
SECONDS = 120.0
IN_DOCS = frozenset(
    {"window", "window_dark", "window_empty", "window_panes", "window_stopping", "plate_table", "plate_map_1536"}
    | {"question_stop"}
)
_SMALLEST_FILE = 0


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=ROOT / "docs" / "images", help="target folder [default: docs/images]"
    )
    parser.add_argument("--all", action="store_true", help="also pictures that the documentation does not show")
    asked = parser.parse_args()
    folder: Path = asked.folder
    folder.mkdir(parents=True, exist_ok=True)
    application = QApplication(sys.argv[:1])
    application.setStyle("Fusion")
    application.setQuitOnLastWindowClosed(False)
    light = application.palette()
    with tempfile.TemporaryDirectory(prefix="pg") as home:
        os.environ["HOME"] = home
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
            runner.run(Camera(application, folder, shoots_all=asked.all).take(Path(home)))
        application.setPalette(dark_palette())
        with asyncio.Runner(loop_factory=lambda: qasync.QEventLoop(application)) as runner:
            runner.run(Camera(application, folder, "_dark", shoots_all=asked.all).take_made_up())
        application.setPalette(light)
    return 0


def dark_palette() -> QPalette:
    """Return the palette of a dark desktop."""
    palette = QPalette(QColor(0x2D, 0x2F, 0x33))
    role, disabled = QPalette.ColorRole, QPalette.ColorGroup.Disabled
    palette.setColor(role.Base, QColor(0x20, 0x22, 0x25))
    palette.setColor(role.AlternateBase, QColor(0x26, 0x28, 0x2C))
    palette.setColor(role.Highlight, QColor(0x3C, 0x6E, 0xB4))
    for each in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(disabled, each, QColor(0x7A, 0x7F, 0x87))
    return palette


class Camera:
    """Takes pictures into a folder; their names end with ``suffix``."""

    def __init__(self, application: QApplication, folder: Path, suffix: str = "", *, shoots_all: bool) -> None:
        self._application = application
        self._shoots_all = shoots_all
        self._folder = folder
        self._suffix = suffix

    async def take(self, home: Path) -> None:
        """Take the window on a real server, then the examples."""
        plates = [
            make_plate(home / f"2026-11-{day:02d}_screen", wells=96, sites=1, channels=1, size=384, seed=day)
            for day in (3, 4, 5)
        ]
        damaged = next(plates[0].rglob("*_C04_*.tif"))
        damaged.write_bytes(damaged.read_bytes()[:200])
        workspace = PlateWorkspace(PORT, default_pipeline=builtin_source(), memory=home / "memory")
        settings = QSettings(str(home / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        window.resize(1250, 800)
        window.show()
        await self._settle()
        self.shoot(window, "window_empty")
        try:
            await self._run(window, workspace, [str(plate) for plate in plates])
        finally:
            await window.end()
            await workspace.close()
            window.close()
            client = ZMQExecutionClient(PORT, persistent=True)
            client.connect()
            client.shutdown_server()
            client.disconnect()
        await self.take_made_up()

    async def _run(self, window: MainWindow, workspace: PlateWorkspace, plates: list[str]) -> None:
        manager = window.manager
        manager.add_plates(plates)
        await self._until(workspace, lambda: all(row.well_count for row in workspace.rows()))
        await self._settle()
        manager.actions_.run.trigger()
        await self._until(workspace, lambda: workspace.rows()[0].snapshot.percent > 60)
        manager.map.select("C04")
        await self._settle()
        self.shoot(window, "window")
        light = self._application.palette()
        self._application.setPalette(dark_palette())
        await self._settle()
        self.shoot(window, "window_dark")
        self._application.setPalette(light)
        await self._until(workspace, lambda: workspace.rows()[1].snapshot.percent > 10)
        manager.table.select_paths(plates[1:2])
        window.show_pane(PIPELINE)
        window.show_pane(SERVERS)
        await self._settle(2.5)  # until the servers have been discovered
        self.shoot(window, "window_panes")
        for pane in window.findChildren(QDockWidget):
            pane.hide()
        manager.actions_.stop.trigger()
        await self._until(workspace, lambda: workspace.rows()[1].snapshot.state is PlateStatus.CANCELLING)
        await self._settle(0.05)
        self.shoot(window, "window_stopping")
        await self._until(workspace, lambda: all(row.snapshot.state.has_ended for row in workspace.rows()))
        await self._settle()
        self.shoot(window, "window_stopped")

    async def take_made_up(self) -> None:
        """Take examples: a table with every state, maps and questions."""
        table = PlateTable()
        table.plates.add_rows(all_states())
        table.resize(1100, 340)
        table.show()
        await self._settle()
        self.shoot(table, "plate_table")
        for name, rows, columns, width in (("plate_map", 8, 12, 560), ("plate_map_1536", 32, 48, 680)):
            plate_map = PlateMap()
            plate_map.set_wells(made_wells(rows, columns))
            plate_map.select("C05")
            plate_map.resize(width, 460)
            plate_map.show()
            await self._settle()
            self.shoot(plate_map, name)
            plate_map.close()
        for kills, name in ((False, "question_stop"), (True, "question_kill")):
            question = StopQuestion(4, 1900, kills=kills)
            question.show()
            await self._settle()
            self.shoot(question, name)
            question.close()
        table.close()

    def shoot(self, widget: QWidget, name: str) -> None:
        """Take one picture."""
        target = self._folder / f"{name}{self._suffix}.png"
        if target.stem not in IN_DOCS and not self._shoots_all:
            return
        widget.grab().save(str(target), "PNG", _SMALLEST_FILE)
        print(target)

    async def _settle(self, seconds: float = 0.3) -> None:
        """Let Qt finish drawing."""
        await asyncio.sleep(seconds)

    async def _until(self, workspace: PlateWorkspace, condition: Callable[[], bool]) -> None:
        changed = asyncio.Event()
        leave = workspace.subscribe(lambda event: changed.set())
        try:
            async with asyncio.timeout(SECONDS):
                while not condition():
                    await changed.wait()
                    changed.clear()
        finally:
            leave()


def all_states() -> list[PlateRow]:
    """Return a plate in each state."""
    texts = {PlateStatus.FAILED: "well C04: image 2026-11_C04_s1_w1.tif is damaged or not a TIFF: it is cut short"}
    return [
        PlateRow(
            f"/data/{number}",
            f"2026-11-{number + 3:02d}_screen",
            PlateSnapshot(
                state,
                queue_position=2 if state is PlateStatus.QUEUED else None,
                percent=42 if state.is_working or state.is_unfinished else 0,
                elapsed_seconds=754 if state.is_working or state.has_ended else None,
                remaining_seconds=1041 if state is PlateStatus.RUNNING else None,
                axis_id="B06" if state.is_working else "",
                step_name="segment_nuclei" if state.is_working else "",
                step_index=2,
                total_steps=5,
                failed_wells=2 if state in (PlateStatus.RUNNING, PlateStatus.FAILED) else 0,
                error=texts.get(state, ""),
            ),
            well_count=None if state in (PlateStatus.CREATED, PlateStatus.INIT_PENDING) else 384,
        )
        for number, state in enumerate(PlateStatus)
    ]


def made_wells(rows: int, columns: int) -> list[AxisProgress]:
    """Return wells in the middle of a run."""
    chance = random.Random(5)
    names = [well_name(row, column) for row in range(rows) for column in range(columns)]
    done = len(names) * 6 // 10
    wells = []
    for number, name in enumerate(names):
        if number >= done + 8:
            state = AxisState.WAITING
        elif number >= done:
            state = AxisState.RUNNING
        else:
            state = chance.choices([AxisState.COMPLETE, AxisState.FAILED, AxisState.CANCELLED], [94, 4, 2])[0]
        wells.append(AxisProgress(name, state, percent=chance.random() * 100))
    return wells


if __name__ == "__main__":
    sys.exit(main())
