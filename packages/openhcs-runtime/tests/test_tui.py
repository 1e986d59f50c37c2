"""The plate view in a terminal: on a real server, driven by keys and mouse, and as a command in a terminal."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from openhcs_runtime import GlobalConfig, PipelineConfig, ZMQExecutionClient
from openhcs_runtime.builtin import builtin_source
from openhcs_runtime.components import well_name
from openhcs_runtime.tasks import OPENHCS_CONFIG
from openhcs_runtime.terminal.tui.app import PlateApp
from openhcs_runtime.terminal.tui.grid import PlateGrid, plate_shape, well_sign
from openhcs_runtime.terminal.tui.questions import Question
from openhcs_runtime.terminal.tui.steps import StepRecord
from openhcs_runtime.testing import CommandLine, Gate
from zmqruntime.execution import AsyncExecutionClient, AxisProgress, AxisState, project_plate
from zmqruntime.execution.testing import EventScript
from zmqruntime.messages import ProgressPhase, ProgressStatus

_SECONDS = 60.0
SCREEN = (120, 32)
SMALL_SCREEN = (80, 12)

_DEEP_PIPELINE = """
from openhcs_runtime import FunctionStep

def dive(stack, depth=12):
    if depth == 0:
        raise ValueError("nothing is bright enough")
    return dive(stack, depth - 1)

