"""A run as bars and as plain lines, from the events it is made of."""

import io
import itertools
from collections.abc import Iterable

from rich.console import Console

from openhcs_runtime.cli.watching import PlainLines
from openhcs_runtime.terminal.bars import bars, chosen_wells, plate_text
from openhcs_runtime.terminal.progress import RunProgress, Stage, WellState
from zmqruntime.messages import (
    Event,
    ExecutionSnapshot,
    ExecutionStatus,
    LogLevel,
    LogLine,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

_numbers = itertools.count(1)


def _progress(
    axis_id: str, phase: ProgressPhase, status: ProgressStatus, done: int = 0, total: int = 0, step: int = 0
) -> ProgressUpdate:
    return ProgressUpdate(
        execution_id="e",
        plate_id="p",
        axis_id=axis_id,
        step_name="Segment",
        step_index=step,
        total_steps=2,
        phase=phase,
        status=status,
        completed=done,
        total=total,
        percent=0,
        timestamp=0,
        sequence=next(_numbers),
        error="out of focus" if status is ProgressStatus.ERROR else None,
    )


def _state(status: ExecutionStatus, timestamp: float = 0) -> StateChange:
    snapshot = ExecutionSnapshot(execution_id="e", plate_id="p", status=status, submitted_at=0)
    return StateChange(sequence=next(_numbers), timestamp=timestamp, execution=snapshot)


def _board(wells: int, events: Iterable[Event] = ()) -> RunProgress:
    board = RunProgress()
    board.take(_state(ExecutionStatus.QUEUED))
    board.take(_state(ExecutionStatus.RUNNING))
    board.take(_progress("", ProgressPhase.INIT, ProgressStatus.STARTED))
    board.take(_progress("", ProgressPhase.COMPILE, ProgressStatus.COMPLETED, 1, 1))
    for number in range(wells):
        board.take(_progress(f"A{number + 1:02d}", ProgressPhase.COMPILE, ProgressStatus.COMPLETED, 1, 1))
    for event in events:
        board.take(event)
    return board


def _end(well: str, status: ProgressStatus = ProgressStatus.COMPLETED) -> ProgressUpdate:
    return _progress(well, ProgressPhase.AXIS_COMPLETED, status, 2, 2)


def _drawn(board: RunProgress, height: int = 30) -> str:
    console = Console(file=io.StringIO(), width=90, force_terminal=False, highlight=False)
    console.print(bars(board.view(), height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_stages_until_the_wells_run() -> None:
    board = RunProgress()
    assert board.view().stage is Stage.QUEUED
    board.take(_state(ExecutionStatus.RUNNING))
    assert board.view().stage is Stage.LOADING
    board.take(_progress("", ProgressPhase.INIT, ProgressStatus.STARTED))
    assert board.view().stage is Stage.INIT
    board.take(_progress("", ProgressPhase.COMPILE, ProgressStatus.STARTED))
    assert board.view().stage is Stage.COMPILE
    board.take(_progress("A01", ProgressPhase.COMPILE, ProgressStatus.COMPLETED, 1, 1))
    assert board.view().stage is Stage.STARTING
    assert [well.well for well in board.view().wells] == ["A01"]
    board.take(_end("A01"))
    assert board.view().stage is Stage.FINISHING
    board.take(_state(ExecutionStatus.COMPLETE))
    assert board.view().stage is Stage.ENDED


def test_who_watches_late_sees_since_when_it_runs() -> None:
    board = RunProgress()
    board.take(_state(ExecutionStatus.RUNNING, timestamp=1000))
    board.take(_state(ExecutionStatus.CANCELLING, timestamp=1600))
    assert 600 <= board.view().elapsed < 700
    board.take(_state(ExecutionStatus.INTERRUPTED, timestamp=1610))
    assert board.view().elapsed == 610
    board.take(_state(ExecutionStatus.RUNNING, timestamp=5000))
    assert board.view().elapsed < 100, "it goes on after a restart"


def test_fractions_count_steps_and_pattern_groups() -> None:
    board = _board(2, [_progress("A01", ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, 1, 4, step=1)])
    assert board.view().wells[0].fraction == 0.625
    assert board.view().fraction == 0.3125
    board.take(_end("A02", ProgressStatus.ERROR))
    assert board.view().fraction == (0.625 + 1) / 2, "a failed well needs no more time"
    assert board.view().count(WellState.FAILED) == 1


def test_every_well_has_a_bar_where_they_fit() -> None:
    board = _board(3, [_end("A01"), _end("A02", ProgressStatus.ERROR)])
    lines = _drawn(board).splitlines()
    assert [line.split()[0] for line in lines] == ["A01", "A02", "A03", "Plate"]
    assert "100 %" in lines[0]
    assert "failed: out of focus" in lines[1]
    assert "waiting" in lines[2]
    assert "2 of 3 wells, 1 failed" in lines[3]


def test_running_and_failed_wells_are_shown_where_not_all_fit() -> None:
    running = [_progress(well, ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED) for well in ("A03", "A04")]
    board = _board(50, [_end("A01"), _end("A02", ProgressStatus.ERROR), *running])
    assert [well.well for well in chosen_wells(board.view(), 10)] == ["A02", "A03", "A04"]
    assert [well.well for well in chosen_wells(board.view(), 2)] == ["A03", "A04"]
    drawn = _drawn(board, height=10)
    assert len(drawn.splitlines()) <= 10
    assert "not shown: 46 waiting, 1 done" in drawn


def test_cancelling_stays_in_view() -> None:
    board = _board(2, [_state(ExecutionStatus.CANCELLING), _end("A01", ProgressStatus.CANCELLED)])
    assert board.view().stage is Stage.CANCELLING
    assert "cancelling" in plate_text(board.view())


def test_plain_lines_are_few_and_name_failures() -> None:
    written: list[str] = []
    board = _board(100)
    lines = PlainLines(board, written.append)
    warning = LogLine(
        execution_id="e", sequence=1, timestamp=0, level=LogLevel.WARNING, logger="task", text="x.tif is no image"
    )
    ends = [*(_end(f"A{number:02d}") for number in range(1, 100)), _end("A100", ProgressStatus.ERROR)]
    events: list[Event] = [warning, *ends]
    for event in events:
        board.take(event)
        lines.tell()
    assert written[0] == "Warning: x.tif is no image"
    assert "Well A100 failed: out of focus" in written
    assert sum(line.startswith("Plate") for line in written) == 10
    assert len(written) == 12
