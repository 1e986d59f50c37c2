"""No test leaves anything behind; each transport of this machine is a parameter."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zmq

from zmqruntime import GlobalQueueTrackerRegistry, Shape, TransportMode
from zmqruntime.streaming import Position, StreamingVisualizerServer
from zmqruntime.testing import isolated_home, no_leaks, zero_copy_thread

__all__ = ["isolated_home", "no_leaks", "zero_copy_thread"]

TRANSPORTS = ["inproc", "tcp"] if sys.platform == "win32" else ["inproc", "ipc", "tcp"]


@pytest.fixture(autouse=True)
def nothing_left(isolated_home: Path, zero_copy_thread: None, no_leaks: None) -> Iterator[None]:
    """Every test here is watched for leaks, and the trackers of one are not those of another."""
    yield
    for tracker in GlobalQueueTrackerRegistry().get_trackers():
        GlobalQueueTrackerRegistry().remove_tracker(tracker.viewer_port)


@pytest.fixture(params=TRANSPORTS)
def socket_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[zmq.SyncSocket, zmq.SyncSocket]]:
    """A connected sender and receiver."""
    address = {"inproc": "inproc://arrays", "ipc": f"ipc://{tmp_path}/s", "tcp": "tcp://127.0.0.1:*"}[request.param]
    with zmq.Context() as context, context.socket(zmq.PUSH) as sender, context.socket(zmq.PULL) as receiver:
        sender.linger = 0
        receiver.rcvtimeo = sender.sndtimeo = 10_000
        receiver.bind(address)
        endpoint = receiver.last_endpoint
        assert isinstance(endpoint, bytes)
        sender.connect(endpoint.decode())
        yield sender, receiver


@pytest.fixture
def other_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What macOS and Windows do differently, as far as it can run here: TCP for IPC, files for shared memory, waits."""
    monkeypatch.setattr("zmqruntime.transport.get_default_transport_mode", lambda: TransportMode.TCP)
    monkeypatch.setattr("zmqruntime.streaming.server.get_default_transport_mode", lambda: TransportMode.TCP)
    monkeypatch.setattr("zmqruntime.streaming.segments.segment_folder", lambda: tmp_path)
    monkeypatch.setattr("zmqruntime.streaming.waiting._LONGEST_SECONDS", 0.05)


class RecordingViewer(StreamingVisualizerServer):
    """Keeps copies of what it displays, in this process. ``gate`` closed, it hangs in display_image."""

    viewer_type = "recording"

    def __init__(self, port: int, **options: Any) -> None:
        super().__init__(port, **options)
        self.images: list[npt.NDArray[Any]] = []
        self.infos: list[dict[str, Any]] = []
        self.others: list[tuple[object, ...]] = []
        self.kept: list[npt.NDArray[Any]] | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        self.entered.release()
        assert self.gate.wait(30)
        if "fail" in metadata:
            raise ValueError(metadata["fail"])
        assert not image_data.flags.writeable
        if self.kept is not None:
            self.kept.append(image_data)
        self.images.append(image_data.copy())
        self.infos.append(metadata)

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        self.others.append(("points", points.copy(), features, metadata["position"]))

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        self.others.append(("shapes", shapes, metadata["layer_name"], metadata["position"]))

    def clear(self, layer_name: str | None) -> None:
        self.others.append(("clear", layer_name))

    def navigate(self, position: Position) -> None:
        self.others.append(("navigate", position))

    def take_screenshot(self) -> npt.NDArray[np.uint8]:
        return np.full((2, 3, 3), len(self.images), np.uint8)


@pytest.fixture
def viewer_class() -> type[RecordingViewer]:
    return RecordingViewer


@pytest.fixture
def viewer(viewer_class: type[RecordingViewer]) -> Iterator[RecordingViewer]:
    """A viewer in this process."""
    with viewer_class(5555) as server:
        yield server
        server.gate.set()


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Waits for something that gives no sign of itself, in another process for example."""

    def wait(condition: Callable[[], object], timeout: float = 20.0) -> None:
        deadline, pause = time.monotonic() + timeout, threading.Event()
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            pause.wait(0.01)

    return wait


@pytest.fixture
def free_port() -> int:
    """A TCP port whose control port is free as well."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port < 64_000 and second.connect_ex(("127.0.0.1", port + 1000)):
                return port
