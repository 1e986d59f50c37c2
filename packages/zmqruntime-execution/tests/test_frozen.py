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
from zmqruntime.execution import ExecutionClient, ExecutionServer


class Squares(ExecutionServer):
    def execute_task(self, execution_id, request):
        return [request.payload ** 2, "PYINSTALLER_RESET_ENVIRONMENT" in os.environ, sys.argv[0]]


if __name__ == "__main__":
    freeze_support()
    print("a window opens")
    with ExecutionClient(7651, server=Squares, persistent=False) as client:
        print(*client.wait(client.submit(12), 60).result)
"""


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for the executable")
def test_a_task_of_a_frozen_program_runs_in_a_worker(tmp_path: Path) -> None:
    path, script = tmp_path / "program", tmp_path / "main.py"
    script.write_text(PROGRAM.format(program=str(path)), encoding="utf-8")
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "{script}" "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    done = subprocess.run([path], capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.splitlines() == ["a window opens", f"144 True {script}"], done.stderr
