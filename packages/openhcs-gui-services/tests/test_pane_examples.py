"""The examples of the panes in the documentation, on real servers."""

import asyncio
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtWidgets import QTableView
from pytestqt.qtbot import QtBot

from openhcs_gui_services.widgets import HistoryView, LogView, PipelinePane, ServerBrowserWidget
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.service.client import ZMQExecutionClient
from zmqruntime.testing import until

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
PORT = 7908

pytestmark = pytest.mark.usefixtures("isolated_home", "no_leaks")


def example(name: str) -> ModuleType:
    """The example as a module; it only runs by itself as a script."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(view: HistoryView) -> int:
    found = view.findChild(QTableView)
    model = None if found is None else found.model()
    return 0 if model is None else model.rowCount()


def test_history_and_log(qtbot: QtBot, qt_loop: qasync.QEventLoop, small_plate: Path, tmp_path: Path) -> None:
    history, log = HistoryView(), LogView()
    qtbot.addWidget(history)
    qtbot.addWidget(log)

    async def work(execution_id: str) -> None:
        closed = asyncio.Event()
        showing = asyncio.ensure_future(example("gui_history").show_history(history, closed, PORT))
        async with asyncio.timeout(60):
            await example("gui_log_view").show_log(log, execution_id, PORT)
            model = history.table.model()
            assert model is not None
            await until(lambda: rows(history) > 0, model.modelReset.connect, model.rowsInserted.connect)
            closed.set()
            await showing

    with ZMQExecutionClient(PORT, persistent=False) as client:
        config = PipelineConfig(output_dir=str(tmp_path / "out"))
        done = client.execute_pipeline(small_plate, builtin_source(), pipeline_config=config, timeout=60)
        qt_loop.run_until_complete(work(done.execution_id))


def test_server_browser(qtbot: QtBot, qt_loop: qasync.QEventLoop) -> None:
    widget = ServerBrowserWidget()
    qtbot.addWidget(widget)

    async def work() -> None:
        closed = asyncio.Event()
        watching = asyncio.ensure_future(example("gui_server_browser").watch(widget, ["127.0.0.1:7909"], closed))
        model = widget.tree.model()
        assert model is not None
        await until(lambda: model.rowCount() >= 2, model.rowsInserted.connect)
        closed.set()
        await watching

    with ZMQExecutionClient(PORT, persistent=False):
        qt_loop.run_until_complete(work())


def test_pipeline_pane(qtbot: QtBot, qt_loop: qasync.QEventLoop, small_plate: Path) -> None:
    pane = PipelinePane()
    qtbot.addWidget(pane)
    with ZMQExecutionClient(PORT, persistent=False) as client:
        text = builtin_source().replace("check_nuclei]", "chek_nuclei]")
        qt_loop.run_until_complete(example("gui_pipeline_pane").check(pane, text, small_plate, client))
    assert [problem.line for problem in pane.problems()] == [15]
