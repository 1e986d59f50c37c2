"""The pytest plug-in: costs nothing until it is used, runs tasks in a home of its own, and leaves nothing behind."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import pytest
import task_functions

from zmqruntime.execution.home_keeper import processes_of
from zmqruntime.execution.testing import TaskServer

TESTS = """
import os
from pathlib import Path

import pytest
import task_functions as functions

from zmqruntime.execution import Executor

of_module = Executor("of-module")


def test_a_task_runs_on_a_server(task_executor, task_server):
    assert task_executor.submit(functions.add, 1, 1, key="k").result(60) == 2
    assert Path.home() == task_server.home
    assert task_server.processes()
    Path(__file__).with_name("home").write_text(str(task_server.home))
    left = task_executor.submit(functions.stubborn)
    queued = [task_executor.submit(functions.hold, "nowhere") for _ in range(20)]
    assert len(task_executor.executions()) == 22


def test_the_next_one_shares_the_server_and_nothing_else(task_executor):
    assert task_executor.executions() == []
    assert {one.status.value for one in task_executor.client.status(100).executions} == {"complete", "cancelled"}
    assert task_executor.submit(functions.add, 2, 2, key="k").result(60) == 4
    assert task_executor.submit(functions.add, 2, 2, key="k").result(60) == 4
    assert len(task_executor.executions()) == 1


def test_code_under_test_may_have_its_own_executors_in_place(inline_executor):
    assert inline_executor.submit(functions.pid).result(1) == os.getpid()
    with Executor("mine") as mine:
        future = mine.submit(functions.pid, key="k")
    assert future.result(1) == of_module.submit(functions.pid).result(1) == os.getpid()
    assert Executor("mine").future(future.execution_id) is future
    assert functions.scaled.submit(2.0).result(1) == 4.0
    assert list(functions.scaled.map([1.0, 2.0])) == [2.0, 4.0]
    assert len(functions.scaled.executor.executions()) == 3


def test_the_next_test_in_place_knows_none_of_them(inline_executor):
    assert functions.scaled.executor.executions() == of_module.executions() == []


def test_or_on_a_server(task_server):
    assert of_module.submit(functions.pid).result(60) != os.getpid()
    assert len(of_module.executions()) == 1


def test_that_is_killed(task_executor, task_server):
    future = task_executor.submit(functions.stubborn)
    next(event for event in future.events() if getattr(event, "text", ""))
    print("runs", flush=True)
    future.result()
"""


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"zmqruntime": "pytest_zmqruntime"}


def test_pytest_imports_nothing_of_the_runtime_for_it() -> None:
    code = "import sys, pytest; before = set(sys.modules); import pytest_zmqruntime; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_zmqruntime"]


def start_tests(folder: Path, tests: str, *options: str) -> "subprocess.Popen[str]":
    """Start pytest as a user does, with the plug-in."""
    (folder / "test_mine.py").write_text(tests)
    plugged = ("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_zmqruntime", "--rootdir", str(folder))
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(task_functions.__file__).parent),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", *plugged, *options, str(folder)]
    out = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=out, stderr=subprocess.STDOUT)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are found by what they have in their environment")
def test_the_fixtures_in_a_test_run_that_is_killed(isolated_home: Path, tmp_path: Path) -> None:
    with start_tests(tmp_path, TESTS, "--capture=no") as run:
        assert run.stdout is not None
        output = ""
        while not output.endswith("runs\n"):
            line = run.stdout.readline()
            assert line, output
            output += line
        home = Path((tmp_path / "home").read_text())
        left = psutil.Process(run.pid).children(recursive=True)
        assert {process.pid for process in processes_of(home)} <= {process.pid for process in left}
        run.kill()
    _, alive = psutil.wait_procs(left, 120)
    assert not alive
    assert not home.exists()
    assert output.startswith("....."), "the earlier tests have passed"
    assert list(isolated_home.iterdir()) == [], "the home of the user is as it was"


@pytest.mark.skipif(sys.platform == "win32", reason="processes are found by what they have in their environment")
def test_a_temporary_home_ends_with_its_block() -> None:
    with TaskServer() as server:
        environment = {**os.environ, "HOME": str(server.home)}
        command = [sys.executable, "-c", "input()"]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) as process:
            assert [found.pid for found in server.processes()] == [process.pid]
            server.__exit__()
            assert process.wait(60) != 0
    assert not server.home.exists()
