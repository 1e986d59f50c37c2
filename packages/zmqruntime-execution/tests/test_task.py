"""Tasks without a server: local ones, detached ones, and processes that join."""

import multiprocessing
import threading
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import zmq
from hypothesis import given, strategies as st

from zmqruntime import LogLine, ProgressPhase, ProgressStatus, ProgressUpdate
from zmqruntime.codec import encode
from zmqruntime.execution import InvalidProgressError, TaskCancelled, TaskLink, current_task, join_task, local_task
from zmqruntime.execution.events.compaction import is_superseded_by_next, merge
from zmqruntime.execution.tasks.hub import TaskHub
from zmqruntime.execution.tasks.task import TaskReport
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import LogLevel

GOOD: dict[str, Any] = {
    "axis_id": "B06",
    "step_name": "SegmentNuclei",
    "step_index": 2,
    "total_steps": 7,
    "phase": ProgressPhase.PATTERN_GROUP,
    "status": ProgressStatus.RUNNING,
    "completed": 14,
    "total": 50,
}
STARTED = {**GOOD, "phase": ProgressPhase.STEP_STARTED}


def member(link: TaskLink, axis_id: str, count: int) -> None:
    with join_task(link) as task:
        assert current_task() is task
        for number in range(count):
            task.report(**{**STARTED, "axis_id": axis_id, "completed": number, "total": count})
        task.log.info("%s is done", axis_id)
        task.checkpoint(axis_id, {"count": count})
        try:
            task.check_cancelled("A02")
        except TaskCancelled:
            task.log.info("%s saw the cancel", axis_id)


def canceller(link: TaskLink) -> None:
    with join_task(link) as task:
        task.request_cancel()


def failing_member(link: TaskLink) -> None:
    with join_task(link) as task:
        task.log.info("before the end")
        raise SystemExit(3)


def hooked_member(link: TaskLink, writer: Any) -> None:
    told = threading.Event()

    def note(axis_id: str | None) -> None:
        writer.send((axis_id, current_task().execution_id))
        if axis_id is None:
            told.set()

    with join_task(link) as task, task.on_cancel(note):
        task.log.info("hooked")
        assert told.wait(30)


def test_a_line_is_of_the_axis_that_is_worked_on() -> None:
    lines: list[LogLine] = []
    with local_task(lambda event: lines.append(event) if isinstance(event, LogLine) else None) as task:
        task.log.info("before")
        with task.axis("B06"):
            task.log.info("within")
            task.send_line(LogLevel.INFO, "mine", "of another", axis_id="C01")
        task.log.info("after")
    assert [(line.text, line.axis_id) for line in lines] == [
        ("before", ""), ("within", "B06"), ("of another", "C01"), ("after", ""),
    ]  # fmt: skip


def spawn(target: Any, *arguments: Any) -> int | None:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    process.join()
    code = process.exitcode
    process.close()
    return code


def test_outside_of_any_task_nothing_is_cancelled_and_reports_go_nowhere() -> None:
    task = current_task()
    task.report(**GOOD)
    task.log.info("nobody hears this")
    task.check_cancelled("A01")
    assert not task.cancelled
    assert task.checkpoints() == {}
    with pytest.raises(RuntimeError, match="outside of any task"):
        task.link()


def test_local_task_numbers_and_completes_what_is_reported() -> None:
    seen: list[TaskReport] = []
    with local_task(seen.append, plate_id="/data/plate_01") as task:
        assert current_task() is task
        task.report(**GOOD)
        task.report(**{**GOOD, "completed": 0, "total": 0})
        task.log.error("a %s", "line")
    assert current_task() is not task
    first, second, line = seen
    assert isinstance(first, ProgressUpdate)
    assert (first.sequence, first.percent, first.plate_id) == (1, 28.0, "/data/plate_01")
    assert first.execution_id == task.execution_id
    assert isinstance(second, ProgressUpdate)
    assert (second.sequence, second.percent) == (2, 0.0)
    assert isinstance(line, LogLine)
    assert (line.sequence, line.level, line.text) == (1, "error", "a line")


