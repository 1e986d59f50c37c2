"""When a client calls its server silent, and when lost: against servers that the test plays, and real ones."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import zmq

from zmqruntime import (
    ClientState,
    PongResponse,
    ServerLostError,
    ServerSilentError,
    Standing,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    get_zmq_transport_url,
    remove_ipc_socket,
)
from zmqruntime.codec import encode
from zmqruntime.messages import HEARTBEAT_TOPIC, EventBatch, Heartbeat, Message, PingRequest
from zmqruntime.transport import prepare_private_dir

PORT = 7730
CONFIG = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.6)
SHORT = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.3, request_timeout=0.9, unreachable_window=0.9)
HEARTBEAT = Heartbeat(instance_id="played", interval=0.1)
EVENTS = EventBatch(execution_id="an-execution", after=1, upto=1, events=[])

pytestmark = pytest.mark.skipif(os.name != "posix", reason="IPC sockets need POSIX")


class WatchingClient(ZMQClient):
    """Notes what becomes of its server."""

    def __init__(self, config: ZMQConfig = CONFIG) -> None:
        super().__init__(PORT, config=config)
        self.silent, self.lost, self.back = (threading.Event() for _ in range(3))
        self.errors: list[ServerLostError] = []

    def on_server_silent(self) -> None:
        self.silent.set()

    def on_server_lost(self, error: ServerLostError) -> None:
        self.errors.append(error)
        self.lost.set()

    def on_server_back(self, is_new: bool) -> None:
        self.back.set()


class PlayedServer:
    """Answers the first ping; what it does after that is up to the test."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        prepare_private_dir(CONFIG.home / CONFIG.ipc_socket_dir)
        self._control = context.socket(zmq.ROUTER)
        self._data = context.socket(zmq.XPUB)
        for sock, port in ((self._control, PORT + 1000), (self._data, PORT)):
            sock.linger = 0
            sock.rcvtimeo = 10_000
            sock.bind(get_zmq_transport_url(port, mode=TransportMode.IPC, config=CONFIG))

    def close(self) -> None:
        self._control.close()
        self._data.close()

    def take_ping(self) -> list[bytes]:
        """Wait for a request; the envelope of its reply."""
        return self._control.recv_multipart()[:-1]

    def answer(self, envelope: list[bytes]) -> None:
        pong = PongResponse(
            instance_id="played",
            pid=os.getpid(),
            process_start=0.0,
            server="PlayedServer",
            version="0",
            app_name=CONFIG.app_name,
            port=PORT,
        )
        self._control.send_multipart([*envelope, encode(pong)])

    def take_subscriptions(self, count: int) -> None:
        for _ in range(count):
            self._data.recv()

    def publish(self, topic: bytes, message: Message) -> None:
        self._data.send_multipart([topic, encode(message)])


@pytest.fixture
def server() -> Iterator[PlayedServer]:
    with zmq.Context() as context:
        server = PlayedServer(context)
        yield server
        server.close()
    for port in (PORT, PORT + 1000):
        remove_ipc_socket(port, CONFIG)


def connect(client: WatchingClient, server: PlayedServer) -> None:
    connecting = threading.Thread(target=client.connect)
    connecting.start()
    server.answer(server.take_ping())
    connecting.join()


@pytest.fixture
def client(server: PlayedServer) -> Iterator[WatchingClient]:
    client = WatchingClient()
    connect(client, server)
    client.subscribe(b"an-execution")
    server.take_subscriptions(2)
    yield client
    client.disconnect()


@pytest.mark.parametrize(("topic", "message"), [(HEARTBEAT_TOPIC, HEARTBEAT), (b"an-execution", EVENTS)])
def test_a_server_that_was_heard_after_the_question_is_not_silent(
    server: PlayedServer, client: WatchingClient, topic: bytes, message: Message
) -> None:
    """Its answer may still be behind many others."""
    server.take_ping()  # the client has heard nothing for a while, and asks
    server.publish(topic, message)
    server.take_ping()  # a silence later it asks once more: the first question has not made it silent
    assert not client.silent.is_set()


