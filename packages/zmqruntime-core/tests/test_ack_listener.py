"""The acknowledgement listener over real sockets, in both transports, with viewers that behave and others."""

import contextlib
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import zmq

from zmqruntime import (
    AckCounts,
    AckListener,
    AckStage,
    ConfigurationError,
    ErrorCode,
    GlobalAckListener,
    GlobalQueueTrackerRegistry,
    ImageAck,
    KeyStore,
    PortInUseError,
    QueueTrackerRegistry,
    RequestRefusedError,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    get_zmq_transport_url,
)
from zmqruntime.codec import encode

CONFIG = ZMQConfig()
PORT = CONFIG.shared_ack_port

OTHER_PROCESS = """
import sys
from zmqruntime import GlobalAckListener
GlobalAckListener().start()
print("listening", flush=True)
sys.stdin.read()
GlobalAckListener().stop()
"""


def ack(image_id: str, stage: AckStage = AckStage.DISPLAYED, port: int = 5555) -> ImageAck:
    return ImageAck(image_id=image_id, viewer_port=port, viewer_type="napari", stage=stage, timestamp=0.0)


@contextlib.contextmanager
def viewer(mode: TransportMode = TransportMode.IPC, port: int = PORT) -> Iterator["zmq.Socket[bytes]"]:
    """The socket of a viewer that acknowledges."""
    with zmq.Context() as context, context.socket(zmq.PUSH) as sock:
        sock.linger = 5000
        if mode is TransportMode.TCP:
            keys = KeyStore(CONFIG)
            sock.curve_publickey, sock.curve_secretkey = keys.client().public, keys.client().secret
            sock.curve_serverkey = keys.server().public
        sock.connect(get_zmq_transport_url(port, mode=mode))
        yield sock


def free_port(mode: TransportMode) -> int:
    """The shared port, or over TCP, where other programs may hold it, a free one with its control port."""
    while mode is TransportMode.TCP:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port < 64_000 and second.connect_ex(("127.0.0.1", port + CONFIG.control_port_offset)):
                return port
    return PORT


