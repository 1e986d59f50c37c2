"""The windows on an X server, as on a desktop: tests that ran offscreen run again there, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_plate_table.py", "test_plate_map.py", "test_plate_manager.py", "test_main_window.py")
ON_SERVER = ("add_init_compile_run", "force_kill", "asked_for")


pytestmark = pytest.mark.timeout(900)  # each test runs many


def run_there(display: str, *arguments: str) -> None:
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_XDIST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    ended = subprocess.run(
        command, env=environment, cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-6000:]
    assert " passed" in ended.stdout


def test_widgets_and_windows(display: str) -> None:
    run_there(display, *FILES, "-k", "not xvfb")


def test_plates_on_a_server(display: str) -> None:
    run_there(display, "test_plate_manager_server.py", "-k", " or ".join(ON_SERVER))
