"""The pipeline pane in the window: what is edited there belongs to plates, has a name, and is kept."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import QSettings
from PyQt6.QtWidgets import QComboBox, QWidget
from pytestqt.qtbot import QtBot

from openhcs_gui_services import MainWindow, PipelinePane
from openhcs_gui_services.services.plates.settings import RunSettings, plate_task
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.pipeline import pane as pane_module
from openhcs_gui_services.widgets.pipeline.file_question import FileAnswer
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


def test_plates_that_share_a_file_follow_it_and_none_overwrites_another(
    play: Callable[[Scene, Path | None], None], small_plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shared.py"
    file.write_text(builtin_source(), encoding="utf-8")
    one, two, three = (str(tmp_path / week / "p6") for week in ("week1", "week2", "week3"))
    for path in (one, two, three):
        shutil.copytree(small_plate, path)
    asked: list[str] = []

    def ask(_: QWidget, name: str) -> FileAnswer:
        asked.append(name)
        return FileAnswer.CANCEL

    monkeypatch.setattr(pane_module, "ask_about_file", ask)

    async def scene(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        manager = window.manager
        said: list[str] = []
        manager.message.connect(lambda text, _: said.append(text))
        manager.add_plates([one, two, three])
        await until(lambda: len(workspace.rows()) == 3 and manager.current is not None)
        assert [row.name for row in workspace.rows()] == ["week1/p6", "week2/p6", "week3/p6"]
        assert pane.targets.label.whole_text == "Edits go to 3 plates: week1/p6, week2/p6, week3/p6"
        pane.targets.only.click()
        assert manager.selected_rows() == [manager.current]
        assert pane.targets.isHidden()
        manager.table.select_paths([two], two)
        pane.editor.appendPlainText("# of two")
        manager.table.select_paths([one], one)
        assert not pane.is_modified
        pane.editor.appendPlainText("# of one")
        assert pane.save()
        await until(lambda: workspace.rows()[2].pipeline.endswith("# of one"))
        async with asyncio.timeout(30):
            while not said:
                await asyncio.sleep(0)  # it is said after the last event of the change
        assert said == ["shared.py was saved; these plates have it too: week3/p6"]
        assert not any(row.is_pipeline_modified for row in workspace.rows() if row.path != two)
        manager.table.select_paths([two], two)
        assert pane.source().endswith("# of two")
        assert pane.is_modified
        assert not pane.save()
        assert asked == ["shared.py"]
        assert file.read_text(encoding="utf-8").endswith("# of one\n")
        assert pane.reference == builtin_source()
        pane.undo()
        assert pane.source() == builtin_source()
        pane.redo()
        manager.add_plates([str(small_plate)])
        await until(lambda: any("pipeline taken from week2/p6" in text for text in said))

    play(scene, file)


def test_an_edit_of_an_earlier_window_is_compared_with_the_saved_file(
    play: Callable[[Scene, Path | None], None], small_plate: Path, tmp_path: Path
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(builtin_source(), encoding="utf-8")

    async def first(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        window.manager.add_plates([str(small_plate)])
        await until(lambda: bool(workspace.rows()) and window.manager.current is not None)
        pane.editor.appendPlainText("# more")
        window.manager.current_changed.emit(str(small_plate))
        await until(lambda: workspace.rows()[0].is_pipeline_modified)

    async def second(window: MainWindow, workspace: PlateWorkspace, pane: PipelinePane, until: Until) -> None:
        await until(lambda: window.manager.current is not None)
        window.manager.current_changed.emit(str(small_plate))
        assert pane.source().endswith("# more")
        assert pane.reference == builtin_source()

    play(first, file)
    play(second, None)


def test_the_first_run_has_the_name_of_the_pipeline() -> None:
    task = plate_task("/p6", builtin_source(), RunSettings())
    assert task.source_name == plate_task("/p6", builtin_source(), RunSettings(), "", "Count nuclei").source_name
    assert task.source_name == "Count_nuclei.py"
