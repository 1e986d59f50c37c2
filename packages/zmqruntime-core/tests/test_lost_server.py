"""When a client calls its server lost: against a server that the test plays, over real sockets."""

import contextlib
import os
import threading
from collections.abc import Iterator

import pytest
import zmq

from zmqruntime import (
    ClientState,
    PongResponse,
    ServerLostError,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    get_zmq_transport_url,
    remove_ipc_socket,
)
from zmqruntime.codec import encode
from zmqruntime.messages import HEARTBEAT_TOPIC, EventBatch, Heartbeat, Message
from zmqruntime.transport import prepare_private_dir

PORT = 7730
CONFIG = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.6)
HEARTBEAT = Heartbeat(instance_id="played", interval=0.1)
EVENTS = EventBatch(execution_id="an-execution", after=1, upto=1, events=[])

pytestmark = pytest.mark.skipif(os.name != "posix", reason="IPC sockets need POSIX")


class WatchingClient(ZMQClient):
    """Notes what becomes of its server."""

    def __init__(self, config: ZMQConfig = CONFIG) -> None:
        super().__init__(PORT, config=config)
        self.lost = threading.Event()
        self.judged = threading.Event()

    def on_server_lost(self, error: ServerLostError) -> None:
        self.lost.set()

    def _judge(self, key: bytes, asked_at: float) -> None:
        super()._judge(key, asked_at)
        self.judged.set()


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
def test_a_server_that_was_heard_after_the_question_is_not_lost(
    server: PlayedServer, client: WatchingClient, topic: bytes, message: Message
) -> None:
    """Its answer may still be behind many others."""
    server.take_ping()  # the client has heard nothing for a while, and asks
    server.publish(topic, message)
    assert client.judged.wait(10)
    assert client.state is ClientState.CONNECTED
    assert not client.lost.is_set()


def test_a_server_that_stays_silent_is_lost_and_is_back_once_it_is_heard(
    server: PlayedServer, client: WatchingClient
) -> None:
    server.take_ping()
    assert client.lost.wait(10)
    assert client.state is ClientState.LOST
    back = threading.Event()
    client.on_server_back = lambda is_new: back.set()  # type: ignore[method-assign]
    server.publish(HEARTBEAT_TOPIC, HEARTBEAT)
    assert back.wait(10)
    assert str(client.state.value) == "connected"


def test_an_answer_in_time_keeps_it(server: PlayedServer, client: WatchingClient) -> None:
    server.answer(server.take_ping())
    assert client.judged.wait(10)
    assert client.state is ClientState.CONNECTED


def test_a_connection_that_ends_is_asked_about_at_once_and_not_after_a_silence(server: PlayedServer) -> None:
    with zmq.Context() as context, contextlib.ExitStack() as stack:
        client = WatchingClient(ZMQConfig(heartbeat_window=600))
        stack.callback(client.disconnect)
        connect(client, server)
        server.close()
        successor = stack.enter_context(contextlib.closing(PlayedServer(context)))
        successor.answer(successor.take_ping())  # it waits ten seconds for it; the silence would take ten minutes
        assert client.state is ClientState.CONNECTED
