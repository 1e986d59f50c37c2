"""The executor: functions as tasks, futures that outlive their program."""

import asyncio
import concurrent.futures
from collections.abc import Iterator
from pathlib import Path

import pytest
import task_functions as functions

from zmqruntime.execution import Executor, TaskError
from zmqruntime.execution.executor.errors import RemoteTraceback


@pytest.fixture
def executor(isolated_home: Path) -> Iterator[Executor]:
    """An executor whose server ends with it."""
    with Executor("test", max_workers=2, persistent=False) as made:
        yield made


def test_a_function_is_a_task(executor: Executor) -> None:
    future = executor.submit(functions.add, 2, b=3)
    assert future.result(60) == 5
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)
    assert future.snapshot().status == "complete"
    again = executor.future(future.execution_id)
    assert again.result(60) == 5
    both = [executor.submit(functions.identity, value) for value in ((1, 2), {3}, Path("/a"))]
    assert {repr(done.result()) for done in concurrent.futures.as_completed(both, 60)} == {
        "(1, 2)",
        "{3}",
        "PosixPath('/a')",
    }
    assert list(executor.map(functions.add, range(5), range(5))) == [0, 2, 4, 6, 8]
    assert list(executor.map(functions.add, range(5), chunksize=2)) == [1, 2, 3, 4, 5]

    async def awaited() -> object:
        return await executor.submit(functions.identity, "x")

    assert asyncio.run(awaited()) == "x"


def test_errors_come_back_as_they_were(executor: Executor) -> None:
    with pytest.raises(functions.Odd, match="odd 3") as odd:
        executor.submit(functions.fail, "odd").result(60)
    assert odd.value.why == "it is"
    assert isinstance(odd.value.__cause__, RemoteTraceback)
    assert "task_functions.py" in str(odd.value.__cause__)
    assert "running.py" not in str(odd.value.__cause__)
    with pytest.raises(FileNotFoundError) as missing:
        executor.submit(functions.fail, "os").result(60)
    assert missing.value.filename == "/nowhere/at/all"
    with pytest.raises(TaskError, match="Local: not importable"):
        executor.submit(functions.fail, "local").result(60)


def test_a_decorated_function_has_its_options(isolated_home: Path) -> None:
    assert functions.scaled(2.0) == 4.0
    with Executor("decorated", persistent=False) as executor:
        future = executor.submit(functions.scaled, 3.0, factor=3.0)
        assert future.result(60) == 9.0
        assert executor._link.client.submission_of(future.execution_id).priority == 2
