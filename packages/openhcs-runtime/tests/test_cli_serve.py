"""``serve``, and ports that somebody else holds."""

import contextlib
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
    assert "Ctrl-C stops it" in server.stdout.readline()
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


def test_foreign_sockets_and_ports_stay_untouched(
    command: CommandLine, plate: Path, free_port: Callable[[], int]
) -> None:
    folder = command.home / ".openhcs" / "ipc"
    folder.mkdir(parents=True)
    path = folder / "zmq-8777.sock"
    ports = {free_port(): 0, free_port(): 1000}
    by_file = [(*line, "--json") for line in (("run", plate), ("status",), ("stop",), ("serve",))]
    by_port = [("run", plate, "--port", str(port), "--host", "127.0.0.1") for port in ports]
    with contextlib.ExitStack() as stack:
        foreign = stack.enter_context(socket.socket(socket.AF_UNIX))
        foreign.bind(str(path))
        foreign.listen(50)
        inode = os.stat(path).st_ino
        held = [stack.enter_context(socket.create_server(("127.0.0.1", port + more))) for port, more in ports.items()]
        all_finished = command.together(*by_file, *by_port)
        for finished in all_finished[: len(by_file)]:
            assert finished.code == 2
            assert finished.document["error"]["kind"] == "port_in_use"
        for finished, holder in zip(all_finished[len(by_file) :], held, strict=True):
            assert finished.code == 2
            assert finished.stderr.count("\n") == 1
            assert str(holder.getsockname()[1]) in finished.stderr
            with socket.create_connection(holder.getsockname()):
                pass
        assert os.stat(path).st_ino == inode
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
    path.unlink()
