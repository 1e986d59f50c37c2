"""What survives: a kill of the client, the server or the worker between submit and result, and Ctrl-C."""

import concurrent.futures
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import task_functions as functions

from zmqruntime.execution import Executor, KeyUsedError, TaskFuture
from zmqruntime.messages import LogLine

PROGRAM = Path(__file__).parent / "importable/task_programs.py"
HELLO = """\
from zmqruntime.execution import Executor
def greet(name: str) -> str: return f"hello {name}"
if __name__ == "__main__":
    with Executor("hello") as executor:
        print(executor.submit(greet, "world").result())
"""


@pytest.fixture
def executor(isolated_home: Path) -> Iterator[Executor]:
    """An executor whose server outlives programs; it ends with the test."""
    with Executor("test", max_workers=1) as made:
        yield made
        made.client.shutdown_server()


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a program of Python to its end."""
    return subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
    )


def test_a_durable_hello_world_is_one_file_of_five_lines(isolated_home: Path, tmp_path: Path) -> None:
    assert len(HELLO.splitlines()) == 5
    (tmp_path / "hello.py").write_text(HELLO)
    try:
        for _ in range(2):
            done = run("hello.py", cwd=tmp_path)
            assert (done.stdout, done.stderr, done.returncode) == ("hello world\n", "", 0)
        with Executor("hello") as again:
            assert [each.status for each in again.executions()] == ["complete", "complete"]
    finally:
        with Executor("hello") as executor:
            executor.client.shutdown_server()


def pids_of(future: TaskFuture[Any]) -> Iterator[int]:
    """Yield the process id that each run of the function prints, when it does."""
    return (int(event.text) for event in future.events() if isinstance(event, LogLine) and event.text.isdigit())


@pytest.mark.parametrize("victim", ["client", "server", "worker", "interrupt"])
def test_a_kill_between_submit_and_result_changes_nothing(executor: Executor, tmp_path: Path, victim: str) -> None:
    server = executor.client.server.pid
    command = [sys.executable, str(PROGRAM), str(tmp_path / "go")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        future = executor.future(client.stdout.readline().strip())
        pids = pids_of(future)
        worker = next(pids)
        if victim == "interrupt":
            client.send_signal(signal.SIGINT)
        else:
            os.kill({"client": client.pid, "server": server, "worker": worker}[victim], signal.SIGKILL)
        if victim in ("server", "worker"):
            assert next(pids) != worker
        else:
            client.wait(60)
        (tmp_path / "go").touch()
        assert future.result(120) == "let go"
        assert executor.future(future.execution_id).result(120) == "let go"
        output, errors = client.communicate(timeout=60)
    if victim in ("server", "worker"):
        assert (output, errors, client.returncode) == ("let go\n", "", 0)
    if victim == "interrupt":
        assert "1 execution goes on in executor 'test'" in errors
        assert future.execution_id in errors


def test_a_key_is_one_execution(executor: Executor) -> None:
    first = executor.submit(functions.pid, key="one")
    again = executor.options(key="one").submit(functions.pid)
    assert first.execution_id == again.execution_id
    assert first.result(60) == again.result(60) == executor.future(first.execution_id).result(60)
    assert executor.submit(functions.add, 1, 2, key="sum").result(60) == 3
    with pytest.raises(KeyUsedError, match=r"key 'sum' belongs to a call of add\(1, 2\).*add\(1, 3\): use another key"):
        executor.submit(functions.add, 1, 3, key="sum")
    assert executor.submit(functions.add, a=1, b=2, key="sum").result(60) == 3
    failed = executor.submit(functions.fail, "value", key="bad")
    assert isinstance(failed.exception(60), ValueError)
    assert executor.submit(functions.fail, "value", key="bad").execution_id == failed.execution_id
    with pytest.raises(TypeError, match=r"has a parameter 'key' of its own.*executor\.options\(key=\.\.\.\)"):
        executor.submit(functions.keyed, key="x")
    assert executor.options(key="k").submit(functions.keyed, "x").result(60) == "x"


def test_cancel_stops_the_work(isolated_home: Path) -> None:
    with Executor("test", max_workers=1, persistent=False, cancel_grace=0.2) as executor:
        running = executor.submit(functions.stubborn)
        queued = executor.submit(functions.no_op)
        worker = psutil.Process(next(pids_of(running)))
        assert running.running()
        assert queued.cancel()
        assert running.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            running.result(60)
        psutil.wait_procs([worker], 30)
        assert not worker.is_running()
        assert concurrent.futures.wait([running, queued], 60).not_done == set()
        assert queued.cancelled()
        assert executor.submit(functions.add, 1).result(60) == 2


UNGUARDED = """
from zmqruntime.execution import Executor, task

def add(a: int, b: int) -> int:
    return a + b

@task(executor="hello")
def double(a: int) -> int:
    return 2 * a

{use}

def late() -> int:
    return 5

if later:
    print(Executor("hello").submit(late).result())
"""


@pytest.mark.parametrize(
    "use",
    [
        "with Executor('hello') as executor:\n    later = ''\n    print(executor.submit(add, 1, 2).result())",
        "later = ''\nprint(list(Executor('hello').map(add, [1], [2]))[0])",
        "later = ''\nprint(double.submit(1).result() + 1)",
    ],
)
def test_a_script_without_a_guard_is_loaded_up_to_its_executor(isolated_home: Path, tmp_path: Path, use: str) -> None:
    (tmp_path / "plain.py").write_text(UNGUARDED.format(use=use))
    done = run("plain.py", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("3\n", "")
    with Executor("hello") as executor:
        assert len(executor.executions()) == 1
        executor.client.shutdown_server()


def test_a_function_below_the_executor_of_a_script_is_refused_in_words(isolated_home: Path, tmp_path: Path) -> None:
    use = "later = 'yes'\nprint(Executor('hello').submit(add, 1, 2).result())"
    (tmp_path / "plain.py").write_text(UNGUARDED.format(use=use))
    done = run("plain.py", cwd=tmp_path)
    assert "has no late above the line where it begins to use an executor" in done.stderr
    with Executor("hello") as executor:
        assert len(executor.executions()) == 2
        executor.client.shutdown_server()


def test_a_function_runs_as_it_is_on_disk(executor: Executor, tmp_path: Path) -> None:
    script = tmp_path / "changing.py"
    text = 'from zmqruntime.execution import Executor\ndef version() -> int: return {}\nif __name__ == "__main__":\n'
    text += '    with Executor("test") as executor:\n        print(executor.submit(version).result())\n'
    for number in (1, 22):
        script.write_text(text.format(number))
        done = run("changing.py", cwd=tmp_path)
        assert (done.stdout, done.stderr) == (f"{number}\n", "")