def test_a_checkpoint_is_not_overtaken_by_what_is_reported_after_it() -> None:
    loop = SocketLoop("never runs")
    order: list[str] = []
    hub = TaskHub(
        loop,
        "e",
        "p",
        lambda reports: order.extend(str(report.sequence) for report in reports),
        on_checkpoint=lambda key, value: order.append(key),
    )
    for number in range(3):
        hub.task.checkpoint(f"kept {number}", number)
        hub.task.report(**STARTED)
    hub.close()
    loop.dispose()
    assert order == ["kept 0", "kept 1", "kept 2", "1", "2", "3"]


@pytest.mark.parametrize(
    "change",
    [
        {"completed": 51},
        {"completed": -1},
        {"completed": "many"},
        {"phase": "thinking"},
        {"status": "done"},
        {"axis_id": 6},
        {"axis_id": "\ud800"},
        {"axis_id": Path("A01")},
        {"total": 1.5},
        {"message": "x" * 300_000},
    ],
)
def test_what_breaks_the_schema_is_refused_where_it_is_sent(change: dict[str, Any]) -> None:
    seen: list[TaskReport] = []
    with local_task(seen.append) as task, pytest.raises(InvalidProgressError):
        task.report(**{**GOOD, **change})
    assert not seen


def test_a_failing_callback_does_not_fail_the_task() -> None:
    seen: list[int] = []

    def callback(report: TaskReport) -> None:
        seen.append(report.sequence)
        raise ValueError("the callback is broken")

    with local_task(callback) as task:
        task.report(**GOOD)
        task.report(**GOOD)
    assert seen == [1, 2]


def test_cancel_reaches_the_whole_or_one_axis() -> None:
    with local_task() as task:
        task.request_cancel("A02")
        task.check_cancelled()
        task.check_cancelled("A01")
        with pytest.raises(TaskCancelled, match="A02"):
            task.check_cancelled("A02")
        assert not task.cancelled
        task.request_cancel()
        assert task.cancelled
        with pytest.raises(TaskCancelled):
            task.check_cancelled("A01")


def test_a_hook_is_told_once_of_each_cancel_and_outside_of_the_thread_that_asked() -> None:
    told: Queue[tuple[str | None, bool, bool]] = Queue()
    here = threading.current_thread()

    def note(axis_id: str | None) -> None:
        told.put((axis_id, current_task() is task, threading.current_thread() is here))
        raise ValueError("is logged and harms nobody")

    with local_task() as task, task.on_cancel(note):
        for axis_id in ("A02", "A02", None, None):
            task.request_cancel(axis_id)
        assert {told.get(timeout=10) for _ in range(2)} == {("A02", True, False), (None, True, False)}
        with task.on_cancel(note):  # late, and told at once
            assert [told.get_nowait() for _ in range(2)] == [(None, True, True), ("A02", True, True)]
    assert told.empty()


def test_a_stuck_hook_holds_up_neither_the_task_nor_its_reports() -> None:
    entered, release = threading.Event(), threading.Event()
    seen: Queue[TaskReport] = Queue()

    def stick(axis_id: str | None) -> None:
        entered.set()
        release.wait(60)

    with local_task(seen.put) as task, task.on_cancel(stick):
        task.request_cancel()
        assert entered.wait(10)
        task.report(**GOOD)
        assert seen.get(timeout=10)
    release.set()


def test_a_hook_that_was_closed_is_told_nothing() -> None:
    told: list[str | None] = []
    with local_task() as task:
        hook = task.on_cancel(told.append)
        hook.close()
        hook.close()
        with task.on_cancel(told.append):
            pass
        with task.on_cancel(lambda axis_id: done.set()):
            done = threading.Event()
            task.request_cancel()
            assert done.wait(10)
        with current_task().on_cancel(told.append):
            pass
    assert told == [None]  # by the last one, which came when the task was cancelled already


