"""Traps of sockets and processes that are known in this field, one test each; others are beside what they belong to."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
import zmq

from zmqruntime import ClosedError, Message, PongResponse, TransportMode, ZMQClient, ZMQConfig, ZMQServer
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import EXECUTIONS, EventBatch, PingRequest

QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.4)
PORT = 7720


class CountingClient(ZMQClient):
    """Keeps what is published."""

    vocabulary = EXECUTIONS

    def __init__(self) -> None:
        super().__init__(PORT, config=QUICK)
        self.arrived: list[int] = []
        self.first = threading.Event()
        self.last = threading.Event()

    def on_event(self, topic: bytes, batch: Message) -> None:
        assert isinstance(batch, EventBatch)
        self.arrived.append(batch.upto)
        self.first.set()
        if batch.after == 0 and batch.upto == 0:
            self.last.set()


class GreetingServer(ZMQServer):
    """Publishes an empty batch to each subscriber, as an execution server does."""

    vocabulary = EXECUTIONS

    def on_subscribed(self, topic: bytes) -> None:
        self.publish(topic, batch(topic.decode(), 7))


def batch(execution_id: str, upto: int) -> EventBatch:
    return EventBatch(execution_id=execution_id, after=upto, upto=upto, events=[])


@pytest.fixture
def server() -> Iterator[GreetingServer]:
    with GreetingServer(PORT, config=QUICK) as server:
        yield server


def test_a_slow_joiner_is_told_how_far_things_are(server: GreetingServer) -> None:
    server.loop.call_soon(lambda: server.publish(b"topic", batch("topic", 1)))
    with CountingClient() as client:
        client.subscribe(b"topic")
        assert client.first.wait(10)
        assert client.arrived == [7]


def test_a_subscriber_that_does_not_read_costs_it_messages_and_nobody_else_anything(server: GreetingServer) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as stuck, CountingClient() as client:
        stuck.linger = 0
        stuck.rcvhwm = 10
        stuck.connect(f"ipc://{QUICK.home}/ipc/zmq-{PORT}.sock")
        stuck.subscribe(b"")
        client.subscribe(b"flood")
        assert client.first.wait(10)
        filler = batch("flood" + "x" * 1000, 1)

        def flood() -> None:
            for _ in range(20_000):
                server.publish(b"flood", filler)
            server.publish(b"flood", batch("flood", 0))

        server.loop.call_soon(flood)
        assert client.request(PingRequest(), PongResponse, timeout=30).instance_id == server.instance_id


def test_the_wall_clock_may_jump(server: GreetingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with CountingClient() as client:
        identity = ProcessIdentity.current()
        monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
        assert identity == ProcessIdentity.current()
        heard = threading.Event()
        server.loop.call_later(2 * QUICK.heartbeat_window, heard.set)
        assert heard.wait(10)
        assert client.state.value == "connected"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_after_connect_harms_neither_side(server: GreetingServer) -> None:
    with CountingClient() as client:
        context = multiprocessing.get_context("fork")
        child = context.Process(target=use_in_child, args=(client,))
        child.start()
        child.join(20)
        assert child.exitcode == 0
        assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id


def use_in_child(client: ZMQClient) -> None:
    """The forked copy refuses, in words, and can be let go; a client of the child's own works."""
    with pytest.raises(ClosedError, match="fork"):
        client.request(PingRequest(), PongResponse, timeout=2)
    client.disconnect()
    with ZMQClient(PORT, config=QUICK) as own:
        own.request(PingRequest(), PongResponse)


@pytest.mark.skipif(os.name != "posix", reason="needs fork")
def test_a_forked_child_does_not_keep_an_owned_server_alive() -> None:
    code = (
        "import os, sys, signal; from zmqruntime import ZMQClient\n"
        "class C(ZMQClient): server_target = 'zmqruntime.server:ZMQServer'\n"
        "c = C(7721, persistent=False); s = c.connect()\n"
        "child = os.fork()\n"
        "if child == 0: os.close(1); signal.pause()\n"
        "print(s.pid, s.process_start, child, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid, start, child = owner.stdout.readline().split()
        owner.kill()
        try:
            assert ProcessIdentity(int(pid), float(start)).wait(10)
        finally:
            os.kill(int(child), signal.SIGKILL)


def test_a_context_with_unsent_messages_ends_all_the_same() -> None:
    client = ZMQClient(PORT, config=QUICK)
    with GreetingServer(PORT, config=QUICK):
        client.connect()
    for _ in range(100):
        client.send_request(PingRequest())  # nobody is there to take them
    begin = time.monotonic()
    client.disconnect()
    assert time.monotonic() - begin < 5


def test_a_reply_does_not_wait_for_a_loop_to_come_round(server: GreetingServer) -> None:
    """A server that sleeps a fixed time between two looks at its socket answers about 90 requests a second."""
    with CountingClient() as client:
        seconds = []
        for _ in range(3):  # the best of them, on a machine that has other work
            begin = time.monotonic()
            for _ in range(200):
                client.request(PingRequest(), PongResponse)
            seconds.append(time.monotonic() - begin)
    assert min(seconds) < 200 / 400


@pytest.mark.parametrize("mode", [TransportMode.IPC, TransportMode.TCP])
def test_a_message_that_is_too_large_ends_its_connection_and_no_other(mode: TransportMode) -> None:
    small = ZMQConfig(max_message_bytes=10_000, heartbeat_interval=0.1)
    large = ZMQConfig(heartbeat_interval=0.1)
    with ZMQServer(PORT, transport_mode=mode, config=small) as server:
        with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
            sock.linger = 0
            if mode is TransportMode.IPC:
                sock.connect(f"ipc://{small.home}/ipc/zmq-{PORT + 1000}.sock")
                sock.send_multipart([b"", b"x" * 1_000_000])
                assert not sock.poll(200)
        with ZMQClient(PORT, transport_mode=mode, config=large) as client:
            assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id
