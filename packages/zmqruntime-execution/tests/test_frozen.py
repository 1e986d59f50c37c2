"""A program that is frozen into an executable runs tasks: its server and its workers are the same executable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
sys.frozen, sys.executable = True, {program!r}

from zmqruntime import freeze_support
from zmqruntime.execution import ExecutionClient, ExecutionServer, Executor


def cube(number: int) -> int:
    return number**3


class Squares(ExecutionServer):
    def execute_task(self, execution_id, request):
        return [request.payload ** 2, "PYINSTALLER_RESET_ENVIRONMENT" in os.environ, sys.argv[0]]


if __name__ == "__main__":
    freeze_support()
    print("a window opens")
    with ExecutionClient(7651, server=Squares, persistent=False) as client:
        print(*client.wait(client.submit(12), 60).result)
    del __file__  # that of a frozen program names no file
    with Executor("frozen", persistent=False) as executor:
        print(executor.submit(cube, 3).result(60))
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the executable")
def test_tasks_and_functions_of_a_frozen_program_run_in_its_workers(tmp_path: Path) -> None:
    path, script = tmp_path / "program", tmp_path / "main.py"
    script.write_text(PROGRAM.format(program=str(path)), encoding="utf-8")
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "{script}" "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    done = subprocess.run([path], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines() == ["a window opens", f"144 True {script}", "27"], done.stderr
