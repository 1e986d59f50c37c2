"""Ctrl-C before there is a run to cancel: always a word, or one document, and nothing is left running."""

import signal
import sys
from pathlib import Path

import pytest

from openhcs_runtime.cli.interrupts import Interrupts, uninterrupted
from openhcs_runtime.testing import CommandLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")

AT_IMPORT = """
import os, signal, sys

class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
from openhcs_runtime.cli import main
sys.exit(main())
"""

AT_SERVER_START = """
import os, signal, sys, time
import zmqruntime.launch
from openhcs_runtime.cli import interrupts, main

def start(*arguments, begin=zmqruntime.launch.start_server_process):
    for _ in range({presses}):
        os.kill(os.getpid(), signal.SIGINT)
        interrupts._SAME_SECONDS = 0
    return begin(*arguments)

zmqruntime.launch.start_server_process = start
sys.exit(main())
"""


AT_CONNECT = """
import os, signal, sys
from openhcs_runtime.cli import main
from openhcs_runtime.service.client import ZMQExecutionClient

def connect(self, timeout, connect=ZMQExecutionClient.connect):
    os.kill(os.getpid(), signal.SIGINT)
    return connect(self, timeout)

ZMQExecutionClient.connect = connect
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module",
    [
        "openhcs_runtime.cli.interrupts",
        "openhcs_runtime.cli.typed",
        "openhcs_runtime.cli.commands.run",
        "zmq",
        "openhcs_runtime.cli.running",
    ],
)
def test_while_it_loads(shared_command: CommandLine, plate: Path, module: str) -> None:
    code = AT_IMPORT.format(module=module)
    for_people = shared_command.start_python("-c", code, "run", plate)
    as_json = shared_command.finish(shared_command.start_python("-c", code, "run", plate, "--json"))
    finished = shared_command.finish(for_people)
    assert (finished.code, finished.stdout, finished.stderr) == (130, "", "Error: interrupted\n")
    assert (as_json.code, as_json.stderr) == (130, "")
    assert as_json.document["error"]["kind"] == "interrupted"
    assert as_json.document["exit_code"] == 130


def test_while_it_loads_what_shows_the_run(shared_command: CommandLine, plate: Path) -> None:
    """The run has been submitted by then, so it is cancelled."""
    code = AT_IMPORT.format(module="openhcs_runtime.cli.watching")
    finished = shared_command.finish(shared_command.start_python("-c", code, "run", plate, "--fresh"))
    assert finished.code == 130
    assert finished.stderr.startswith("Error: cancelled with Ctrl-C")


def test_while_the_server_starts(command: CommandLine, plate: Path) -> None:
    code = AT_SERVER_START.format(presses=1)
    finished = command.finish(command.start_python("-c", code, "run", plate, "--json"))
    assert (finished.code, finished.stderr) == (130, "")
    message = "interrupted before the run was submitted; the server that was started for it has ended"
    assert finished.document["error"] == {"kind": "interrupted", "message": message, "problems": []}
    assert command.processes() == []


def test_twice_while_the_server_starts(command: CommandLine, plate: Path) -> None:
    code = AT_SERVER_START.format(presses=2)
    finished = command.finish(command.start_python("-c", code, "run", plate))
    assert finished.code == 130
    assert finished.stderr.startswith("Error: left at once; if a server was starting, 'openhcs-runtime stop' stops it")


def test_a_server_that_others_use_stays(shared_command: CommandLine, plate: Path, tmp_path: Path) -> None:
    assert shared_command("run", plate, "--output", tmp_path / "out").code == 0
    finished = shared_command.finish(shared_command.start_python("-c", AT_CONNECT, "run", plate))
    assert (finished.code, finished.stdout) == (130, "")
    assert finished.stderr == "Error: interrupted before the run was submitted\n"
    assert len(shared_command("status", "--json").document["executions"]) >= 1


def test_an_interrupt_is_noted_then_raised_and_a_second_one_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # passed on by a wrapper: the same one
        assert interrupts.were_noted
        monkeypatch.setattr("openhcs_runtime.cli.interrupts._SAME_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with Interrupts() as interrupts:
        interrupts.allow()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        interrupts.hold()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