class Arrivals:
    """Callback that lets a test wait for an image."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, message: ImageAck) -> None:
        with self._changed:
            self.seen.append(message.image_id)
            self._changed.notify_all()

    def wait_for(self, image_id: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: image_id in self.seen, 10)


@pytest.fixture
def registry() -> QueueTrackerRegistry:
    return QueueTrackerRegistry()


@pytest.fixture
def listener(registry: QueueTrackerRegistry) -> Iterator[AckListener]:
    listener = AckListener(registry)
    yield listener
    listener.stop()


@pytest.mark.parametrize("mode", list(TransportMode))
def test_acknowledgements_reach_the_trackers_before_the_callbacks(
    mode: TransportMode, registry: QueueTrackerRegistry, listener: AckListener
) -> None:
    arrivals = Arrivals()
    listener.register_callback(arrivals)
    listener.register_callback(arrivals)
    port = free_port(mode)
    config = ZMQConfig(shared_ack_port=port)
    assert listener.start(transport_mode=mode, config=config) == port == listener.port
    tracker = registry.get_or_create_tracker(5555, "napari")
    for number in range(500):
        tracker.register_sent(str(number))
    with viewer(mode, port) as sock:
        for number in range(500):
            sock.send(encode(ack(str(number), AckStage.RECEIVED)))
            sock.send(encode(ack(str(number))))
        sock.send(encode(ack("elsewhere", port=6000)))
        arrivals.wait_for("elsewhere")
    assert tracker.get_progress() == (500, 500)
    assert listener.counts == AckCounts(matched=1000, unmatched=1)
    assert len(arrivals.seen) == 1001


def test_bad_messages_are_counted_and_reported_and_end_nothing(
    listener: AckListener, caplog: pytest.LogCaptureFixture
) -> None:
    arrivals = Arrivals()
    listener.register_callback(arrivals)
    listener.start()
    with viewer() as sock:
        for _ in range(100):
            sock.send(b"\xc1 not a message")
        sock.send(b"")
        sock.send_multipart([encode(ack("two")), b"frames"])
        sock.send(encode(ack("old")).replace(b"\xa8protocol\x01", b"\xa8protocol\x63"))
        sock.send(encode(ack("good")))
        arrivals.wait_for("good")
    assert listener.counts == AckCounts(unmatched=1, bad=103)
    reports = [record for record in caplog.records if "unreadable" in record.getMessage()]
    assert len(reports) == 7  # the 1st, 2nd, 4th ... 64th


def test_a_failing_callback_harms_nobody(listener: AckListener, caplog: pytest.LogCaptureFixture) -> None:
    arrivals = Arrivals()

    def fail(message: ImageAck) -> None:
        raise ValueError("from a callback")

    listener.register_callback(fail)
    listener.register_callback(arrivals)
    listener.start()
    with viewer() as sock:
        sock.send(encode(ack("a")))
        arrivals.wait_for("a")
        listener.unregister_callback(fail)
        listener.unregister_callback(fail)
        sock.send(encode(ack("b")))
        arrivals.wait_for("b")
    assert [record.exc_text for record in caplog.records if record.levelno == logging.ERROR and record.exc_text]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_start_and_stop_may_be_repeated(listener: AckListener) -> None:
    arrivals = Arrivals()
    listener.register_callback(arrivals)
    listener.stop()
    for image_id in "ab":
        listener.start()
        listener.start()
        with viewer() as sock:
            sock.send(encode(ack(image_id)))
            arrivals.wait_for(image_id)
        listener.stop()
        listener.stop()
        assert listener.port is None
    assert listener.counts.unmatched == 2


def test_a_callback_may_stop_it(listener: AckListener) -> None:
    stopped = threading.Event()

    def stop(message: ImageAck) -> None:
        listener.stop()
        stopped.set()

    listener.register_callback(stop)
    listener.start()
    with viewer() as sock:
        sock.send(encode(ack("a")))
        assert stopped.wait(10)
    assert listener.port is None


def test_another_port_needs_a_stop_first(listener: AckListener) -> None:
    listener.start()
    with pytest.raises(ConfigurationError, match=rf"{PORT}.*stop\(\)"):
        listener.start(PORT + 1)


def test_a_port_of_another_process_is_an_error_with_the_remedy(listener: AckListener) -> None:
    code = [sys.executable, "-c", OTHER_PROCESS]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"listening\n"
        with pytest.raises(PortInUseError, match=rf"{PORT}.*start\(\) this listener on a free port"):
            listener.start()
        assert listener.port is None
        assert listener.start(PORT + 1) == PORT + 1
        other.communicate()
    assert other.returncode == 0
    listener.stop()
    assert listener.start() == PORT


def test_it_says_who_it_is_and_does_not_end_on_request(listener: AckListener) -> None:
    listener.start()
    with ZMQClient(PORT) as client:
        assert client.server.port == PORT
        with pytest.raises(RequestRefusedError, match="shows images") as refused:
            client.shutdown_server()
        assert refused.value.code is ErrorCode.UNSUPPORTED
        client.connect()


def test_the_global_listener_is_the_same_everywhere_and_serves_the_global_trackers() -> None:
    arrivals = Arrivals()
    tracker = GlobalQueueTrackerRegistry().get_or_create_tracker(5555, "napari")
    tracker.register_sent("a")
    GlobalAckListener().register_callback(arrivals)
    try:
        GlobalAckListener().start()
        assert GlobalAckListener().port == PORT
        with viewer() as sock:
            sock.send(encode(ack("a")))
            arrivals.wait_for("a")
        assert tracker.get_progress() == (1, 1)
    finally:
        GlobalAckListener().stop()
        GlobalAckListener().unregister_callback(arrivals)
        GlobalQueueTrackerRegistry().remove_tracker(5555)
