"""Pytest fixtures: the command line in a temporary home, checked for leftovers, and wells that wait for the test.

Import them in a ``conftest.py``; the package itself never imports this module.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
import pytest

from zmqruntime.streaming import ImageStream, Policy, VisualizerProcessManager

__all__ = [
    "CommandLine",
    "Finished",
    "Gate",
    "ViewerProbe",
    "command",
    "display",
    "free_port",
    "gate",
    "shared_command",
    "shared_home",
]

_SECONDS = 240.0

_HOLD_PIPELINE = '''
import contextlib
import socket

from openhcs_runtime import FunctionStep
from zmqruntime.execution import current_task


def hold(stack, hears=True):
    """Connect to the test, and return when it closes the connection or, unless deaf, when the run is cancelled."""
    with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", {port})) as line:
        line.settimeout(0.02)
        waiting = True
        while waiting:
            if hears:
                current_task().check_cancelled()
            try:
                waiting = line.recv(1) != b""
            except TimeoutError:
                continue
    return stack


pipeline_steps = [FunctionStep((hold, {{"hears": {hears}}}))]
'''


@dataclass(frozen=True)
class Finished:
    """Output and exit code of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """Standard output, parsed as a single JSON document."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document


class CommandLine:
    """Runs ``openhcs-runtime`` in a temporary home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
            "HOME": str(home),
            "USERPROFILE": str(home),
            "COLUMNS": "100",
        }

    def __call__(self, *arguments: str | Path, cwd: Path | None = None) -> Finished:
        """Run a command and wait for it to end."""
        return self.finish(self.start(*arguments, cwd=cwd))

    def both(self, *arguments: str | Path, cwd: Path | None = None) -> tuple[Finished, Finished]:
        """Run a command twice at the same time, with text output and with ``--json``."""
        for_people, as_json = self.together(arguments, (*arguments, "--json"), cwd=cwd)
        return for_people, as_json

    def together(self, *commands: Sequence[str | Path], cwd: Path | None = None) -> list[Finished]:
        """Run several commands at the same time."""
        return [self.finish(process) for process in [self.start(*line, cwd=cwd) for line in commands]]

    def start(self, *arguments: str | Path, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Start a command."""
        return self.start_python("-m", "openhcs_runtime.cli", *arguments, cwd=cwd)

    def start_python(self, *arguments: str | Path, cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Start the Python interpreter in the same home."""
        return subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            cwd=cwd or self.home,
            text=True,
            preexec_fn=_hear_interrupts if os.name == "posix" else None,
        )

    def finish(self, process: "subprocess.Popen[str]") -> Finished:
        """Wait for a command to end."""
        with process:
            try:
                stdout, stderr = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                stdout, stderr = process.communicate()
                pytest.fail(f"{process.args!r} did not end; it printed {stdout}{stderr}")
        return Finished(process.returncode, stdout, stderr)

    def processes(self) -> list[psutil.Process]:
        """Return all processes whose home is this one."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                in_home = process.environ().get("HOME") == str(self.home)
                if in_home and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def _hear_interrupts() -> None:
    """Restore Ctrl-C, which a test run in the background ignores and its children would inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def _command_line() -> Iterator[CommandLine]:
    home = Path(tempfile.mkdtemp(prefix="oh", dir="/tmp" if os.name == "posix" else None))  # sockets: short paths
    command = CommandLine(home)
    try:
        yield command
        if command.processes():
            command("stop")
        assert command.processes() == []
        assert list(home.glob(".openhcs/ipc/zmq-*.sock")) == []
    finally:
        for process in command.processes():
            process.kill()
        shutil.rmtree(home)


@pytest.fixture
def command() -> Iterator[CommandLine]:
    """Provide the command line in a new home; its server is stopped afterwards, and nothing may be left."""
    with _command_line() as command:
        yield command


@pytest.fixture(scope="session")
def shared_command() -> Iterator[CommandLine]:
    """Provide one command line for all tests that can share a server."""
    with _command_line() as command:
        yield command


@pytest.fixture
def shared_home(shared_command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """Move the test itself into the home of ``shared_command``, so that clients use the server there."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(shared_command.home))
    monkeypatch.setenv("USERPROFILE", str(shared_command.home))
    return shared_command


class Gate:
    """Holds wells until it is opened.

    Wells that run ``pipeline`` also go on when they are cancelled; those that run ``deaf_pipeline`` don't.
    """

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self._listener = listener
        self._lines: list[socket.socket] = []
        self.pipeline, self.deaf_pipeline = folder / "hold.py", folder / "deaf.py"
        for file in (self.pipeline, self.deaf_pipeline):
            text = _HOLD_PIPELINE.format(port=listener.getsockname()[1], hears=file == self.pipeline)
            file.write_text(text, encoding="utf-8")

    def wait_for_well(self) -> None:
        """Wait until a well has arrived."""
        self._lines.append(self._listener.accept()[0])

    def let_one_through(self) -> None:
        """Wait until a well has arrived and let it go on; the others keep waiting."""
        self._listener.accept()[0].close()

    def open(self) -> None:
        """Let all wells through."""
        self._listener.close()
        while self._lines:
            self._lines.pop().close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Provide a pipeline whose wells wait for the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_SECONDS)
        gate = Gate(listener, tmp_path)
        yield gate
        gate.open()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Provide a function that finds a free TCP port whose control port is free as well."""

    def find() -> int:
        while True:
            with socket.create_server(("127.0.0.1", 0)) as data:
                port: int = data.getsockname()[1]
                with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1000)):
                    return port

    return find


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of an X screen (Xvfb) for windows; the test is skipped if Xvfb is not installed."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    reading, writing = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x1200x24", "-nolisten", "tcp"]
    process = subprocess.Popen(arguments, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with open(reading, encoding="ascii") as pipe:
        assert select.select([pipe], [], [], _SECONDS)[0], "Xvfb did not start"
        name = f":{pipe.readline().strip()}"
    yield name
    process.terminate()
    process.wait(_SECONDS)


class ViewerProbe:
    """A viewer process that answers questions, and a stream to it.

    Args:
        manager: The manager of the viewer, which is running.
        stream: A stream to it.
        folder: Where the viewer writes its answers.
    """

    side = 64
    """Rows and columns of the planes that it sends, in pixels."""

    def __init__(self, manager: VisualizerProcessManager, stream: ImageStream, folder: Path) -> None:
        self.manager = manager
        self.stream = stream
        self._folder = folder

    def send(self, value: float | npt.NDArray[Any], layer: str = "raw", /, **position: Any) -> None:
        """Send a square plane of one value, or an array; ``metadata=`` goes with it."""
        metadata = position.pop("metadata", {})
        plane = value if isinstance(value, np.ndarray) else np.full((self.side, self.side), value, np.uint16)
        self.stream.send(plane, layer_name=layer, position=position, metadata=metadata)

    def ask(self, question: dict[str, Any], *, is_settled: bool = True) -> str:
        """Return the viewer's answer: the text that it wrote to the file ``question["answer"]``.

        Args:
            question: Metadata for the viewer's ``display_image``.
            is_settled: Whether the stream has to be displayed first.
        """
        answer = self._folder / uuid.uuid4().hex
        if is_settled:
            self.stream.settle()
        # A stream of its own: what the other one sent comes again when a viewer is opened again; questions must not.
        with ImageStream(self.manager.port, policy=Policy.ALL) as asking:
            asking.send(np.zeros((1, 1), np.uint8), metadata={**question, "answer": str(answer)})
            asking.settle()
            assert not asking.counts.failed, self.manager.log_tail()
        return answer.read_text(encoding="utf-8")
