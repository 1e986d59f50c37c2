"""An executor at its edges: a full disk, a stopped server, equal keys, waits inside of functions, short ids."""

import contextlib
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import task_functions as functions

from zmqruntime import ClientState, ErrorCode, RequestRefusedError
from zmqruntime.execution import Executor, KeyUsedError
from zmqruntime.messages import ExecutionStatus


@pytest.fixture
def executor(isolated_home: Path) -> Iterator[Executor]:
    """An executor with one worker, whose server ends with it."""
    with Executor("edges", max_workers=1, persistent=False) as made:
        yield made


def test_nothing_is_accepted_while_the_disk_is_full(executor: Executor, isolated_home: Path) -> None:
    client = executor.client
    executor.schedule("kept", functions.no_op, every=3600)
    payload = {"function": "task_functions:no_op"}
    twice = client.request_for(payload)
    accepting: dict[str, Callable[[], Any]] = {
        "calls": lambda: executor.submit(functions.no_op),
        "several calls": lambda: list(executor.map(functions.no_op, range(3))),
        "execute": lambda: client.submit(payload),
        "execute with a key": lambda: executor.submit(functions.no_op, key="one"),
        "batch": lambda: client.submit_batch([twice, client.request_for(payload)]),
        "batch again": lambda: client.submit_batch([twice]),
        "schedule": lambda: executor.schedule("new", functions.no_op, every=60),
        "another schedule": lambda: executor.schedule("kept", functions.no_op, every=60),
        "unschedule": lambda: client.unschedule("kept"),
    }
    database = next(isolated_home.rglob("executions.sqlite"))
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")  # as good as a full disk: the server cannot write
        for what, accept in accepting.items():
            with pytest.raises(RequestRefusedError, match="not accepted") as refused:
                pytest.fail(f"{what}: {accept()}")
            assert refused.value.code is ErrorCode.STORAGE
        lock.execute("ROLLBACK")
    assert [(each.name, each.every) for each in client.schedules()] == [("kept", 3600)]
    assert executor.executions() == []
    while True:
        with contextlib.suppress(RequestRefusedError):
            assert executor.submit(functions.add, 1, 2, key="one").result(60) == 3
            break
    assert len(executor.executions()) == 1
    client.shutdown_server()
    client.connect()
    assert [(each.name, each.every) for each in client.schedules()] == [("kept", 3600)]


