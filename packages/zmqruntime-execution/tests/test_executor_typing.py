"""A type checker knows what a submitted function takes and returns."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

PROGRAM = """\
from typing import assert_type

from zmqruntime.execution import Executor, TaskFuture, task


def train(rate: float, name: str) -> float:
    return rate * len(name)


@task(retries=3, time_limit=60.0, retry_on=(OSError,))
def scaled(value: int, factor: float = 2.0) -> float:
    return value * factor


async def main(executor: Executor) -> None:
    assert_type(executor.submit(train, 0.1, "x"), TaskFuture[float])
    assert_type(executor.submit(train, 0.1, "x", key="k"), TaskFuture[float])
    assert_type(executor.submit(train, 0.1, "x").result(), float)
    assert_type(scaled.submit(1, factor=3.0), TaskFuture[float])
    assert_type(await scaled.submit(1), float)
    assert_type(scaled(1), float)
    executor.submit(train, 0.1, 3)  # wrong
    executor.submit(train, 0.1)  # wrong
    executor.options(key="k").submit(train, "x", "y")  # wrong
    scaled.submit("x")  # wrong
    scaled(1, fraction=2)  # wrong
"""


def test_wrong_arguments_are_errors_of_mypy(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    wrong = [number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")]
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert found == set(wrong), done.stdout + done.stderr
