"""Past executions: of a real server, and many made up ones in the table."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.history import HistoryRow, ServerHistory, history_row, provenance_text
from openhcs_gui_services.widgets.history.view import HistoryView
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.service.client import ZMQExecutionClient
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.exceptions import ServerLostError
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus
from zmqruntime.testing import until

PORT = 7906


def row(number: int, status: ExecutionStatus = ExecutionStatus.COMPLETE) -> HistoryRow:
    return HistoryRow(
        f"{number:032x}", f"/data/plate_{number:03}", status, 1e9 + number, number * 60.0, "Run", "3 of 3 done"
    )


def names(view: HistoryView) -> list[str]:
    model = view.table.model()
    assert model is not None
    return [model.index(number, 0).data() for number in range(model.rowCount())]


def row_changes(view: HistoryView) -> tuple[Callable[[Callable[..., object]], object], ...]:
    """The signals of a change of rows."""
    model = view.table.model()
    assert model is not None
    return model.modelReset.connect, model.rowsInserted.connect


def button(view: HistoryView, text: str) -> QPushButton:
    return next(each for each in view.findChildren(QPushButton) if each.text() == text)


@pytest.fixture
def view(qtbot: QtBot) -> HistoryView:
    """A view on the screen."""
    made = HistoryView()
    qtbot.addWidget(made)
    made.show()
    return made


async def origin_shown(view: HistoryView, text: str) -> None:
    """Wait until the origin of the selected execution is shown."""
    pane = view.findChild(QPlainTextEdit)
    assert pane is not None
    await until(lambda: text in view.origin_text(), pane.textChanged.connect)


@pytest.mark.usefixtures("isolated_home", "no_leaks")
def test_the_history_of_a_server(
    qtbot: QtBot, qt_loop: qasync.QEventLoop, view: HistoryView, small_plate: Path, tmp_path: Path
) -> None:
    async def work() -> None:
        async with AsyncExecutionClient(PORT, config=OPENHCS_CONFIG) as watcher:
            view.set_source(ServerHistory(watcher))
            with qtbot.waitSignal(view.run_again_done, timeout=30_000, raising=False) as again:
                view.load()
                await until(lambda: len(names(view)) == 3, *row_changes(view))
                shown = {row.execution_id: row for row in await ServerHistory(watcher).rows(10)}
                good, bad, checked = (shown[each] for each in (run, broken, compiled))
                assert (good.status, good.wells, good.what) == (ExecutionStatus.COMPLETE, "3 of 3 done", "Run")
                assert good.output == str(tmp_path / "out")
                assert good.duration_seconds is not None
                assert "does not define pipeline_steps" in bad.error
                assert (checked.what, checked.wells) == ("Check", "3 to do")
                view.select(run)
                assert view.selected() == good
                await origin_shown(view, "pipeline_steps = [")
                assert "numpy" in view.origin_text()
                view.set_filter("does not define")
                assert len(names(view)) == 1
                view.set_filter("")
                view.select(run)
                opened: list[str] = []
                view.open_results_requested.connect(opened.append)
                button(view, "Open results").click()
                assert opened == [str(tmp_path / "out")]
                new: list[str] = []
                view.run_again_done.connect(new.append)
                button(view, "Run again").click()
                await until(lambda: bool(new), view.run_again_done.connect)
                assert (await watcher.wait(new[0])).status is ExecutionStatus.COMPLETE
            assert again.args == new

    with ZMQExecutionClient(PORT, persistent=False) as client:
        config = PipelineConfig(output_dir=str(tmp_path / "out"))
        run = client.submit_pipeline(small_plate, builtin_source(), pipeline_config=config).execution_id
        broken = client.submit_pipeline(small_plate, "x = 1\n").execution_id
        compiled = client.compile_pipeline(small_plate, builtin_source()).execution_id
        for execution_id in (run, broken, compiled):
            client.wait(execution_id, 60)
        qt_loop.run_until_complete(work())


def test_the_newest_is_first_and_columns_sort(view: HistoryView) -> None:
    view.show_rows([row(number) for number in range(5)])
    assert names(view)[0] == "plate_004"
    view.table.sortByColumn(5, Qt.SortOrder.AscendingOrder)
    assert names(view)[0] == "plate_000"


def test_the_filter_leaves_what_fits(view: HistoryView) -> None:
    view.show_rows([row(1), row(2, ExecutionStatus.INTERRUPTED), row(3)])
    view.set_filter("INTERRUPTED")
    assert names(view) == ["plate_002"]
    view.set_filter("plate_003")
    assert names(view) == ["plate_003"]


def test_what_is_selected_stays_selected(qt_loop: qasync.QEventLoop, view: HistoryView) -> None:
    async def work() -> None:
        view.show_rows([row(number) for number in range(5)])
        view.select(row(2).execution_id)
        view.show_rows([row(number) for number in range(8)])
        assert view.selected() == row(2)
        await origin_shown(view, "has not written any results")

    qt_loop.run_until_complete(work())


def test_a_lost_server_is_said(qtbot: QtBot, qt_loop: qasync.QEventLoop, view: HistoryView) -> None:
    class Lost:
        async def rows(self, limit: int, before: float | None = None) -> Sequence[HistoryRow]:
            raise ServerLostError("the server ended")

        async def run_again(self, execution_id: str) -> str:
            raise ServerLostError("the server ended")

    async def work() -> None:
        said: list[str] = []
        view.failed.connect(said.append)
        view.set_source(Lost())
        view.load()
        await until(lambda: bool(said), view.failed.connect)
        assert said == ["Reading the history failed: the server ended"]

    qt_loop.run_until_complete(work())


def test_a_task_of_another_kind_has_a_row_too() -> None:
    snapshot = ExecutionSnapshot(
        execution_id="a" * 32,
        plate_id="",
        status=ExecutionStatus.FAILED,
        submitted_at=1e9,
        error="bad\ntraceback",
        result={"x": 1},
    )
    made = history_row(snapshot)
    assert (made.error, made.output, made.duration) == ("bad", "", "")


def test_a_folder_without_provenance_says_so(tmp_path: Path) -> None:
    assert "give the output folder of a run" in provenance_text(str(tmp_path))