def test_a_call_after_a_stop_starts_the_server_again(
    isolated_home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Executor("edges", max_workers=2) as executor, caplog.at_level(logging.WARNING):
        waiting = executor.submit(functions.hold, str(tmp_path / "go"))
        next(event for event in waiting.events() if "running" in str(event))
        client, lost = executor.client, threading.Event()
        client.add_listener(lambda standing: lost.set() if standing.state is ClientState.LOST else None)
        client.shutdown_server()
        assert lost.wait(30)
        assert executor.submit(functions.add, 1).result(30) == 2
        client.shutdown_server()
        (tmp_path / "go").touch()
        assert executor.future(waiting.execution_id) is waiting
        assert waiting.result(30) == "let go"
        client.shutdown_server()
    text = "Executor('edges') was stopped, and this program waits for 1 execution"
    assert any(text in each.message for each in caplog.records)


def test_a_key_compares_values(executor: Executor) -> None:
    grid = np.arange(6.0).reshape(2, 3)
    equal = [
        ({"a": 1, "b": {1: 2, 3: 4}}, {"b": {3: 4, 1: 2}, "a": 1}),
        (grid, np.asfortranarray(grid)),
        (("x" * 300_000, {"a": 1, "b": 2}), ("x" * 300_000, {"b": 2, "a": 1})),
    ]
    for place, (first, second) in enumerate(equal):
        one = executor.submit(functions.no_op, first, key=f"equal {place}")
        assert executor.submit(functions.no_op, second, key=f"equal {place}").execution_id == one.execution_id
    code = (
        "import task_functions; from zmqruntime.execution import Executor\n"
        "print(Executor('edges').submit(task_functions.no_op, {*'abcdefgh'}, key='set').execution_id)"
    )
    path = str(Path(functions.__file__).parent)
    ids = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(ids) == 1


def test_an_error_of_a_key_says_what_differs(executor: Executor) -> None:
    different: list[tuple[object, object, str]] = [
        ((1, 2), (1, 3), r"no_op\(\(1, 2\)\).*no_op\(\(1, 3\)\): use another key \(argument 1 was \(1, 2\) and is"),
        (1, 1.0, r"no_op\(1\).*no_op\(1\.0\)"),
        (Path("/a"), Path("/b"), r"PosixPath\('/a'\)"),
        ("x" * 300_000, "y" * 300_000, r"no_op\(arguments of 300,0\d\d bytes\).*too large to be shown"),
        (["x"] * 500, ["x"] * 499 + ["y"], r"'x', 'y'\]\)"),
    ]
    for place, (first, second, text) in enumerate(different):
        executor.submit(functions.no_op, first, key=f"different {place}")
        with pytest.raises(KeyUsedError, match=text) as caught:
            executor.submit(functions.no_op, second, key=f"different {place}")
        assert "Ext(" not in str(caught.value)
        assert len(str(caught.value)) < 1000
    executor.submit(functions.no_op, 1, key="function")
    with pytest.raises(KeyUsedError, match=r"no_op\(1\), which is not this call of identity\(1\)"):
        executor.submit(functions.identity, 1, key="function")


def test_what_waits_for_a_worker_says_so(executor: Executor, tmp_path: Path) -> None:
    running = executor.submit(functions.hold, str(tmp_path / "go"))
    next(event for event in running.events() if "running" in str(event))
    queued = executor.submit(functions.no_op)
    assert (running.snapshot().waits_for, queued.snapshot().waits_for) == (None, "a worker")
    (tmp_path / "go").touch()
    assert queued.result(60) is None
    assert queued.snapshot().status is ExecutionStatus.COMPLETE


def test_a_function_that_waits_for_its_own_executor_says_so(executor: Executor) -> None:
    waiting = executor.submit(functions.wait_for_another, "edges")
    line = next(event for event in waiting.events() if "of its own executor" in str(event))
    assert "one of 1" in str(line)
    assert waiting.cancel()


def test_ids_may_be_short_and_must_be_text(executor: Executor) -> None:
    future = executor.submit(functions.add, 1)
    assert future.result(60) == 2
    assert executor.future(future.execution_id[:-1]).execution_id == future.execution_id
    other = executor.submit(functions.add, 2)
    with pytest.raises(RequestRefusedError, match=rf"several executions begin with.*{other.execution_id}"):
        executor.future(other.execution_id[:12])
    with pytest.raises(RequestRefusedError, match="has no execution ffffffffffff"):
        executor.future("ffffffffffff")
    for wrong in (None, 3, ""):
        with pytest.raises(TypeError, match="must be the id of an execution as text"):
            executor.future(wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_process_that_comes_out_of_a_function_does_not_go_on_as_a_worker(
    executor: Executor, tmp_path: Path
) -> None:
    log = str(tmp_path / "log")
    for _ in range(5):  # short ones are handed to the worker ahead from now on
        executor.submit(functions.add_line, "first", log).result(60)
    ways = ["return", "error", "exit"] * 2
    futures = [executor.submit(functions.fork_and_go_on, way, log) for way in ways]
    futures += [executor.submit(functions.add_line, str(number), log) for number in range(30)]
    assert [future.result(60) for future in futures] == [*ways, *map(str, range(30))]
    lines = Path(log).read_text().splitlines()
    assert sorted(lines) == sorted(
        [*["first"] * 5, *(f"{way} {which}" for way in ways for which in ("parent", "child")), *map(str, range(30))]
    )