pipeline_steps = [FunctionStep(dive)]
"""


@contextlib.asynccontextmanager
async def _shown(execution_id: str, plate: Path, size: tuple[int, int] = SCREEN) -> AsyncIterator["Pilot[None]"]:
    async with AsyncExecutionClient(config=OPENHCS_CONFIG) as client:
        app = PlateApp(client, execution_id, str(plate))
        async with app.run_test(size=size) as pilot:
            yield pilot


async def _until(pilot: "Pilot[None]", condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, _text(pilot, "#status")
        await pilot.pause()


def _text(pilot: "Pilot[None]", selector: str) -> str:
    return str(pilot.app.screen_stack[0].query_one(selector, Static).render())


def _picture(pilot: "Pilot[None]") -> str:
    """What is on the screen as SVG, without its hard blanks."""
    return pilot.app.export_screenshot().replace("&#160;", " ")


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await test()

    asyncio.run(run())


def _submit(plate: Path, pipeline: Path | str, output: Path) -> str:
    with ZMQExecutionClient(persistent=True) as client:
        config = PipelineConfig(output_dir=str(output))
        return client.submit_pipeline(plate, pipeline, GlobalConfig(num_workers=1), config).execution_id


class _WithoutServer(PlateApp):
    """Shows the events that the test gives it."""

    def on_mount(self) -> None:
        self.query_one(PlateGrid).focus()


@pytest.mark.parametrize(
    ("rows", "columns", "size"), [(8, 12, (60, 24)), (16, 24, (60, 30)), (8, 12, (120, 32)), (2, 3, SMALL_SCREEN)]
)
def test_all_columns_of_a_plate_are_visible(
    no_leaks: None, isolated_home: Path, rows: int, columns: int, size: tuple[int, int]
) -> None:
    async def test() -> None:
        app = _WithoutServer(AsyncExecutionClient(config=OPENHCS_CONFIG), "4f2a91", "/data/screen/plate_03")
        wells = [well_name(row, column) for row in range(rows) for column in range(columns)]
        async with app.run_test(size=size) as pilot:
            for event in EventScript().run().prepare(*wells).events:
                app._on_run_event(event)
            grid = app.query_one(PlateGrid)
            await _until(pilot, lambda: grid.selected == "A01" and grid.max_scroll_x == 0)
            assert _text(pilot, "#title").startswith("plate_03   execution 4f2a91")
            await _until(pilot, lambda: _text(pilot, "#details").startswith("A01  waiting"))
            assert "step 1" in _picture(pilot), "the details are visible, too"

    _run(test)


def test_a_well_is_cancelled_while_the_others_go_on(
    shared_home: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    execution_id = _submit(plate, gate.pipeline, tmp_path / "out")
    gate.wait_for_well()

    async def test() -> None:
        async with _shown(execution_id, plate) as pilot:
            await _until(pilot, lambda: "hold" in _text(pilot, "#details"))
            assert "0 of 3 wells" in _text(pilot, "#status")
            assert _text(pilot, "#details").startswith("A01")
            await pilot.press("left", "up", "right")
            await _until(pilot, lambda: _text(pilot, "#details").startswith("A02  waiting"))
            await pilot.press("c", "enter", "n", "c")
            await _until(pilot, lambda: isinstance(pilot.app.screen, Question))
            assert "Cancel well A02?" in _picture(pilot)
            await pilot.press("y")
            await _until(pilot, lambda: not isinstance(pilot.app.screen, Question))
            assert "A02" in _picture(pilot)
            await asyncio.to_thread(gate.open)
            await _until(pilot, lambda: "has ended" in _text(pilot, "#status"))
            assert "1 cancelled" in _text(pilot, "#status")
            await _until(pilot, lambda: "cancelled" in _text(pilot, "#details"))
            await pilot.press("c")
            assert not isinstance(pilot.app.screen, Question), "what has ended can't be cancelled"
            await pilot.press("q")

    _run(test)
    with ZMQExecutionClient(persistent=True) as client:
        result = client.wait(execution_id).plate
    assert result is not None
    assert [well.status for well in result.wells] == ["complete", "cancelled", "complete"]


def test_the_whole_run_is_cancelled(shared_home: CommandLine, plate: Path, gate: Gate, tmp_path: Path) -> None:
    execution_id = _submit(plate, gate.pipeline, tmp_path / "out")
    gate.wait_for_well()

    async def test() -> None:
        async with _shown(execution_id, plate) as pilot:
            await _until(pilot, lambda: "0 of 3 wells" in _text(pilot, "#status"))
            await pilot.press("X", "y")
            await _until(pilot, lambda: "has ended" in _text(pilot, "#status"))
            assert "3 cancelled" in _text(pilot, "#status")

    _run(test)


def test_a_failed_well_says_why(shared_home: CommandLine, half_plate: Path, tmp_path: Path) -> None:
    execution_id = _submit(half_plate, builtin_source(), tmp_path / "out")

    async def test() -> None:
        async with _shown(execution_id, half_plate) as pilot:
            await _until(pilot, lambda: "has ended" in _text(pilot, "#status"))
            assert "100 %  3 of 3 wells, 1 failed" in _text(pilot, "#status")
            assert "Segment" in _text(pilot, "#details")
            await pilot.press("f")
            await _until(pilot, lambda: _text(pilot, "#details").startswith("A02  failed"))
            assert "_A02_" in _text(pilot, "#details"), "the image that is cut"
            svg = _picture(pilot)
            assert "Next failed" in svg
            assert "[×]" in svg  # noqa: RUF001
            assert await pilot.click(PlateGrid, offset=(1 + 4 + 1, 2))
            await _until(pilot, lambda: _text(pilot, "#details").startswith("A01  done"))

    _run(test)


def test_a_long_error_is_read_on_a_small_screen(shared_home: CommandLine, plate: Path, tmp_path: Path) -> None:
    execution_id = _submit(plate, _DEEP_PIPELINE, tmp_path / "out")

    async def test() -> None:
        async with _shown(execution_id, plate, SMALL_SCREEN) as pilot:
            await _until(pilot, lambda: "has ended" in _text(pilot, "#status"))
            await _until(pilot, lambda: "nothing is bright enough" in _text(pilot, "#details"))
            assert "Cancel run" in _picture(pilot), "all keys fit"
            top, well = _picture(pilot), pilot.app.query_one("#well")
            await pilot.press("pagedown")
            await _until(pilot, lambda: well.scroll_y > 0)
            assert _picture(pilot) != top
            await pilot.press("right")
            await _until(pilot, lambda: well.scroll_y == 0)

    _run(test)


@pytest.mark.skipif(sys.platform == "win32", reason="a server is killed with a POSIX signal")
def test_a_killed_server_is_no_cancelled_run(
    command: CommandLine, plate: Path, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(command.home))
    execution_id = _submit(plate, gate.pipeline, tmp_path / "out")
    gate.wait_for_well()
    pid = command("status", "--json").document["server"]["pid"]

    async def test() -> None:
        async with _shown(execution_id, plate) as pilot:
            await _until(pilot, lambda: "0 of 3 wells" in _text(pilot, "#status"))
            os.kill(pid, signal.SIGKILL)
            await _until(pilot, lambda: "ended; waiting for it, or its successor" in _text(pilot, "#status"))
            assert "cancelled," not in _text(pilot, "#status")
            await pilot.press("q")

    _run(test)
    _, alive = psutil.wait_procs(command.processes(), timeout=_SECONDS)
    assert alive == []
    for path in command.home.glob(".openhcs/ipc/zmq-*.sock"):
        path.unlink()  # the next server would replace them


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_a_server_that_does_not_answer_is_waited_for(
    shared_home: CommandLine, plate: Path, gate: Gate, tmp_path: Path
) -> None:
    execution_id = _submit(plate, gate.pipeline, tmp_path / "out")
    gate.wait_for_well()
    server = psutil.Process(shared_home("status", "--json").document["server"]["pid"])

    async def test() -> None:
        async with _shown(execution_id, plate) as pilot:
            await _until(pilot, lambda: "0 of 3 wells" in _text(pilot, "#status"))
            server.suspend()
            try:
                await _until(pilot, lambda: "No answer for" in _text(pilot, "#status"))
                assert "still waiting" in _text(pilot, "#status")
                await pilot.press("right")
                await _until(pilot, lambda: _text(pilot, "#details").startswith("A02"))
            finally:
                server.resume()
            await asyncio.to_thread(gate.open)
            await _until(pilot, lambda: "has ended" in _text(pilot, "#status"))
            assert "No answer" not in _text(pilot, "#status")
            assert "3 of 3 wells" in _text(pilot, "#status")
            await pilot.press("q")

    _run(test)


class _GridOnly(App[None]):
    def compose(self) -> ComposeResult:
        yield PlateGrid()


def _full(rows: int, columns: int) -> list[AxisProgress]:
    states = list(AxisState)
    names = [well_name(row, column) for row in range(rows) for column in range(columns)]
    return [AxisProgress(name, states[number % len(states)], percent=50.0) for number, name in enumerate(names)]


def test_1536_wells_scroll_with_their_labels() -> None:
    async def test() -> None:
        async with _GridOnly().run_test(size=(60, 12)) as pilot:
            grid = pilot.app.query_one(PlateGrid)
            grid.show(_full(32, 48))
            assert grid.selected == "A01"
            grid.select((31, 47))
            await pilot.pause()
            assert grid.selected == "AF48"
            lines = [grid.render_line(y).text for y in range(grid.size.height)]
            assert "45" in lines[0]
            assert [line[:3].strip() for line in lines[1:] if line.strip()][-1] == "AF"
            assert "<" in lines[-1] + lines[-2]
            began = time.perf_counter()
            for _ in range(20):
                grid.show(_full(32, 48))
                for y in range(33):
                    grid.render_line(y)
            print(f"1,536 wells: {(time.perf_counter() - began) / 20 * 1000:.1f} ms a frame")

    _run(test)


def test_moving_skips_wells_that_are_not_run() -> None:
    async def test() -> None:
        async with _GridOnly().run_test(size=(60, 12)) as pilot:
            grid = pilot.app.query_one(PlateGrid)
            grid.show([AxisProgress("A01"), AxisProgress("A05"), AxisProgress("C05")])
            await pilot.press("right")
            assert grid.selected == "A05"
            await pilot.press("right", "down")
            assert grid.selected == "C05"
            assert not grid.select_next(AxisState.FAILED)
            grid.show([AxisProgress("C05")])
            assert grid.selected == "C05"

    _run(test)


def test_shapes_and_signs() -> None:
    assert plate_shape([]) == (2, 3)
    assert plate_shape([(1, 3)]) == (4, 6)
    assert plate_shape([(7, 11)]) == (8, 12)
    assert plate_shape([(31, 47)]) == (32, 48)
    assert well_sign(AxisProgress("A01", AxisState.RUNNING, percent=100.0)) == "█"
    assert len({well_sign(AxisProgress("A01", state, percent=50.0)) for state in AxisState}) == len(AxisState)


def test_steps_of_a_well() -> None:
    script = EventScript(("blur", "label", "measure")).run().prepare("A01").start("A01")
    script.work("A01", 4).wait(2.5)
    script.report("A01", ProgressPhase.STEP_COMPLETED, ProgressStatus.COMPLETED, completed=4)
    script.work("A01", 1, step=1)
    record, well = _steps(script)
    blur, label, last = record.steps_of(well)
    assert (blur.name, blur.state, blur.seconds) == ("blur", AxisState.COMPLETE, 2.5)
    assert (label.name, label.state, label.completed, label.total) == ("label", AxisState.RUNNING, 1, 4)
    assert (label.seconds, last.name, last.state) == (None, "step 3", AxisState.WAITING)
    script.fail("A01", "boom", traceback="in label")
    record, well = _steps(script)
    assert [step.state.value for step in record.steps_of(well)] == ["complete", "failed", "waiting"]
    assert record.traceback_of(well) == "in label"
    record, well = _steps(script.start("A01"))
    assert {step.state for step in record.steps_of(well)} == {AxisState.WAITING}
    assert record.traceback_of(well) == ""
    assert record.steps_of(AxisProgress("B01")) == ()


def _steps(script: EventScript) -> tuple[StepRecord, AxisProgress]:
    """What is known of the steps of the one well in these events."""
    record = StepRecord()
    for update in script.updates:
        record.apply(update)
    (well,) = project_plate(script.updates).axes
    return record, well


def test_without_a_terminal_or_the_extra(shared_command: CommandLine) -> None:
    finished = shared_command("tui")
    assert (finished.code, finished.stderr.count("\n")) == (2, 1)
    assert "needs a terminal" in finished.stderr
    code = (
        "import sys; sys.modules['textual'] = None; sys.argv = ['openhcs-runtime', 'tui']\n"
        "from openhcs_runtime.cli import main; sys.exit(main())"
    )
    finished = shared_command.finish(shared_command.start_python("-c", code))
    assert finished.code == 1
    assert "pip install 'openhcs-runtime[tui]'" in finished.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX pseudo-terminal")
@pytest.mark.parametrize("typed", [("tui",), ("watch", "--tui")])
def test_the_command_in_a_terminal(
    shared_home: CommandLine, plate: Path, gate: Gate, tmp_path: Path, typed: tuple[str, ...]
) -> None:
    import pty

    execution_id = _submit(plate, gate.pipeline, tmp_path / "out")
    gate.wait_for_well()
    ours, theirs = pty.openpty()
    try:
        view = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "openhcs_runtime.cli",
                *typed,
                *([execution_id] if len(typed) > 1 else []),
                "--json",
            ],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**shared_home.environment, "TERM": "xterm-256color"},
        )
        _read_until(ours, b"hold")
        os.write(ours, b"q")
        stdout, _ = view.communicate(timeout=_SECONDS)
    finally:
        os.close(ours)
        os.close(theirs)
    assert view.returncode == 0
    assert f'"execution_id": "{execution_id}"'.encode() in stdout
    gate.open()
    with ZMQExecutionClient(persistent=True) as client:
        assert client.wait(execution_id).status == "complete", "it goes on without the view"


def _read_until(terminal: int, wanted: bytes) -> None:
    seen, deadline = b"", time.monotonic() + _SECONDS
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, seen[-2000:]
        seen += os.read(terminal, 65536)
