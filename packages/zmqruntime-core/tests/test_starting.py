"""Servers that clients start: by many at the same instant, and by one that is interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zmqruntime import Address, ZMQClient, ZMQServer
from zmqruntime.identity import ProcessIdentity
from zmqruntime.launch import Lifetime, start_server

PORT = 7704
CLIENTS = int(os.environ.get("SPAWN_CLIENTS", "12"))
ROUNDS = int(os.environ.get("SPAWN_ROUNDS", "2"))

STARTING = """
import sys
from zmqruntime import ZMQClient
class C(ZMQClient): server_target = "zmqruntime.server:ZMQServer"
client = C({port})
print("up", flush=True)
sys.stdin.readline()
pong = client.connect({patience})
print(pong.pid, pong.process_start, pong.instance_id)
client.disconnect()
"""
SLOW_SERVER = """
import os, signal
from pathlib import Path
from zmqruntime import ZMQServer
from zmqruntime.identity import ProcessIdentity
class Slow(ZMQServer): pass
me = ProcessIdentity.current()
Path({fifo!r}).write_text(f"{{me.pid}} {{me.start}}")
signal.pause()
"""
INTERRUPTED = """
import sys
from zmqruntime import ZMQClient
class C(ZMQClient): server_target = {target!r}
try:
    C({port}, persistent={persistent}).connect()
except KeyboardInterrupt:
    if {goes_on}:
        print("goes on", flush=True)
        sys.stdin.read()
    sys.exit(130)
"""


class StartingClient(ZMQClient):
    """Starts a plain server when none answers."""

    server_target = "zmqruntime.server:ZMQServer"


def start_at_once(count: int) -> set[str]:
    """Who the server is, by the word of so many clients that started or found it at the same instant."""
    code = STARTING.format(port=PORT, patience=60)
    many = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    for process in many:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
    for process in many:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].strip() for process in many]
    assert all(answers), "some clients did not get a server"
    return set(answers)


@pytest.mark.timeout(60 + ROUNDS * CLIENTS)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_clients_that_start_at_the_same_instant_get_one_server(number: int) -> None:
    answers = start_at_once(CLIENTS)
    assert len(answers) == 1
    with StartingClient(PORT) as client:
        server = client.server
        assert answers == {f"{server.pid} {server.process_start} {server.instance_id}"}
        client.shutdown_server()


@pytest.fixture
def fifo(isolated_home: Path) -> Path:
    """Where a server that never gets ready says who it is."""
    path = isolated_home / "who"
    os.mkfifo(path)
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs signals to another process")
@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_during_a_start_leaves_no_server(
    fifo: Path, isolated_home: Path, persistent: bool, goes_on: bool, times: int
) -> None:
    module = isolated_home / "slow_server.py"
    module.write_text(SLOW_SERVER.format(fifo=str(fifo)))
    code = INTERRUPTED.format(target=f"{module}:Slow", port=PORT, persistent=persistent, goes_on=goes_on)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as client:
        pid, start = fifo.read_text().split()
        server = ProcessIdentity(int(pid), float(start))
        try:
            assert server.is_running()
            for _ in range(times):
                client.send_signal(signal.SIGINT)
            if goes_on and times == 1:
                assert client.stdout is not None
                assert client.stdout.readline() == b"goes on\n"
            assert server.wait(5)
        finally:
            client.kill()
            if server.is_running():
                os.kill(server.pid, signal.SIGKILL)
    with StartingClient(PORT, persistent=False) as next_one:  # nobody holds the port or the start any more
        assert next_one.server.pid != server.pid


def test_a_server_from_a_terminal_that_was_faster_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, False])
    listens = Address.is_listening
    with ZMQServer(PORT) as server, StartingClient(PORT) as client:
        first = client.server.instance_id
        monkeypatch.setattr(Address, "is_listening", lambda address: next(looks, None) is None and listens(address))
        assert start_server(client.address, client.server_spec(), Lifetime.OWNED, time.monotonic() + 60) is None
        assert first == server.instance_id
        assert next(looks, None) is None
