"""How far wells and plates are, and the time left: one answer in projection, terminal, ``--json`` and window."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from rich.console import Console

from openhcs_gui_services.services.connection.feed import ExecutionFeed
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import present_plate
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.widgets.plates.well_texts import step_lines
from openhcs_runtime.cli.summary import run_document
from openhcs_runtime.service.client import PlateExecution
from openhcs_runtime.terminal.bars import bars
from openhcs_runtime.terminal.progress import BoardView, RunProgress
from openhcs_runtime.terminal.tui.details import well_details
from openhcs_runtime.terminal.tui.steps import StepRecord
from zmqruntime.execution import AxisProgress, AxisState, PlateProgress, PlateProjection, PlateState
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.testing import EventScript
from zmqruntime.messages import ExecutionStatus, ProgressPhase, ProgressStatus

A, P, S = AxisState, PlateState, ExecutionStatus
STEPS = ("Denoise", "Segment", "Measure")


class Well(NamedTuple):
    """What every view has to say of a well."""

    state: AxisState
    percent: float = 0.0
    step: str = ""
    error: str = ""
    attempt: int = 0


@dataclass(frozen=True)
class Case:
    """A sequence of events and its right answer."""

    name: str
    tell: Callable[[EventScript], object]
    plate: PlateState
    percent: float
    wells: dict[str, Well]

    def script(self) -> EventScript:
        """The events."""
        script = EventScript(STEPS, groups=4)
        self.tell(script)
        return script


def _running(*wells: str) -> EventScript:
    return EventScript(STEPS, groups=4).run().prepare(*wells)


def _crash(script: EventScript) -> EventScript:
    """The server is killed with A01 complete, A02 failed and A03 in its second step; another one goes on."""
    script.run().prepare("A01", "A02", "A03", "A04").start("A01", "A02", "A03").finish("A01")
    script.finish_step("A02").fail("A02", "no such image").finish_step("A03").work("A03", 2)
    return script.status(S.INTERRUPTED, resumable=True)


def _goes_on(script: EventScript) -> EventScript:
    return _crash(script).status(S.QUEUED, resumable=True).wait(30).status(S.RUNNING)


def _steps_only(script: EventScript) -> None:
    script.run().report("all", ProgressPhase.PATTERN_GROUP, ProgressStatus.ERROR, completed=1, error="broke")
    script.report("all", ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, completed=2)


CASES = [
    Case(
        "waits", lambda s: s.run().prepare("A01", "A02"), P.RUNNING, 0, {"A01": Well(A.WAITING), "A02": Well(A.WAITING)}
    ),
    Case("begins", lambda s: s.run().prepare("A01").start("A01"), P.RUNNING, 0, {"A01": Well(A.RUNNING, attempt=1)}),
    Case(
        "is in the middle of a step",
        lambda s: s.run().prepare("A01").start("A01").finish_step("A01").work("A01", 3),
        P.RUNNING,
        175 / 3,
        {"A01": Well(A.RUNNING, 175 / 3, "Segment", attempt=1)},
    ),
    Case(
        "is between two steps",
        lambda s: s.run().prepare("A01").start("A01").finish_step("A01"),
        P.RUNNING,
        100 / 3,
        {"A01": Well(A.RUNNING, 100 / 3, "Denoise", attempt=1)},
    ),
    Case(
        "is complete",
        lambda s: s.run().prepare("A01", "A02").start("A01").finish("A01"),
        P.RUNNING,
        50,
        {"A01": Well(A.COMPLETE, 100, "Measure", attempt=1), "A02": Well(A.WAITING)},
    ),
    Case(
        "fails in a step",
        lambda s: s.run().prepare("A01", "A02").start("A01").work("A01", 2).fail("A01", "no such image"),
        P.RUNNING,
        50,
        {"A01": Well(A.FAILED, 50 / 3, "Denoise", "no such image", 1), "A02": Well(A.WAITING)},
    ),
    Case(
        "is begun again after its worker died",
        lambda s: s.run().prepare("A01").start("A01").finish_step("A01").work("A01", 3).start("A01"),
        P.RUNNING,
        0,
        {"A01": Well(A.RUNNING, attempt=2)},
    ),
    Case(
        "is begun again after it failed",
        lambda s: (
            s.run().prepare("A01").start("A01").finish_step("A01").work("A01", 3).fail("A01", "gone").start("A01")
        ),
        P.RUNNING,
        0,
        {"A01": Well(A.RUNNING, attempt=2)},
    ),
    Case(
        "is begun again and is in its first step",
        lambda s: (
            s.run()
            .prepare("A01")
            .start("A01")
            .finish_step("A01")
            .work("A01", 3)
            .fail("A01", "gone")
            .start("A01")
            .work("A01", 2)
        ),
        P.RUNNING,
        50 / 3,
        {"A01": Well(A.RUNNING, 50 / 3, "Denoise", attempt=2)},
    ),
    Case(
        "is begun again and fails before its first step",
        lambda s: s.run().prepare("A01").start("A01").finish_step("A01").start("A01").fail("A01", "no memory"),
        P.RUNNING,
        100,
        {"A01": Well(A.FAILED, 0, "", "no memory", 2)},
    ),
    Case(
        "is cancelled in a step, and before it was begun",
        lambda s: s.run().prepare("A01", "A02").start("A01").work("A01", 2).cancel("A01", "A02"),
        P.RUNNING,
        25 / 3,
        {"A01": Well(A.CANCELLED, 50 / 3, "Denoise", attempt=1), "A02": Well(A.CANCELLED)},
    ),
    Case(
        "is taken over from an earlier run",
        lambda s: s.run().prepare("A01", "A02").take_over("A01"),
        P.RUNNING,
        50,
        {"A01": Well(A.COMPLETE, 100), "A02": Well(A.WAITING)},
    ),
    Case(
        "was taken over and is begun again",
        lambda s: s.run().prepare("A01").take_over("A01").start("A01"),
        P.RUNNING,
        0,
        {"A01": Well(A.RUNNING, attempt=1)},
    ),
    Case(
        "reports late, after its end",
        lambda s: s.run().prepare("A01").start("A01").finish("A01").work("A01", 1, step=1),
        P.RUNNING,
        100,
        {"A01": Well(A.COMPLETE, 100, "Segment", attempt=1)},
    ),
    Case(
        "is complete and announced again",
        lambda s: s.run().prepare("A01", "A02").start("A01").finish("A01").prepare("A01", "A02"),
        P.RUNNING,
        50,
        {"A01": Well(A.COMPLETE, 100, "Measure", attempt=1), "A02": Well(A.WAITING)},
    ),
    Case("says only its steps", _steps_only, P.RUNNING, 50 / 3, {"all": Well(A.RUNNING, 50 / 3, "Denoise", attempt=1)}),
    Case(
        "was worked on when the server was killed",
        _crash,
        P.INTERRUPTED,
        50,
        {
            "A01": Well(A.COMPLETE, 100, "Measure", attempt=1),
            "A02": Well(A.FAILED, 100 / 3, "Denoise", "no such image", 1),
            "A03": Well(A.WAITING, attempt=1),
            "A04": Well(A.WAITING),
        },
    ),
    Case(
        "is of an execution that has just left the queue for the second time",
        _goes_on,
        P.RUNNING,
        25,
        {
            "A01": Well(A.COMPLETE, 100, "Measure", attempt=1),
            "A02": Well(A.WAITING, attempt=1),
            "A03": Well(A.WAITING, attempt=1),
            "A04": Well(A.WAITING),
        },
    ),
    Case(
        "is worked on in a second attempt of its execution",
        lambda s: (
            _goes_on(s)
            .prepare("A01", "A02", "A03", "A04")
            .take_over("A01")
            .start("A02")
            .finish("A02")
            .start("A03")
            .work("A03", 1)
        ),
        P.RUNNING,
        (200 + 25 / 3) / 4,
        {
            "A01": Well(A.COMPLETE, 100, "Measure", attempt=1),
            "A02": Well(A.COMPLETE, 100, "Measure", attempt=2),
            "A03": Well(A.RUNNING, 25 / 3, "Denoise", attempt=2),
            "A04": Well(A.WAITING),
        },
    ),
    Case(
        "is in the queue again, since its execution is retried",
        lambda s: s.run().prepare("A01", "A02").start("A01").work("A01", 2).status(S.QUEUED, error="no worker"),
        P.QUEUED,
        0,
        {"A01": Well(A.WAITING, attempt=1), "A02": Well(A.WAITING)},
    ),
    Case(
        "was worked on when its execution was killed",
        lambda s: s.run().prepare("A01", "A02").start("A01").work("A01", 2).status(S.FAILED, error="out of memory"),
        P.FAILED,
        50,
        {"A01": Well(A.FAILED, 50 / 3, "Denoise", "out of memory", 1), "A02": Well(A.WAITING)},
    ),
    Case(
        "was worked on when its execution was cancelled by force",
        lambda s: (
            s.run()
            .prepare("A01", "A02", "A03")
            .start("A01", "A02")
            .finish("A01")
            .work("A02", 2)
            .status(S.CANCELLING)
            .status(S.CANCELLED)
        ),
        P.CANCELLED,
        (100 + 50 / 3) / 3,
        {
            "A01": Well(A.COMPLETE, 100, "Measure", attempt=1),
            "A02": Well(A.CANCELLED, 50 / 3, "Denoise", attempt=1),
            "A03": Well(A.CANCELLED),
        },
    ),
    Case(
        "is of an interrupted execution that nobody resumes",
        lambda s: s.run().prepare("A01").start("A01").work("A01", 2).status(S.INTERRUPTED),
        P.INTERRUPTED,
        0,
        {"A01": Well(A.WAITING, attempt=1)},
    ),
    Case(
        "is open in an execution that is complete",
        lambda s: s.run().prepare("A01").start("A01").work("A01", 2).status(S.COMPLETE),
        P.COMPLETE,
        100,
        {"A01": Well(A.COMPLETE, 100, "Denoise", attempt=1)},
    ),
]
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def projected(script: EventScript) -> PlateProgress:
    projection = PlateProjection()
    for event in script.events:
        projection.apply(event)
    return projection.progress()


def board(script: EventScript) -> BoardView:
    run = RunProgress()
    for event in script.events:
        run.apply(event)
    return run.view()


def window(script: EventScript) -> PlateRecord:
    """A plate of a window, two events at a time."""
    record, feed = PlateRecord("/plate"), ExecutionFeed("e", lambda feed: None)
    record.begin_run(resume=False)
    for begin in range(0, len(script.events), 2):
        feed.put(list(script.events[begin : begin + 2]))
        record.apply(feed.take())
    snapshot = script.snapshot
    assert snapshot is not None
    if has_ended(snapshot.status, snapshot.resumable):
        record.end(PlateOutcome.of("/plate", snapshot))
    return record


def answer(well: AxisProgress) -> Well:
    return Well(well.state, pytest.approx(well.percent), well.step_name, well.error, well.attempt)  # type: ignore[arg-type]


@EVERY
def test_the_projection(case: Case) -> None:
    plate = projected(case.script())
    assert {well.axis_id: answer(well) for well in plate.axes} == case.wells
    assert plate.state is case.plate
    assert plate.percent == pytest.approx(case.percent)
    counts = (plate.axes_waiting, plate.axes_running, plate.axes_done, plate.axes_failed, plate.axes_cancelled)
    states = [well.state for well in case.wells.values()]
    assert counts == tuple(states.count(state) for state in AxisState)


@EVERY
def test_the_terminal(case: Case) -> None:
    script = case.script()
    view = board(script)
    assert view.wells == projected(script).axes
    assert view.plate.state is case.plate
    assert view.fraction == pytest.approx(case.percent / 100)
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    console.print(bars(view, height=40))
    assert isinstance(console.file, io.StringIO)
    lines = {line.split()[0]: line for line in console.file.getvalue().splitlines()}
    for axis_id, well in case.wells.items():
        assert f" {int(well.percent)} %" in lines[axis_id]
        assert well.error in lines[axis_id]
        assert bool(well.error) is ("failed:" in lines[axis_id])
    assert f" {int(case.percent)} %" in lines["Plate"]


@EVERY
def test_the_steps_in_the_terminal_view_and_in_the_window(case: Case) -> None:
    script, record = case.script(), StepRecord()
    for update in script.updates:
        record.apply(update)
    words = {
        A.COMPLETE: ": done",
        A.RUNNING: ": running",
        A.FAILED: ": failed",
        A.CANCELLED: ": stopped",  # the window's word, after its button Stop
        A.WAITING: "",
    }
    for well in board(script).wells:
        steps = record.steps_of(well)
        assert [step.state for step in steps] == [well.state_of_step(index) for index in range(len(STEPS))]
        assert f"{int(well.percent)} %" in well_details(well, steps, "").plain
        names = dict(enumerate(STEPS))
        assert step_lines(well, names) == [
            f"{index + 1}. {name}{words[step.state]}" for (index, name), step in zip(names.items(), steps, strict=True)
        ]


@EVERY
def test_the_json_document(case: Case) -> None:
    script = case.script()
    assert script.snapshot is not None
    progress = run_document(PlateExecution(script.snapshot), board(script))["progress"]
    states = [well.state for well in case.wells.values()]
    assert progress["percent"] == pytest.approx(case.percent)
    assert progress["wells"] == {state.value: states.count(state) for state in AxisState}
    assert progress["failed"] == {
        axis_id: well.error for axis_id, well in case.wells.items() if well.state is AxisState.FAILED
    }


@EVERY
def test_the_window(case: Case) -> None:
    record = window(case.script())
    assert {well.axis_id: answer(well) for well in record.wells.rows()} == case.wells
    row = record.row(is_lost=False).snapshot
    assert row.state is PlateStatus(case.plate.value)
    assert row.percent == pytest.approx(case.percent)
    assert row.failed_wells == sum(well.state is AxisState.FAILED for well in case.wells.values())
    assert present_plate(row).percent == int(case.percent)


@dataclass(frozen=True)
class TimeLeft:
    """A sequence of events, and how long the rest takes by it."""

    name: str
    script: EventScript
    seconds: float | None


WELLS = [f"A{number:02d}" for number in range(1, 13)]
TIMES = [
    TimeLeft("nothing has begun", _running(*WELLS).wait(600), None),
    TimeLeft("too early", _running(*WELLS).start("A01").wait(1).finish("A01"), None),
    TimeLeft("a quarter is done", _running(*WELLS).start(*WELLS[:3]).wait(60).finish(*WELLS[:3]), 180),
    TimeLeft("reading and checking took long", _running(*WELLS).wait(600).start("A01").wait(10).finish("A01"), 110),
    TimeLeft("half a well is done", _running("A01").start("A01").wait(40).finish_step("A01").work("A01", 2), 40),
    TimeLeft(
        "most is taken over",
        _running(*WELLS).take_over(*WELLS[:10]).wait(5).start("A11").wait(60).finish("A11"),
        60,
    ),
    TimeLeft("all is taken over", _running(*WELLS).wait(60).take_over(*WELLS), None),
    TimeLeft(
        "a failed well took only its time",
        _running("A01", "A02", "A03").start("A01", "A02").wait(60).finish("A01").fail("A02", "no such image"),
        60,
    ),
    TimeLeft(
        "cancelled wells are not to be done",
        _running(*WELLS).start("A01").wait(30).finish("A01").cancel(*WELLS[1:11]),
        30,
    ),
    TimeLeft(
        "a second attempt counts for itself",
        _goes_on(EventScript(STEPS, groups=4)).prepare("A01", "A02", "A03", "A04").take_over("A01")
        .start("A02").wait(20).finish("A02"),
        40,
    ),
    TimeLeft("it is cancelled", _running("A01", "A02").start("A01").wait(60).finish("A01").status(S.CANCELLING), None),
    TimeLeft("it is over", _running("A01", "A02").start("A01").wait(60).finish("A01").status(S.COMPLETE), None),
]  # fmt: skip


@pytest.mark.parametrize("case", TIMES, ids=lambda case: case.name)
def test_the_time_left_is_that_of_this_run(case: TimeLeft, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = None if case.seconds is None else pytest.approx(case.seconds)
    assert projected(case.script).remaining_seconds(case.script.now) == expected
    assert board(case.script).plate.remaining_seconds(case.script.now) == expected
    record = window(case.script)
    monkeypatch.setattr("openhcs_gui_services.services.plates.record.time.time", lambda: case.script.now)
    assert record.row(is_lost=False).snapshot.remaining_seconds == expected


def test_a_resumed_run_of_a_window_counts_only_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    record = window(_running(*WELLS).start(*WELLS[:10]).finish(*WELLS[:10]).wait(600).status(S.CANCELLED))
    record.begin_run(resume=True)
    assert [well.state for well in record.wells.rows()] == [A.COMPLETE] * 10 + [A.WAITING] * 2
    resumed = EventScript(STEPS, groups=4, execution_id="f").wait(1000).run().prepare(*WELLS)
    feed = ExecutionFeed("f", lambda feed: None)
    feed.put(list(resumed.events))
    record.apply(feed.take())
    assert [well.state for well in record.wells.rows()].count(A.COMPLETE) == 10, "also before they are reported"
    resumed.events.clear()
    feed.put(list(resumed.start("A11").wait(60).finish("A11").events))
    record.apply(feed.take())
    monkeypatch.setattr("openhcs_gui_services.services.plates.record.time.time", lambda: resumed.now)
    row = record.row(is_lost=False).snapshot
    assert row.percent == pytest.approx(1100 / 12)
    assert row.remaining_seconds == pytest.approx(60)