def test_a_silent_server_is_shown_never_raised_and_is_back_once_it_is_heard(
    server: PlayedServer, client: WatchingClient
) -> None:
    told: list[Standing] = []
    often = threading.Event()

    def note(standing: Standing) -> None:
        told.append(standing)
        if sum(each.state is ClientState.SILENT for each in told) == 3:
            often.set()

    remove = client.add_listener(note)
    asked = client.send_request(PingRequest())
    assert client.silent.wait(10)
    assert often.wait(10)
    assert client.state is ClientState.SILENT
    assert client.standing.text.startswith("no answer for ")
    assert not asked.done()
    server.publish(HEARTBEAT_TOPIC, HEARTBEAT)
    assert client.back.wait(10)
    assert str(client.state.value) == "connected"
    assert client.standing.text == ""
    assert not client.errors
    remove()
    server.answer(server.take_ping())
    assert asked.result(10)


def test_an_answer_in_time_keeps_it(server: PlayedServer, client: WatchingClient) -> None:
    for _ in range(3):
        server.answer(server.take_ping())
    assert not client.silent.is_set()


def test_a_connection_that_ends_is_asked_about_at_once_and_not_after_a_silence(server: PlayedServer) -> None:
    with zmq.Context() as context, contextlib.ExitStack() as stack:
        client = WatchingClient(ZMQConfig(heartbeat_window=600))
        stack.callback(client.disconnect)
        connect(client, server)
        server.close()
        successor = stack.enter_context(contextlib.closing(PlayedServer(context)))
        successor.answer(successor.take_ping())  # it waits ten seconds for it; the silence would take ten minutes
        assert client.state is ClientState.CONNECTED


def test_a_server_whose_process_cannot_be_seen_from_here_is_unreachable_after_long(server: PlayedServer) -> None:
    """Its process id means nothing on this machine: that there is none of that number proves nothing."""
    with contextlib.closing(_Disconnecting(WatchingClient(SHORT))) as closing:
        client = closing.client
        connect(client, server)
        server.close()
        assert client.lost.wait(10)
        assert client.silent.is_set()
        (error,) = client.errors
        assert "cannot be reached" in str(error)
        assert "ended" not in str(error)


def test_a_stopped_server_is_silent_however_long_and_a_killed_one_is_lost_at_once() -> None:
    class StartingClient(WatchingClient):
        server_target = "zmqruntime.server:ZMQServer"

    with StartingClient(SHORT) as client:
        os.kill(client.server.pid, signal.SIGSTOP)
        assert client.silent.wait(10)
        # Far longer than what would make a server of another machine unreachable; a real clock, since nothing happens.
        assert not client.lost.wait(4 * SHORT.unreachable_window)
        assert client.state is ClientState.SILENT
        assert f"process {client.server.pid}" in client.standing.text
        with pytest.raises(ServerSilentError, match="busy or suspended"):
            WatchingClient(SHORT).connect(0.5)
        os.kill(client.server.pid, signal.SIGCONT)
        assert client.back.wait(10)
        assert not client.errors
        os.kill(client.server.pid, signal.SIGKILL)
        assert client.lost.wait(10)
        assert f"process {client.server.pid}) ended" in str(client.errors[0])
        for port in (PORT, PORT + 1000):
            remove_ipc_socket(port, SHORT)


_BUSY_SERVER = """
import sys, threading
from zmqruntime import ZMQServer
class Busy(ZMQServer):
    def handle_request(self, request):
        if type(request).__name__ == "ShutdownRequest":
            sys.stdin.readline()
        return super().handle_request(request)
Busy(%d).serve_forever(lambda: print("up", flush=True))
"""


def test_a_busy_loop_is_told_from_a_process_that_is_stopped() -> None:
    """The network side of a server answers while its loop does not turn."""
    command = [sys.executable, "-c", _BUSY_SERVER % PORT]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
        contextlib.closing(_Disconnecting(WatchingClient(SHORT))) as closing,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        client, busy = closing.client, threading.Event()
        client.connect()
        client.add_listener(lambda standing: busy.set() if "and busy" in standing.text else None)
        ending = threading.Thread(target=client.shutdown_server, args=(60,))
        ending.start()
        assert busy.wait(20)
        process.stdin.write("go on\n")
        process.stdin.flush()
        ending.join(30)
        assert process.wait(30) == 0


class _Disconnecting:
    """For ``closing``."""

    def __init__(self, client: WatchingClient) -> None:
        self.client = client
        self.close = client.disconnect
