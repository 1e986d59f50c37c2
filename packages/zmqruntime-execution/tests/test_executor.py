"""The executor: functions as tasks, futures that outlive their program."""

import asyncio
import concurrent.futures
from collections.abc import Iterator
from pathlib import Path

import pytest
import task_functions as functions

from zmqruntime import Security, ZMQConfig
from zmqruntime.exceptions import ConfigurationError, UnsendableError
from zmqruntime.execution import Executor, KeyUsedError, TaskError
from zmqruntime.execution.executor.calls import Call
from zmqruntime.execution.executor.errors import RemoteTraceback
from zmqruntime.execution.executor.names import port_of
from zmqruntime.execution.executor.pickling import CloudPickler
from zmqruntime.execution.executor.server import FunctionServer


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
        assert executor.client.submission_of(future.execution_id).priority == 2


def test_large_arguments_go_by_file_until_the_end(executor: Executor, isolated_home: Path) -> None:
    folder = executor.client.config.server_dir(executor.client.port) / "arguments"
    large = b"x" * 3_000_000
    future = executor.submit(functions.identity, large)
    assert future.result(60) == large
    assert "args" not in executor.client.submission_of(future.execution_id).payload
    assert executor.submit(functions.length, large, key="large").result(60) == len(large)
    with pytest.raises(KeyUsedError):
        executor.submit(functions.length, large + b"x", key="large")
    while any(folder.iterdir()):  # deleted within a second of the end
        executor.submit(functions.no_op).result(60)


def test_pickles_are_read_only_where_both_ends_ask_for_them(isolated_home: Path) -> None:
    pytest.importorskip("cloudpickle")
    with Executor("plain", persistent=False) as plain:
        payload = Call(pickled=CloudPickler().dumps(lambda: 1))
        refused = plain.client.wait(plain.client.submit(payload), 60)
        assert "allow_pickle=True" in (refused.error or "")
        plain.submit(functions.no_op).result(60)
        with Executor("plain", allow_pickle=True) as asking, pytest.raises(ConfigurationError, match="allow_pickle"):
            asking.submit(functions.no_op)
    factor = 3
    with Executor("pickled", allow_pickle=True, persistent=False) as executor:
        assert executor.submit(lambda value: value * factor, 2).result(60) == 6
        odd = executor.submit(functions.unsendable)
        assert type(odd.result(60)) is object
        with Executor("pickled") as without, pytest.raises(UnsendableError, match="pickled value"):
            without.future(odd.execution_id).result(60)
    with pytest.raises(ConfigurationError, match=r"Security\.CURVE"):
        FunctionServer(1, host="127.0.0.1", allow_pickle=True, config=ZMQConfig(security=Security.NONE))


@pytest.mark.timeout(120)
def test_other_options_of_a_server_that_is_running_are_said(executor: Executor, tmp_path: Path) -> None:
    busy = executor.submit(functions.hold, str(tmp_path / "go"))
    try:
        other = Executor("test", max_workers=3)
        with pytest.warns(RuntimeWarning, match="2 functions .*, not 3; .*stop"):
            after = other.submit(functions.add, 1, after=[busy])
    finally:
        (tmp_path / "go").touch()
    assert (busy.result(60), after.result(60)) == ("let go", 2)
    other.shutdown()
    assert executor.options(queue="q", concurrency=1, rate="5/min").submit(functions.no_op).snapshot().queue == "q"
    failed = executor.submit(functions.fail, "value")
    with pytest.raises(TaskError, match="it needs"):
        executor.submit(functions.add, 1, after=[failed.execution_id]).result(60)


def test_names_have_servers_of_their_own(isolated_home: Path) -> None:
    config = ZMQConfig()
    ports = {name: port_of(name, config) for name in map(str, range(200))}
    assert len(set(ports.values())) == 200
    assert port_of("7", config) == ports["7"]
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        Executor("no/name")
    (config.home / "executors/names.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"names\.json cannot be read"):
        port_of("7", config)


def test_the_retries_of_a_function_are_for_named_exceptions(executor: Executor) -> None:
    kept = executor.options(retries=3, retry_on=(OSError,), backoff=0.01)
    failed = kept.submit(functions.fail, "value")
    with pytest.raises(ValueError, match="value"):
        failed.result(60)
    assert failed.snapshot().attempts == 1
    failed = kept.submit(functions.fail, "os")
    assert isinstance(failed.exception(60), FileNotFoundError)
    assert failed.snapshot().attempts == 4
    with pytest.raises(TypeError, match="not an option"):
        executor.options(retrys=3)  # type: ignore[call-arg]
