"""The examples of docs/examples that show plates."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services import PlateStatus, present_plate
from openhcs_gui_services.widgets import PlateManagerWidget, PlateProgressRow

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "examples"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the examples are in the repository only")


def example(name: str) -> ModuleType:
    """The module of an example."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plate_map(qtbot: QtBot, capsys: pytest.CaptureFixture[str]) -> None:
    plate_map = example("gui_plate_map").make_map()
    qtbot.addWidget(plate_map)
    plate_map.resize(500, 400)
    plate_map.show()
    qtbot.mouseClick(plate_map, Qt.MouseButton.LeftButton, pos=plate_map.rect_of("B06").center())
    qtbot.keyClick(plate_map, Qt.Key.Key_Return)
    assert "no such image" in capsys.readouterr().out


def test_the_progress_row(qtbot: QtBot) -> None:
    row = PlateProgressRow("plate_01")
    qtbot.addWidget(row)
    seen = []
    for snapshot in example("gui_progress_row").story():
        row.show_presentation(present_plate(snapshot))
        seen.append(snapshot.state)
    assert seen[0] is PlateStatus.INIT_PENDING
    assert seen[-1] is PlateStatus.COMPLETE


@pytest.mark.usefixtures("isolated_home")
def test_the_plate_manager(qt_loop: qasync.QEventLoop, small_plate: Path) -> None:
    async def watch() -> None:
        closed = asyncio.Event()
        managing = asyncio.create_task(example("gui_plate_manager").manage([str(small_plate)], closed, 7882))
        async with asyncio.timeout(60):
            while not (shown := managers()) or shown[0].table.plates.rowCount() == 0:
                await asyncio.sleep(0)
            while shown[0].table.plates.presentation_at(0).text != "Ready":
                await asyncio.sleep(0)
        closed.set()
        await managing

    qt_loop.run_until_complete(watch())


def managers() -> list[PlateManagerWidget]:
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    return [widget for widget in shown if isinstance(widget, PlateManagerWidget)]
