"""The executor: many executions are cancelled together, and a worker that is cut off counts as dead."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import task_functions as functions

from zmqruntime import ServerLostError
from zmqruntime.execution import Executor, TaskError, TaskTimeoutError
from zmqruntime.execution.executor.mapping import mapped
from zmqruntime.messages import CancelManyResponse


@pytest.fixture
def executor(isolated_home: Path) -> Iterator[Executor]:
    """An executor with one worker, whose server ends with it."""
    with Executor("stops", max_workers=1, persistent=False, cancel_grace=0.5) as made:
        yield made


def test_what_a_map_that_is_left_has_queued_does_not_start(executor: Executor, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    results = executor.map(functions.hold, [str(tmp_path / "there"), *[str(tmp_path / "missing")] * 300])
    assert next(results) == "let go"
    results.close()  # type: ignore[attr-defined]
    assert executor.submit(functions.add, 1).result(60) == 2
    cancelled = [each for each in executor.executions(1000) if each.status == "cancelled"]
    assert len(cancelled) == 300
    assert sum(each.started_at is not None for each in cancelled) <= 1


def test_a_cancel_of_many_says_what_it_does(executor: Executor, tmp_path: Path) -> None:
    ended = executor.submit(functions.no_op)
    ended.result(60)
    running = executor.submit(functions.hold, str(tmp_path / "go"))
    next(iter(running.events()))
    first = executor.submit(functions.no_op)
    queued = [first, executor.submit(functions.no_op, after=[first]), executor.submit(functions.no_op)]
    while not running.running():
        next(iter(running.events()))
    ids = [ended.execution_id, running.execution_id, *(each.execution_id for each in queued)]
    reply = executor.client.cancel_many([*ids, "unknown"], queued_only=True)
    assert reply == CancelManyResponse(not_run=3, going_on=1, ended=1, unknown=1)
    assert [executor.client.wait(each.execution_id, 60).status for each in queued] == ["cancelled"] * 3
    assert executor.client.cancel_many(ids, 0.5) == CancelManyResponse(stopping=1, ended=4)
    assert executor.client.wait(running.execution_id, 60).status == "cancelled"


def test_a_worker_without_its_descriptors_is_replaced(executor: Executor, tmp_path: Path) -> None:
    once = executor.options(resumable=False)
    (tmp_path / "there").touch()
    for path in ("there", "missing"):  # it notices that itself, and its guard does while the function goes on
        with pytest.raises(TaskError, match="a function closed descriptors that it had not opened"):
            once.submit(functions.close_all, str(tmp_path / path)).result(60)
    worker, computed = executor.submit(functions.close_output).result(60)
    assert computed < 0.05
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(worker).wait(60)
    printing = executor.submit(functions.hold, str(tmp_path / "there"))
    assert printing.result(60) == "let go"
    assert [line.text != str(worker) for line in printing.logs()] == [True]


def test_a_time_limit_is_a_timeout(executor: Executor) -> None:
    with pytest.raises(TimeoutError, match=r"it exceeded its time limit of 0\.2 s") as late:
        executor.options(time_limit=0.2).submit(functions.stubborn).result(60)
    assert isinstance(late.value, TaskTimeoutError)


def test_a_map_ends_with_its_own_error_where_the_rest_cannot_be_cancelled() -> None:
    class Lost:
        def result(self, timeout: float | None = None) -> None:
            raise ServerLostError("the server ended")

    def cancel(waiting: object) -> None:
        raise ServerLostError("no reply")

    def submit(chunks: Sequence[object]) -> list[Any]:
        return [Lost() for _ in chunks]

    results = mapped(submit, cancel, [[1, 2]], timeout=None, chunksize=1, buffersize=None)
    with pytest.raises(ServerLostError, match="the server ended") as failed:
        next(results)
    assert "no reply" in failed.value.__notes__[0]


def test_events_with_values_of_functions_can_be_dictionaries(executor: Executor) -> None:
    future = executor.submit(functions.identity, (1, 2))
    assert future.result(60) == (1, 2)
    assert [event.to_dict()["type"] for event in future.events()][-1] == "state"