def test_a_hook_in_a_joined_process_is_told() -> None:
    seen: Queue[TaskReport] = Queue()
    reader, writer = multiprocessing.get_context("spawn").Pipe(duplex=False)
    with reader, writer, local_task(seen.put) as task:
        thread = threading.Thread(target=spawn, args=(hooked_member, task.link(), writer))
        thread.start()
        assert isinstance(seen.get(timeout=30), LogLine)
        task.request_cancel("A01")
        assert reader.poll(10)
        assert reader.recv() == ("A01", task.execution_id)
        task.request_cancel()
        assert reader.poll(10)
        assert reader.recv() == (None, task.execution_id)
        thread.join()


def test_joined_processes_report_in_order_and_all_has_arrived_when_they_leave() -> None:
    seen: list[TaskReport] = []
    with local_task(seen.append) as task:
        task.request_cancel("A02")
        link = task.link()
        threads = [threading.Thread(target=spawn, args=(member, link, axis, 200)) for axis in ("A01", "A02")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert task.checkpoints() == {"A01": {"count": 200}, "A02": {"count": 200}}
    progress = [report for report in seen if isinstance(report, ProgressUpdate)]
    assert [report.sequence for report in progress] == list(range(1, 401))
    for axis in ("A01", "A02"):
        assert [report.completed for report in progress if report.axis_id == axis] == list(range(200))
    texts = sorted(report.text for report in seen if isinstance(report, LogLine))
    assert texts == ["A01 is done", "A01 saw the cancel", "A02 is done", "A02 saw the cancel"]


def test_a_joined_process_can_cancel_and_what_it_said_before_it_failed_arrives() -> None:
    seen: list[TaskReport] = []
    with local_task(seen.append) as task:
        link = task.link()
        assert spawn(canceller, link) == 0
        assert task.cancelled
        assert spawn(failing_member, link) == 3
    assert [report.text for report in seen if isinstance(report, LogLine)] == ["before the end"]


def test_a_wrong_token_gets_nothing() -> None:
    with local_task() as task, zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        link = task.link()
        stranger.linger = 0
        stranger.connect(link.url)
        for message in ({"type": "cancel_task", "axis_id": None}, {"type": "hello", "token": "guess"}, "rubbish"):
            stranger.send(encode(message))
        stranger.send(encode({"type": "cancel_task", "axis_id": "A03"}))
        assert spawn(member, link, "A01", 1) == 0
        assert not task.is_cancelled("A03")
        assert not stranger.poll(0)


reports = st.lists(
    st.tuples(st.sampled_from(["A01", "A02"]), st.integers(0, 2), st.sampled_from(ProgressPhase), st.integers(0, 9)),
    max_size=60,
)


@given(reports)
def test_merging_drops_only_superseded_progress(drawn: list[tuple[str, int, ProgressPhase, int]]) -> None:
    updates = [
        ProgressUpdate(
            execution_id="e",
            plate_id="p",
            axis_id=axis,
            step_name="s",
            step_index=step,
            total_steps=3,
            phase=phase,
            status=ProgressStatus.RUNNING,
            completed=completed,
            total=10,
            percent=0.0,
            timestamp=float(place),
            sequence=0,
        )
        for place, (axis, step, phase, completed) in enumerate(drawn)
    ]
    merged = merge(updates)
    assert [report for report in updates if report in merged] == merged
    dropped = [report for report in updates if report not in merged]
    for report in dropped:
        assert is_superseded_by_next(report)
        later = updates[updates.index(report) + 1 :]
        assert any(
            is_superseded_by_next(other) and (other.axis_id, other.step_index) == (report.axis_id, report.step_index)
            for other in later
            if other in merged
        )
