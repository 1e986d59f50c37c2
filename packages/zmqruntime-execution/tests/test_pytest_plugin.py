"""The pytest plug-in: costs nothing until it is used, runs tasks in a home of its own, and leaves nothing behind."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import psutil
import task_functions

TESTS = """
import os
from pathlib import Path

import pytest
import task_functions as functions

from zmqruntime.execution import Executor

@pytest.mark.parametrize("number", range(2))
def test_a_task_runs_on_a_server_that_tests_share(task_executor, task_server, number):
    assert task_executor.submit(functions.add, number, 1).result(60) == number + 1
    assert Path.home() == task_server.home
    assert task_server.processes()
    Path(__file__).with_name("home").write_text(str(task_server.home))


def test_what_is_left_running_is_cancelled(task_executor, tmp_path):
    left = task_executor.submit(functions.stubborn, str(tmp_path / "runs"))
    queued = [task_executor.submit(functions.hold, str(tmp_path / "held")) for _ in range(20)]
    assert not any(future.done() for future in [left, *queued])


def test_nothing_is_left_of_it(task_executor):
    assert {one.status.value for one in task_executor.executions()} == {"complete", "cancelled"}
    assert task_executor.submit(functions.add, 1).result(60) == 2


def test_code_under_test_may_make_its_own_executor(task_server):
    with Executor("mine") as executor:
        assert executor.submit(functions.add, 5).result(60) == 6


def test_a_task_runs_in_place(inline_executor):
    assert inline_executor.submit(functions.pid).result(1) == os.getpid()
"""


def test_pytest_finds_it_by_its_entry_point() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"zmqruntime": "pytest_zmqruntime"}


def test_pytest_imports_nothing_of_the_runtime_for_it() -> None:
    code = "import sys, pytest; before = set(sys.modules); import pytest_zmqruntime; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_zmqruntime"]


def test_the_fixtures_in_a_test_run_of_a_user(isolated_home: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    options = ("-q", "-x", "-p", "no:cacheprovider", "-p", "pytest_zmqruntime", "--rootdir", str(tmp_path))
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(task_functions.__file__).parent),
        "PYTEST_ADDOPTS": "",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
    assert list(isolated_home.iterdir()) == [], "the home of the user is as it was"
    home = (tmp_path / "home").read_text()
    homes = [(process.info["environ"] or {}).get("HOME") for process in psutil.process_iter(["environ"])]
    assert home not in homes, "its servers have ended"
    assert not Path(home).exists()
