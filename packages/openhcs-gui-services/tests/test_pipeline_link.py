"""The pipeline pane in the window: what is edited there belongs to plates, has a name, and is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow, PipelinePane
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.window.panes import PIPELINE, WindowPanes
from openhcs_runtime.builtin import builtin_source

PORT = 7919
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Scene = Callable[[MainWindow, PlateWorkspace, PipelinePane, Until], Awaitable[None]]


@pytest.fixture
def play(
    qt_loop: qasync.QEventLoop, qtbot: QtBot, isolated_home: Path, tmp_path: Path
) -> Callable[[Scene, Path | None], None]:
    """Play a scene in a window that goes on with the session of the one before, with a pipeline of a file or none."""

    async def in_window(scene: Scene, file: Path | None) -> None:
        source = builtin_source() if file is None else file.read_text(encoding="utf-8")
        workspace = PlateWorkspace(PORT, memory=isolated_home / "memory", default_pipeline=source)
        workspace.default_pipeline_file = "" if file is None else str(file)
        settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
        window = MainWindow(workspace, settings, WindowPanes(workspace, settings, None, PORT))
        qtbot.addWidget(window)
        window.show()
        told = asyncio.Event()
        leave = workspace.subscribe(lambda _: told.set())

        async def until(condition: Callable[[], bool]) -> None:
            async with asyncio.timeout(30):
                while not condition():
                    await told.wait()
                    told.clear()

        try:
            await workspace.reattach()
            pane = window.show_pane(PIPELINE)
            assert isinstance(pane, PipelinePane)
            await scene(window, workspace, pane, until)
        finally:
            leave()
            await window.end()
            await workspace.close()

    def run(scene: Scene, file: Path | None) -> None:
        qt_loop.run_until_complete(in_window(scene, file))

    return run


def test_an_edited_pipeline_is_kept_with_its_name(
    play: Callable[[Scene, Path | None], None], small_plate: Path, tmp_path: Path
) -> None:
    file = tmp_path / "slow.py"
    file.write_text(builtin_source("cell_painting"), encoding="utf-8")

    async def first(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        assert (pane.name, pane.path, pane.is_modified) == ("slow.py", file, False)
        window.manager.add_plates([str(small_plate)])
        await until(lambda: bool(workspace.rows()) and window.manager.current is not None)
        assert (pane.name, pane.is_modified) == ("slow.py", False)
        pane.steps.list.choose_step(6)
        pane.steps.panel.form_of().widget_of("factor").value = 0.5
        await until(lambda: '"factor": 0.5' in workspace.rows()[0].pipeline)
        pane.rename("Mine, süß")
        await until(lambda: workspace.rows()[0].pipeline_name == "Mine, süß")
        assert workspace.rows()[0].is_pipeline_modified
        await until(lambda: window.manager.current is not None and window.manager.current.well_count is not None)
        box = pane.steps.panel.channel.field.inner
        assert isinstance(box, QComboBox)
        async with asyncio.timeout(30):
            while not any(box.itemText(at) == "1: DAPI" for at in range(box.count())):
                await asyncio.sleep(0)  # the folder is read in a thread

    async def second(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        await until(lambda: window.manager.current is not None)
        window.manager.current_changed.emit(str(small_plate))
        assert (pane.name, pane.path, pane.is_modified) == ("Mine, süß", file, True)
        assert '"factor": 0.5' in pane.source()

    play(first, file)
    play(second, None)


def test_names_of_pipelines_without_a_file(play: Callable[[Scene, Path | None], None], small_plate: Path) -> None:
    async def scene(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        assert (pane.name, pane.is_modified) == ("Count nuclei", False)
        window.manager.add_plates([str(small_plate)])
        await until(lambda: bool(workspace.rows()) and window.manager.current is not None)
        await workspace.set_pipeline([str(small_plate)], "# of another window\npipeline_steps = []\n")
        window.manager.current_changed.emit(str(small_plate))
        assert (pane.name, pane.is_modified) == ("Pipeline of small", True)
        pane.start_new(builtin_source("cell_painting"), "Cell Painting")
        await until(lambda: workspace.rows()[0].pipeline_name == "Cell Painting")
        pane.undo()
        await until(lambda: workspace.rows()[0].pipeline_name == "Pipeline of small")
        assert "of another window" in workspace.rows()[0].pipeline

    play(scene, None)
