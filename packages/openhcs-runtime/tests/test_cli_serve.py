"""``serve``, and ports that somebody else holds."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from openhcs_runtime.testing import CommandLine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX signal")


def test_serve_until_ctrl_c(command: CommandLine) -> None:
    server = command.start("serve")
    assert server.stdout is not None
    assert "Ctrl-C ends it" in server.stdout.readline()
    assert command("status", "--json").document["server"]["pid"] == server.pid
    second = command("serve")
    assert second.code == 2
    assert "port 7777" in second.stderr
    server.send_signal(signal.SIGINT)
    finished = command.finish(server)
    assert (finished.code, finished.stdout, finished.stderr) == (0, "The server has ended.\n", "")


def test_serve_runs_and_stop_ends_it(
    command: CommandLine, plate: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    place = ("--port", str(free_port()), "--host", "127.0.0.1")
    server = command.start("serve", *place)
    assert server.stdout is not None
    assert server.stdout.readline().startswith(f"Serving on tcp://127.0.0.1:{place[1]}")
    assert command("run", plate, "--output", tmp_path / "out", *place).code == 0
    stop = command.start("stop", "--json", *place)
    assert command.finish(server).code == 0
    stopped = command.finish(stop).document
    assert (stopped["stopped"], stopped["pid"]) == (True, server.pid)


def test_serve_stays_on_this_machine(command: CommandLine) -> None:
    finished = command("serve", "--host", "0.0.0.0", "--json")
    assert finished.code == 2
    assert finished.document["error"]["kind"] == "configuration"


def test_a_foreign_socket_stays_untouched(command: CommandLine, plate: Path) -> None:
    folder = command.home / ".openhcs" / "ipc"
    folder.mkdir(parents=True)
    path = folder / "zmq-8777.sock"
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen(50)
        inode = os.stat(path).st_ino
        processes = [command.start(*line, "--json") for line in (("run", plate), ("status",), ("stop",), ("serve",))]
        for process in processes:
            finished = command.finish(process)
            assert finished.code == 2, process.args
            assert finished.document["error"]["kind"] == "port_in_use"
        assert os.stat(path).st_ino == inode
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
    path.unlink()


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_foreign_tcp_port_stays_untouched(
    command: CommandLine, plate: Path, free_port: Callable[[], int], offset: int
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + offset)) as foreign:
        finished = command("run", plate, "--port", str(port), "--host", "127.0.0.1")
        assert finished.code == 2
        assert finished.stderr.count("\n") == 1
        assert str(port + offset) in finished.stderr
        with socket.create_connection(foreign.getsockname()):
            pass
