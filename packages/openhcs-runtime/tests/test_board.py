"""A run as bars and as plain lines, from the events it is made of."""

import io

import msgspec
from rich.console import Console

from openhcs_runtime.cli.watching import PlainLines
from openhcs_runtime.tasks import FOLLOW_STEP
from openhcs_runtime.terminal.bars import bars, chosen_wells, plate_text
from openhcs_runtime.terminal.progress import RunProgress, Stage
from zmqruntime.execution import AxisState
from zmqruntime.execution.testing import EventScript
from zmqruntime.messages import ExecutionStatus, LogLevel, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate


def _script(wells: int) -> EventScript:
    """A run of so many wells, about to begin with them."""
    names = [f"A{number + 1:02d}" for number in range(wells)]
    return EventScript(("Segment", "Measure")).run().prepare(*names)


def _board(script: EventScript) -> RunProgress:
    board = RunProgress()
    for event in script.events:
        board.apply(event)
    return board


def _drawn(board: RunProgress, height: int = 30) -> str:
    console = Console(file=io.StringIO(), width=90, force_terminal=False, highlight=False)
    console.print(bars(board.view(), height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_stages_from_the_queue_to_the_end() -> None:
    script, board = EventScript(), RunProgress()
    assert board.view().stage is Stage.QUEUED

    def stages(*names: str) -> list[Stage]:
        """The stages that the board goes through with the events since the last call."""
        seen: list[Stage] = []
        for event in script.events:
            board.apply(event)
            if board.view().stage not in seen[-1:]:
                seen.append(board.view().stage)
        script.events.clear()
        return seen

    script.run()
    assert stages() == [Stage.QUEUED, Stage.LOADING]
    script.prepare("A01", "A02")
    assert stages() == [Stage.INIT, Stage.STARTING, Stage.COMPILE, Stage.STARTING]
    assert [well.axis_id for well in board.view().wells] == ["A01", "A02"]
    script.start("A01").finish("A01")
    assert stages() == [Stage.WELLS]
    script.start("A02").finish("A02")
    assert stages() == [Stage.WELLS, Stage.FINISHING]
    script.status(ExecutionStatus.COMPLETE)
    assert stages() == [Stage.ENDED]


def test_who_watches_late_sees_since_when_it_runs() -> None:
    script, board = EventScript().run().wait(600), RunProgress()
    for event in script.status(ExecutionStatus.CANCELLING).events:
        board.apply(event)
    assert 600 <= board.view().elapsed < 700
    board.apply(script.wait(10).status(ExecutionStatus.INTERRUPTED).events[-1])
    assert board.view().elapsed == 610
    board.apply(script.wait(3390).status(ExecutionStatus.RUNNING).events[-1])
    assert board.view().elapsed < 100, "it goes on after a restart"


def test_fractions_count_steps_and_pattern_groups() -> None:
    board = _board(_script(2).start("A01", "A02").work("A01", 1, step=1).fail("A02", "out of focus"))
    assert board.view().wells[0].fraction == 0.625
    assert board.view().fraction == (0.625 + 1) / 2, "a failed well needs no more time"
    assert board.view().count(AxisState.FAILED) == 1


def test_every_well_has_a_bar_where_they_fit() -> None:
    board = _board(_script(3).start("A01", "A02").finish("A01").fail("A02", "out of focus"))
    lines = _drawn(board).splitlines()
    assert [line.split()[0] for line in lines] == ["A01", "A02", "A03", "Plate"]
    assert "100 %" in lines[0]
    assert "failed: out of focus" in lines[1]
    assert "waiting" in lines[2]
    assert "2 of 3 wells, 1 failed" in lines[3]


def test_running_and_failed_wells_are_shown_where_not_all_fit() -> None:
    script = _script(50).start("A01", "A02").finish("A01").fail("A02", "out of focus").start("A03", "A04")
    board = _board(script)
    assert [well.axis_id for well in chosen_wells(board.view(), 10)] == ["A02", "A03", "A04"]
    assert [well.axis_id for well in chosen_wells(board.view(), 2)] == ["A03", "A04"]
    drawn = _drawn(board, height=10)
    assert len(drawn.splitlines()) <= 10
    assert "not shown: 46 waiting, 1 done" in drawn


def test_cancelling_stays_in_view() -> None:
    board = _board(_script(2).status(ExecutionStatus.CANCELLING).cancel("A01"))
    assert board.view().stage is Stage.CANCELLING
    assert "cancelling" in plate_text(board.view())


def test_the_time_left_is_that_of_the_wells_of_this_run() -> None:
    script = _script(12).take_over(*(f"A{number:02d}" for number in range(1, 11)))
    script.wait(5).start("A11").wait(40).finish("A11").start("A12")
    script.report("A12", ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING)
    view = _board(script).view()
    assert view.plate.remaining_seconds(script.now) == 40, "one well took 40 s, and one is left"
    assert view.remaining is not None
    assert view.remaining >= 40
    assert " left" in plate_text(view)


def test_plain_lines_are_few_and_name_failures() -> None:
    written: list[str] = []
    script = _script(100)
    board = _board(script)
    lines = PlainLines(board, written.append)
    warning = LogLine(
        execution_id="e", sequence=1, timestamp=0, level=LogLevel.WARNING, logger="task", text="x.tif is no image"
    )
    script.events.clear()
    script.take_over(*(f"A{number:02d}" for number in range(1, 100))).fail("A100", "out of focus")
    for event in [warning, *script.events]:
        board.apply(event)
        lines.tell()
    assert written[0] == "Warning: x.tif is no image"
    assert "Well A100 failed: out of focus" in written
    assert sum(line.startswith("Plate") for line in written) == 10
    assert len(written) == 12


def test_a_run_that_waits_for_images_says_so_in_bars_and_at_once_in_plain_lines() -> None:
    written: list[str] = []
    script, board = _script(2), RunProgress()
    lines = PlainLines(board, written.append)
    for event in script.start("A01").finish("A01").events:
        board.apply(event)
        lines.tell()
    script.events.clear()
    waiting = "1 well done, nothing new for 40 s"
    (update,) = script.report("", ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING).events
    assert isinstance(update, ProgressUpdate)
    waits = msgspec.structs.replace(update, step_name=FOLLOW_STEP, message=waiting)
    for _ in range(3):
        board.apply(waits)
        lines.tell()
    assert written[-1] == f"Waiting for images: {waiting}"
    assert sum("Waiting" in line for line in written) == 1
    (plate,) = (line for line in _drawn(board).splitlines() if line.startswith("Plate"))
    assert waiting in plate
    assert "%" not in plate
    script.events.clear()
    board.apply(script.start("A02").events[0])
    assert board.view().following == ""
    assert "nothing new" not in _drawn(board)
