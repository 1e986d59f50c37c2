"""Projections: what updates say of axes, plates and batches, whatever their order."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from zmqruntime import ExecutionSnapshot, ExecutionStatus, ProgressPhase, ProgressStatus, ProgressUpdate
from zmqruntime.execution import (
    AxisState,
    BatchProgress,
    PlateProgress,
    PlateProjection,
    PlateState,
    ProgressRegistry,
    Work,
    project_axis,
    project_batch,
    project_plate,
)
from zmqruntime.execution.progress.axes import AxisTable, AxisTracker
from zmqruntime.execution.testing import EventScript

P, S, A, PS = ProgressPhase, ProgressStatus, AxisState, PlateState
STEPS = 3
GROUPS = 4


class Run:
    """Makes the updates of one execution, numbered as they are made."""

    def __init__(self) -> None:
        self.updates: list[ProgressUpdate] = []

    def say(
        self,
        axis_id: str,
        phase: ProgressPhase,
        status: ProgressStatus = S.RUNNING,
        *,
        step: int = 0,
        completed: int = 0,
        total: int = GROUPS,
        error: str | None = None,
    ) -> None:
        made = ProgressUpdate(
            execution_id="e",
            plate_id="p",
            axis_id=axis_id,
            step_name=f"step {step}",
            step_index=step,
            total_steps=STEPS,
            phase=phase,
            status=status,
            completed=completed,
            total=total,
            percent=100 * completed / total,
            timestamp=1.0,
            sequence=len(self.updates) + 1,
            error=error,
        )
        self.updates.append(made)

    def step(self, axis_id: str, step: int) -> None:
        self.say(axis_id, P.STEP_STARTED, S.STARTED, step=step)
        for group in range(1, GROUPS + 1):
            self.say(axis_id, P.PATTERN_GROUP, step=step, completed=group)
        self.say(axis_id, P.STEP_COMPLETED, S.COMPLETED, step=step, completed=GROUPS)

    def axis(self, axis_id: str) -> None:
        self.say(axis_id, P.AXIS_STARTED, S.STARTED)
        for step in range(STEPS):
            self.step(axis_id, step)
        self.say(axis_id, P.AXIS_COMPLETED, S.COMPLETED, step=STEPS, completed=GROUPS)

    def prepare(self, *axes: str) -> None:
        for phase in (P.INIT, P.COMPILE):
            self.say("", phase, S.STARTED)
            self.say("", phase, S.COMPLETED, completed=GROUPS)
        for axis_id in axes:
            self.say(axis_id, P.COMPILE, S.COMPLETED, completed=GROUPS)

    def plate(self, status: ExecutionStatus | None = None, **more: Any) -> PlateProgress:
        return project_plate(self.updates, None if status is None else snapshot(status, **more))


def snapshot(status: ExecutionStatus, **more: Any) -> ExecutionSnapshot:
    return ExecutionSnapshot(execution_id="e", plate_id="p", status=status, submitted_at=0.0, **more)


@pytest.fixture
def run() -> Run:
    return Run()


def test_a_plate_from_its_submission_to_its_end(run: Run) -> None:
    assert run.plate().state is PS.QUEUED
    assert run.plate(ExecutionStatus.QUEUED).state is PS.QUEUED
    assert run.plate(ExecutionStatus.RUNNING).state is PS.RUNNING
    run.say("", P.INIT, S.STARTED)
    assert run.plate(ExecutionStatus.RUNNING).state is PS.INIT_PENDING
    run.say("", P.INIT, S.COMPLETED, completed=GROUPS)
    run.say("", P.COMPILE, S.STARTED)
    assert run.plate(ExecutionStatus.RUNNING).state is PS.COMPILE_PENDING
    run.say("A01", P.COMPILE, S.COMPLETED, completed=GROUPS)
    assert run.plate(ExecutionStatus.RUNNING).state is PS.COMPILE_PENDING
    run.say("", P.COMPILE, S.COMPLETED, completed=GROUPS)
    run.say("A02", P.COMPILE, S.COMPLETED, completed=GROUPS)
    plate = run.plate(ExecutionStatus.RUNNING)
    assert (plate.state, plate.percent, plate.axes_total, plate.axes_running) == (PS.RUNNING, 0.0, 2, 0)
    run.axis("A01")
    run.say("A02", P.AXIS_STARTED, S.STARTED)
    run.step("A02", 0)
    plate = run.plate(ExecutionStatus.RUNNING)
    assert plate.percent == pytest.approx((100 + 100 / 3) / 2)
    assert (plate.axes_done, plate.axes_running) == (1, 1)
    ended = run.plate(ExecutionStatus.COMPLETE)
    assert (ended.state, ended.percent, ended.has_ended) == (PS.COMPLETE, 100.0, True)
    assert not run.plate().has_ended


def test_an_axis_shows_the_step_that_it_is_in(run: Run) -> None:
    run.say("B06", P.AXIS_STARTED, S.STARTED)
    run.step("B06", 0)
    run.say("B06", P.PATTERN_GROUP, step=1, completed=2)
    (axis,) = run.plate().axes
    assert (axis.state, axis.step_name, axis.step_index, axis.total_steps) == (A.RUNNING, "step 1", 1, STEPS)
    assert axis.percent == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("status", "state", "percent"), [(S.ERROR, A.FAILED, 100.0), (S.CANCELLED, A.CANCELLED, 100 / 6)]
)
def test_an_axis_that_ends_badly_says_where_and_why(
    run: Run, status: ProgressStatus, state: AxisState, percent: float
) -> None:
    run.say("B06", P.AXIS_STARTED, S.STARTED)
    run.say("B06", P.PATTERN_GROUP, step=0, completed=2)
    run.say("B06", P.AXIS_COMPLETED, status, error="no such file")
    plate = run.plate()
    (axis,) = plate.axes
    assert (axis.state, axis.error, axis.step_name) == (state, "no such file", "step 0")
    assert axis.percent == pytest.approx(100 / 6)
    assert plate.percent == pytest.approx(percent)
    assert (plate.axes_failed, plate.axes_cancelled) == (int(state is A.FAILED), int(state is A.CANCELLED))
    assert (plate.state, plate.error) == (PS.RUNNING, "")


def test_a_task_that_reports_only_steps_is_shown_too(run: Run) -> None:
    run.say("all", P.PATTERN_GROUP, completed=2)
    assert run.plate().axes[0].state is A.RUNNING
    run.say("all", P.PATTERN_GROUP, S.ERROR, completed=2, error="broke")
    assert (run.plate().axes[0].state, run.plate().axes[0].error) == (A.FAILED, "broke")
    run.say("all", P.PATTERN_GROUP, completed=3)
    assert (run.plate().axes[0].state, run.plate().axes[0].error) == (A.RUNNING, "")


def test_a_task_without_axes_has_the_percent_of_its_steps(run: Run) -> None:
    run.say("", P.PATTERN_GROUP, step=1, completed=2)
    assert run.plate().axes == ()
    assert run.plate().percent == pytest.approx(50.0)


def test_an_axis_that_ended_stays_ended_until_it_is_started_again(run: Run) -> None:
    run.axis("A01")
    run.say("A01", P.PATTERN_GROUP, step=1, completed=1)
    run.say("A01", P.COMPILE, S.COMPLETED, completed=GROUPS)
    assert run.plate().axes[0].state is A.COMPLETE
    run.say("A01", P.AXIS_STARTED, S.STARTED)
    axis = run.plate().axes[0]
    assert (axis.state, axis.percent, axis.step_name) == (A.RUNNING, 0.0, "")


def test_a_second_attempt_is_pending_again(run: Run) -> None:
    run.prepare("A01")
    run.axis("A01")
    run.say("", P.INIT, S.STARTED)
    assert run.plate(ExecutionStatus.RUNNING).state is PS.INIT_PENDING


def test_only_the_server_says_that_it_is_over(run: Run) -> None:
    run.prepare("A01")
    run.axis("A01")
    assert run.plate(ExecutionStatus.RUNNING).state is PS.RUNNING
    for status in ExecutionStatus:
        if status is not ExecutionStatus.RUNNING:
            assert run.plate(status).state == status.value
    failed = run.plate(ExecutionStatus.FAILED, error="the worker died")
    assert (failed.state, failed.error, failed.has_ended) == (PS.FAILED, "the worker died", True)
    assert not run.plate(ExecutionStatus.INTERRUPTED, resumable=True).has_ended
    assert run.plate(ExecutionStatus.INTERRUPTED).has_ended


def test_a_preparation_that_fails_fails_the_plate_and_the_server_overrules(run: Run) -> None:
    run.say("", P.COMPILE, S.ERROR, error="no such function")
    assert (run.plate().state, run.plate().error) == (PS.FAILED, "no such function")
    assert run.plate(ExecutionStatus.RUNNING).state is PS.RUNNING
    run.say("", P.COMPILE, S.CANCELLED)
    assert run.plate().state is PS.CANCELLED


def test_contradictory_numbers_stay_within_bounds(run: Run) -> None:
    run.say("A01", P.PATTERN_GROUP, step=17, completed=GROUPS)
    assert run.plate().axes[0].percent == 100.0


def test_nothing_is_known_of_an_axis_without_updates() -> None:
    assert project_axis("A01", {}).state is A.WAITING


def test_a_batch_counts_plates_and_has_one_percent(run: Run) -> None:
    assert project_batch([]) == BatchProgress(
        total=0, queued=0, pending=0, running=0, complete=0, failed=0, cancelled=0, interrupted=0, percent=0.0
    )
    run.say("A01", P.PATTERN_GROUP, step=1, completed=2)
    empty = Run()
    pending = Run()
    pending.say("", P.COMPILE, S.STARTED)
    plates = [
        run.plate(ExecutionStatus.RUNNING),
        run.plate(ExecutionStatus.FAILED),
        run.plate(ExecutionStatus.COMPLETE),
        run.plate(ExecutionStatus.CANCELLING),
        empty.plate(ExecutionStatus.QUEUED),
        pending.plate(ExecutionStatus.RUNNING),
    ]
    assert project_batch(plates) == BatchProgress(
        total=6,
        queued=1,
        pending=1,
        running=2,
        complete=1,
        failed=1,
        cancelled=0,
        interrupted=0,
        percent=(50 + 100 + 100 + 50) / 6,
    )


anything = st.lists(
    st.tuples(
        st.sampled_from(["", "A01", "B06"]),
        st.sampled_from(P),
        st.sampled_from(S),
        st.integers(0, STEPS),
        st.integers(0, GROUPS),
    ),
    max_size=25,
)
statuses = st.none() | st.sampled_from(ExecutionStatus)


@given(anything, statuses, st.data())
def test_any_order_and_repetition_gives_the_same_plate(
    said: list[tuple[str, ProgressPhase, ProgressStatus, int, int]],
    status: ExecutionStatus | None,
    data: st.DataObject,
) -> None:
    run = Run()
    for axis_id, phase, of_phase, step, completed in said:
        run.say(axis_id, phase, of_phase, step=step, completed=completed)
    plate = run.plate(status)
    again = data.draw(st.lists(st.sampled_from(run.updates))) if said else []
    mixed = data.draw(st.permutations(run.updates + again))
    assert project_plate(mixed, None if status is None else snapshot(status)) == plate
    assert 0 <= plate.percent <= 100
    assert plate.axes_running + plate.axes_done + plate.axes_failed + plate.axes_cancelled <= plate.axes_total
    assert all(0 <= axis.percent <= 100 for axis in plate.axes)
    assert 0 <= project_batch([plate, plate]).percent <= 100


@settings(deadline=None)  # a busy machine is slow
@given(st.data())
def test_percent_never_goes_back_in_whatever_order_a_run_arrives(data: st.DataObject) -> None:
    run = Run()
    axes = ["A01", "A02"]
    run.prepare(*axes)
    for axis_id in axes:
        run.say(axis_id, P.AXIS_STARTED, S.STARTED)
    for step in range(STEPS):
        for axis_id in axes:
            run.step(axis_id, step)
    for axis_id in axes:
        run.say(axis_id, P.AXIS_COMPLETED, S.COMPLETED)
    announced = [update for update in run.updates if update.phase is P.COMPILE]
    others = [update for update in run.updates if update not in announced]
    arriving = announced + data.draw(st.permutations(others))
    before = dict.fromkeys(["", *axes], 0.0)
    for count in range(len(announced), len(arriving) + 1):
        plate = project_plate(arriving[:count])
        now = {"": plate.percent, **{axis.axis_id: axis.percent for axis in plate.axes}}
        assert all(now[axis_id] >= before[axis_id] for axis_id in before)
        before = now
    assert before == dict.fromkeys(before, 100.0)


happenings = st.lists(
    st.tuples(
        st.sampled_from(["start", "work", "finish_step", "finish", "fail", "cancel", "take_over", "prepare", "status"]),
        st.sampled_from(["A01", "A02", "B06"]),
        st.sampled_from([status for status in ExecutionStatus if status is not ExecutionStatus.COMPLETE]),
    ),
    max_size=30,
)


def happen(script: EventScript, kind: str, axis_id: str, status: ExecutionStatus) -> None:
    match kind:
        case "status":
            script.status(status, resumable=True)
        case "work":
            script.work(axis_id, 2)
        case "fail":
            script.fail(axis_id, "broke")
        case _:
            getattr(script, kind)(axis_id)


@given(happenings, st.data())
def test_it_is_the_same_however_often_somebody_looks(
    happened: list[tuple[str, str, ExecutionStatus]], data: st.DataObject
) -> None:
    script = EventScript()
    for each in happened:
        happen(script, *each)
    seldom, often = PlateProjection(), PlateProjection()
    tracker, table = AxisTracker(), AxisTable()
    for event in script.events:
        seldom.apply(event)
        often.apply(event)
        if isinstance(event, ProgressUpdate):
            tracker.on_progress(event)
        else:
            tracker.on_execution(event.execution, event.timestamp)
        if data.draw(st.booleans()):
            often.progress()
            table.put(tracker.take_changes())
    table.put(tracker.take_changes())
    assert often.progress().axes == tuple(table) == seldom.progress().axes
    assert_adds_up(seldom.progress())
    assert_adds_up(often.progress())


def assert_adds_up(plate: PlateProgress) -> None:
    """The sums are those of the axes."""
    axes = plate.axes
    done = [100.0 if axis.state is A.FAILED else axis.percent for axis in axes]
    if axes and plate.state is not PS.COMPLETE:
        assert plate.percent == pytest.approx(sum(done) / len(axes))
    assert plate.axes_total == len(axes)
    assert plate.axes_waiting == sum(axis.state is A.WAITING for axis in axes)
    worked = sum(axis.percent for axis in axes if not axis.is_taken_over)
    left = sum(100 - axis.percent for axis in axes if not axis.state.has_ended)
    assert plate.work.done == pytest.approx(worked / 100)
    assert plate.work.left == pytest.approx(left / 100)


def test_the_newest_updates_of_a_registry_are_enough() -> None:
    script = EventScript().run().prepare("A01", "A02", "A03").start("A01", "A02")
    script.finish("A01").finish_step("A02").work("A02", 2).take_over("A03")
    registry = ProgressRegistry()
    for update in script.updates:
        registry.add(update)
    assert project_plate(registry.updates("e"), script.snapshot) == project_plate(script.updates, script.snapshot)


def test_an_attempt_is_counted_once_however_often_its_start_arrives() -> None:
    script = EventScript().start("A01").work("A01", 1).start("A01").work("A01", 1)
    assert project_plate(script.updates + script.updates[:1]).axes[0].attempt == 2


def test_a_hundred_percent_is_exact_after_many_small_steps() -> None:
    table, tracker = AxisTable(), AxisTracker()
    script = EventScript(groups=7)
    for number in range(50):
        script.start(f"A{number}").finish(f"A{number}")
    for update in script.updates:
        tracker.on_progress(update)
        table.put(tracker.take_changes())
    assert table.percent == 100.0


def test_work_says_how_long_the_rest_takes() -> None:
    assert Work(done=2.0, left=6.0, since=100.0).remaining_seconds(160.0) == 180.0
    assert Work(done=2.0, left=0.0, since=100.0).remaining_seconds(160.0) == 0.0
    assert Work(done=2.0, left=6.0).remaining_seconds(160.0) is None
    assert Work(done=0.0, left=0.0, since=100.0).remaining_seconds(160.0) is None
    assert Work(done=0.001, left=6.0, since=100.0).remaining_seconds(160.0) is None
    assert Work(done=2.0, left=6.0, since=100.0).remaining_seconds(101.0) is None


def counted(axis_id: str, done: int, total: int, at: float, message: str | None = None) -> ProgressUpdate:
    return ProgressUpdate(
        execution_id="e", plate_id="", axis_id=axis_id, step_name=axis_id, step_index=0, total_steps=1,
        phase=ProgressPhase.PATTERN_GROUP, status=ProgressStatus.RUNNING, completed=done, total=total,
        percent=100.0 * done / total if total else 0.0, timestamp=at, message=message,
    )  # fmt: skip


def test_a_task_that_counts_is_as_far_as_the_loops_that_are_not_done() -> None:
    running = EventScript().run().snapshot
    load = [counted("load", 0, 10, 1000.0), counted("load", 10, 10, 1001.0)]
    train = [counted("train", 0, 10, 1001.0), counted("train", 3, 10, 1031.0, "batch 5/9")]
    plate = project_plate(load + train, running)
    assert (plate.percent, plate.text) == (30.0, "train 3/10, batch 5/9")
    assert plate.remaining_seconds(1031.0) == pytest.approx(70.0)
    assert msgspec.structs.replace(plate, percent=100.0).remaining_seconds(1031.0) is None
    side_by_side = project_plate([*load, *train, counted("save", 1, 2, 1031.0)], running)
    assert side_by_side.percent == 40.0
    assert project_plate(load, running).percent == 100.0
    unknown = project_plate([counted("", 0, 0, 1000.0, "5 done")], running)
    assert (unknown.percent, unknown.text, unknown.remaining_seconds(1100.0)) == (0.0, "5 done", None)
    again = project_plate([*load, counted("load", 1, 10, 2000.0)], running)
    assert again.percent == 10.0


def test_a_task_with_axes_that_are_started_is_more_than_its_loops() -> None:
    plate = project_plate(EventScript().run().start("A01", "B01").finish("A01").work("B01", 2).updates)
    assert plate.text == ""
    assert plate.percent > 50.0
