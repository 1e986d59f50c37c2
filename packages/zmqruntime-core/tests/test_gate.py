"""Strangers: what connects over TCP and does not show who it is takes no more than its share."""

import contextlib
import os
import resource
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import TransportMode, ZMQClient, ZMQServer
from zmqruntime.gate import Gate, Lobby, default_limit
from zmqruntime.messages import PingRequest, PongResponse
from zmqruntime.transport import is_listening

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a server has no such hold on its port")

_FIRST_BYTE = b"\xff"  # of a greeting: with it a connection is the server's matter
_DESCRIPTORS = 400
_AT_ONCE = 20


class TightServer(ZMQServer):
    """Has few descriptors."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


class TightClient(ZMQClient):
    """Starts one."""

    server_target = f"{Path(__file__).resolve()}:TightServer"


@contextlib.contextmanager
def strangers(port: int, count: int, says: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, or attempts at one, that last for the block."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(("127.0.0.1", port))
            with contextlib.suppress(OSError):  # not let in
                sock.send(says)
            found.append(sock)
        yield found


@pytest.fixture
def port() -> int:
    """A data port that is free, and so is its control port."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            found = int(probe.getsockname()[1])
        if found < 64_000 and not is_listening(found + 1000, "127.0.0.1", TransportMode.TCP):
            return found


def wait_until(is_so: Callable[[], bool]) -> None:
    """Look until it is so, since nothing tells of it."""
    pause = threading.Event()
    for _ in range(600):
        if is_so():
            return
        pause.wait(0.05)
    raise AssertionError("it did not become so")


def test_who_has_shown_who_it_is_is_no_stranger() -> None:
    lobby = Lobby(patience=5)
    for descriptor in range(3):
        lobby.enter(descriptor, now=0)
    lobby.greet()
    assert lobby.strangers(now=1) == 2
    lobby.leave(0)
    assert lobby.strangers(now=1) == 2  # which of them it was is not known, so it was not one of these
    lobby.leave(1)
    assert lobby.strangers(now=1) == 1


def test_who_is_still_there_after_its_time_has_shown_who_it_is() -> None:
    lobby = Lobby(patience=5)
    lobby.enter(7, now=0)
    lobby.greet()
    lobby.enter(8, now=4)
    assert lobby.strangers(now=4.5) == 1
    assert lobby.strangers(now=5) == 1
    assert lobby.strangers(now=9) == 0


def test_a_greeting_for_nobody_and_a_leave_of_nobody_change_nothing() -> None:
    lobby = Lobby(patience=5)
    lobby.greet()
    lobby.leave(3)
    lobby.enter(3, now=0)
    assert lobby.strangers(now=0) == 1


def test_the_limit_is_a_share_of_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    for descriptors, limit in ((64, 16), (1024, 128), (1_000_000, 1024), (resource.RLIM_INFINITY, 1024)):
        monkeypatch.setattr(resource, "getrlimit", lambda kind, soft=descriptors: (soft, soft))
        assert default_limit() == limit


def test_silent_strangers_take_no_descriptor_at_all(port: int) -> None:
    with ZMQServer(port, transport_mode=TransportMode.TCP) as server, ZMQClient(port, host="127.0.0.1") as client:
        before = len(os.listdir("/proc/self/fd"))
        with strangers(server.control_port, 200) as sockets:
            assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id
            assert len(os.listdir("/proc/self/fd")) < before + len(sockets) + 50


def test_strangers_cannot_take_the_descriptors_of_a_server(port: int) -> None:
    with TightClient(port, host="127.0.0.1", persistent=False) as client:
        folder = f"/proc/{client.server.pid}/fd"
        with contextlib.ExitStack() as stack:
            for _ in range(2 * _DESCRIPTORS // _AT_ONCE):
                stack.enter_context(strangers(port + 1000, _AT_ONCE, _FIRST_BYTE))
                assert client.request(PingRequest(), PongResponse).pid == client.server.pid
                assert len(os.listdir(folder)) < _DESCRIPTORS - _AT_ONCE
        another = ZMQClient(port, host="127.0.0.1")
        assert another.connect(timeout=60).instance_id == client.server.instance_id
        another.disconnect()


def test_a_gate_opens_again_when_the_strangers_have_gone(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gates: list[Gate] = []
    hold = Gate._hold

    def note(gate: Gate, descriptor: int) -> None:
        gates.append(gate)
        hold(gate, descriptor)

    monkeypatch.setattr(Gate, "_hold", note)
    monkeypatch.setattr("zmqruntime.gate.default_limit", lambda: 10)
    with ZMQServer(port, transport_mode=TransportMode.TCP) as server, ZMQClient(port, host="127.0.0.1") as client:
        wait_until(lambda: len(gates) == 2)
        control = gates[0]
        with strangers(server.control_port, 50, _FIRST_BYTE):
            wait_until(lambda: not control.is_open)
            assert is_listening(server.control_port, "127.0.0.1", TransportMode.TCP, timeout=0.2)
            assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id
            with pytest.raises(OSError, match="in use"):
                socket.create_server(("127.0.0.1", server.control_port))
        wait_until(lambda: control.is_open)
        with ZMQClient(port, host="127.0.0.1") as another:
            assert another.server.instance_id == client.server.instance_id
