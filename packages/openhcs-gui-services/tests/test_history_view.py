"""Past executions: of a real server, and many made up ones in the table."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import qasync  # type: ignore[import-untyped]
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QPlainTextEdit, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from openhcs_gui_services.services.history import HistoryRow, ServerHistory, history_row, provenance_text
from openhcs_gui_services.services.history_changes import moved_by, runs_to_compare
from openhcs_gui_services.services.numbers.run_diff import Change
from openhcs_gui_services.widgets.history.model import HistoryColumn
from openhcs_gui_services.widgets.history.view import HistoryView
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.config import ExecutionMode, GlobalConfig, PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.pipeline.source import load_pipeline
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


STEPS = """
from openhcs_runtime import FunctionStep
from openhcs_runtime.functions import measure_objects, segment_nuclei

pipeline_steps = [FunctionStep((segment_nuclei, {"diameter_um": %s})), FunctionStep(measure_objects)]
"""


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory, small_plate: Path) -> tuple[Path, Path]:
    """The results of two runs of a plate, with another diameter."""
    folder = tmp_path_factory.mktemp("runs")
    made = []
    for name, diameter in (("first", 10.0), ("second", 30.0)):
        pipeline = load_pipeline(STEPS % diameter)
        config = PipelineConfig(output_dir=str(folder / name))
        threads = GlobalConfig(1, ExecutionMode.THREADS)
        with PipelineOrchestrator(small_plate, pipeline, threads, config) as orchestrator:
            assert orchestrator.run().error == ""
        made.append(folder / name)
    return made[0], made[1]


def ended(number: int, output: Path | None, plate: str = "/data/p") -> HistoryRow:
    folder = "" if output is None else str(output)
    return HistoryRow(f"{number:032x}", plate, ExecutionStatus.COMPLETE, 1e9 + number, 1.0, "Run", "3 done", "", folder)


def test_what_changed_since_the_run_before(
    qt_loop: qasync.QEventLoop, view: HistoryView, two_runs: tuple[Path, Path]
) -> None:
    first, second = two_runs

    async def compared(words: str) -> str:
        await until(lambda: words in view.changes.toPlainText(), view.changes.textChanged.connect)
        return view.changes.toPlainText()

    async def scene() -> None:
        assert "Select a run" in view.changes.toPlainText()
        view.resize(1200, 400)
        view.show_rows([ended(3, None, "/data/q"), ended(2, second), ended(1, first)])
        table = view.table
        click(table, 1)
        text = await compared("first → second")
        assert "nuclei" in text
        lines = text.splitlines()
        place = next(number for number, line in enumerate(lines) if "30.0" in line)
        assert "-" in lines[: place + 1]
        assert lines[place - 1] == "+"
        assert "The pipeline is the same" not in text
        click(table, 2)
        assert "is the first run of p" in await compared("first run")
        click(table, 1, Qt.KeyboardModifier.ControlModifier)
        await compared("first → second")
        click(table, 0)
        assert "has no results" in view.changes.toPlainText()
        click(table, 1, Qt.KeyboardModifier.ShiftModifier)
        assert "has no results" in view.changes.toPlainText()

    qt_loop.run_until_complete(scene())


def click(table: QTableView, row: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    model, area = table.model(), table.viewport()
    assert model is not None
    assert area is not None
    place = table.visualRect(model.index(row, 0)).center()
    QtBot.mouseClick(area, Qt.MouseButton.LeftButton, modifier, place)


def test_which_runs_are_compared(tmp_path: Path) -> None:
    one, two, three = (ended(number, tmp_path / str(number)) for number in (1, 2, 3))
    other = ended(4, tmp_path / "4", "/data/q")
    known = [three, two, one, other]
    assert runs_to_compare([three], known).old == tmp_path / "2"
    assert runs_to_compare([one], known).old is None
    both = runs_to_compare([three, one], known)
    assert (both.old, both.new) == (tmp_path / "1", tmp_path / "3")
    assert "different plates" in runs_to_compare([one, other], known).problem
    assert "3 rows" in runs_to_compare([one, two, three], known).problem


@pytest.mark.parametrize(
    ("old", "new", "moved"), [("1,586", "1,492", "-94 (-5.9 %)"), ("", "12", "+12"), ("no", "yes", "")]
)
def test_how_a_number_moved(old: str, new: str, moved: str) -> None:
    assert moved_by(Change("nuclei", old, new)) == moved


def test_the_results_are_a_link_and_the_history_is_modest(qtbot: QtBot, view: HistoryView, tmp_path: Path) -> None:
    assert view.sizeHint().height() <= 260
    assert view.minimumSizeHint().height() <= 260
    view.resize(1500, 400)
    view.show_rows([ended(1, tmp_path)])
    model = view.table.model()
    assert model is not None
    index = model.index(0, HistoryColumn.RESULTS)
    assert index.data() == tmp_path.name
    view.table.scrollTo(index)
    with qtbot.waitSignal(view.open_results_requested) as opened:
        view.table.clicked.emit(index)  # which a click on the link emits
    assert opened.args == [str(tmp_path)]


def test_a_folder_without_provenance_says_so(tmp_path: Path) -> None:
    assert "give the output folder of a run" in provenance_text(str(tmp_path))
