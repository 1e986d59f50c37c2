"""Streams and viewers over real sockets: what arrives, in which way, and what is said of it."""

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from zmqruntime import (
    AckStage,
    ClosedError,
    ConfigurationError,
    GlobalAckListener,
    GlobalQueueTrackerRegistry,
    ImageAck,
    Shape,
    ShapeKind,
    TransportMode,
)
from zmqruntime.streaming import (
    ArrayTooLargeError,
    Compression,
    ImageStream,
    Policy,
    StreamTimeoutError,
    UnsupportedArrayError,
    ViewerCommandError,
)

Viewer = Any  # the recording viewer of conftest.py
Until = Callable[[Callable[[], object]], None]
RNG = np.random.default_rng(0)
BIG = RNG.integers(0, 2**16, (300, 400), np.uint16)

ARRAYS: dict[str, npt.NDArray[Any]] = {
    "plane": BIG,
    "stack": RNG.integers(0, 255, (3, 2, 200, 200)).astype(np.uint8),
    "fortran": np.asfortranarray(BIG),
    "with gaps": BIG[::2, ::-3],
    "transposed": RNG.random((40, 50, 60)).transpose(2, 0, 1),
    "big endian": BIG.astype(">u2"),
    "boolean": BIG > 1000,
    "complex": (BIG + 1j * BIG).astype(np.complex64),
    "structured": np.array([(1, 2.5)] * 9000, [("label", "<u2"), ("area", ">f8")]),
    "dates": np.arange(20000).astype("M8[s]"),
    "text": np.array(["DAPI", "GFP"]),
    "empty": np.zeros((0, 5), np.float32),
    "scalar": np.array(7.0),
}


def shown(viewer: Viewer) -> list[tuple[npt.NDArray[Any], dict[str, Any]]]:
    return list(zip(viewer.images, viewer.infos, strict=True))


def send_many(stream: ImageStream, count: int, timeout: float) -> None:
    for _ in range(count):
        stream.send(BIG, timeout=timeout)


def test_a_policy_that_there_is_not_is_said_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown policy 'newest'; choose latest, block or all"):
        ImageStream(26501, policy="newest")  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["shared", "frames", "compressed", "tcp"])
def test_every_kind_of_array_arrives_as_it_was(way: str, viewer_class: Any, free_port: int) -> None:
    if way == "compressed":
        pytest.importorskip("blosc2", exc_type=ImportError)
    host = "127.0.0.1" if way == "tcp" else None
    compression = Compression.ALWAYS if way == "compressed" else Compression.OFF
    stream = ImageStream(free_port, host=host, shared_memory=way in ("shared", "tcp"), compression=compression)
    with viewer_class(free_port, host=host) as viewer, stream:
        for name, array in ARRAYS.items():
            stream.send(array, position={"name": name})
        stream.settle(20)
        assert stream.shares_memory == (way in ("shared", "tcp"))
        for array, image, info in zip(ARRAYS.values(), viewer.images, viewer.infos, strict=True):
            assert (image.dtype, image.shape) == (array.dtype, array.shape), info
            np.testing.assert_array_equal(image, array)


def test_a_record_of_what_cannot_be_sent(viewer: Viewer) -> None:
    with ImageStream(memory_budget=1_000_000) as stream:
        with pytest.raises(UnsupportedArrayError, match="references"):
            stream.send(np.array([object()]))
        with pytest.raises(UnsupportedArrayError, match="mask"):
            stream.send(np.ma.masked_array([1], [True]))
        with pytest.raises(UnsupportedArrayError, match="metadata"):
            stream.send(BIG, metadata={"what": object()})
        with pytest.raises(UnsupportedArrayError, match="points must be an array"):
            stream.send_points(np.zeros((3, 2)), features={"label": [1]})
        with pytest.raises(ArrayTooLargeError, match="memory_budget=1_200_000"):
            stream.send(np.zeros(600_000, np.uint8))
        with pytest.raises(ArrayTooLargeError):
            stream.allocate((2**20, 2**20, 2**20), np.float64)
        assert stream.counts.sent == 0
    with pytest.raises(ClosedError):
        stream.send(BIG)


def test_an_allocated_array_is_not_copied(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    with ImageStream() as stream:
        assert stream.wait_connected(10)
        array = stream.allocate(BIG.shape, BIG.dtype)
        array[:] = BIG
        monkeypatch.setattr(np, "copyto", None)
        stream.send(array)
        stream.settle(10)
        np.testing.assert_array_equal(viewer.images[0], BIG)


@pytest.mark.parametrize("shared", [True, False])
def test_an_allocated_array_is_the_callers_until_it_is_forgotten(shared: bool) -> None:
    with ImageStream(memory_budget=1_000_000, shared_memory=shared) as stream:
        held = [stream.allocate((300, 400), np.uint16)[::2].T for _ in range(6)]
        gc.collect()
        for number, array in enumerate(held):
            array[:] = number
        stream.send(BIG)
        assert [int(array.min()) for array in held] == [int(array.max()) for array in held] == list(range(6))
        assert stream.counts.memory_bytes <= 1_000_000
        del held, array
        for _ in range(50):
            stream.allocate((300, 400), np.uint16)[:] = 1
        assert stream.counts.memory_bytes <= 1_000_000


def test_shapes_points_and_metadata_arrive(viewer: Viewer) -> None:
    shapes = [Shape(kind=ShapeKind.ELLIPSE, coordinates=[[0, 0], [0, 2], [2, 2], [2, 0]], properties={"label": 3})]
    with ImageStream() as stream:
        stream.send(BIG, layer_name="DAPI", position={"well": "B06"}, metadata={"pixel_size": 0.65}, image_id="one")
        stream.send_shapes(shapes, layer_name="nuclei", position={"well": "B06"})
        stream.send_points(np.array([[1.5, 2], [3, 4]]), features={"area": np.array([5, 6])}, position={"well": "B06"})
        stream.settle(10)
    assert viewer.infos == [{"pixel_size": 0.65, "image_id": "one", "layer_name": "DAPI", "position": {"well": "B06"}}]
    assert viewer.others[0] == ("shapes", shapes, "nuclei", {"well": "B06"})
    kind, points, features, position = viewer.others[1]
    assert (kind, points.tolist(), features, position) == (
        "points",
        [[1.5, 2], [3, 4]],
        {"area": [5, 6]},
        {"well": "B06"},
    )


def test_acks_come_in_stages_to_trackers_and_callbacks(viewer: Viewer) -> None:
    seen: list[ImageAck] = []
    listener = GlobalAckListener()
    listener.register_callback(seen.append)
    with ImageStream(policy=Policy.ALL) as stream:
        for number in range(3):
            stream.send(BIG, image_id=str(number), metadata={"fail": "no room on the wall"} if number == 1 else {})
        stream.settle(10)
        counts = stream.counts
    listener.unregister_callback(seen.append)
    assert (counts.displayed, counts.failed, counts.skipped) == (2, 1, 0)
    assert [ack.stage for ack in seen if ack.image_id == "0"] == [AckStage.RECEIVED, AckStage.DISPLAYED]
    assert [ack.stage for ack in seen if ack.image_id == "1"] == [AckStage.RECEIVED, AckStage.FAILED]
    tracker = GlobalQueueTrackerRegistry().get_tracker(5555)
    assert tracker is not None
    assert tracker.viewer_type == "recording"
    assert tracker.get_progress() == (3, 3)
    assert [failure.reason for failure in tracker.get_failures()] == ["ValueError: no room on the wall"]


LISTENER = """
import sys, threading
from zmqruntime import GlobalAckListener
acks, done = [], threading.Event()
def take(ack):
    acks.append(f"{ack.image_id} {ack.stage}")
    if len(acks) == 2:
        done.set()
GlobalAckListener().register_callback(take)
GlobalAckListener().start()
print("listening", flush=True)
done.wait(20)
print(acks, flush=True)
GlobalAckListener().stop()
"""


def test_another_process_that_listens_on_the_ack_port_hears_it_too(viewer: Viewer) -> None:
    command = [sys.executable, "-W", "error", "-c", LISTENER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, ImageStream() as stream:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        stream.send(BIG, image_id="x")
        assert process.stdout.readline() == "['x received', 'x displayed']\n"


def test_the_ack_waits_for_the_draw_where_the_viewer_says_so(viewer_class: Any, until: Until) -> None:
    fates = []

    class Drawing(viewer_class):  # type: ignore[misc]
        def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
            fates.append(self.defer_ack())

    with Drawing(5555), ImageStream() as stream:
        stream.send(BIG)
        until(lambda: fates)
        with pytest.raises(StreamTimeoutError, match="1 in flight"):
            stream.settle(0.05)
        fates[0].displayed()
        fates[0].failed("too late to matter")
        stream.settle(10)
        assert stream.counts.displayed == 1


def test_latest_never_waits_and_the_newest_is_shown(viewer: Viewer) -> None:
    viewer.gate.clear()
    with ImageStream(memory_budget=4_000_000, timeout=0.0) as stream:
        assert stream.wait_connected(10)
        for number in range(200):
            stream.send(np.full_like(BIG, number), position={"site": number % 3})
        assert stream.counts.memory_bytes <= 4_000_000
        viewer.gate.set()
        stream.settle(20)
        counts = stream.counts
        assert counts.sent == 200
        assert counts.displayed + counts.skipped == 200
        assert counts.skipped > 100
        newest = {info["position"]["site"]: int(image[0, 0]) for image, info in shown(viewer)}
        assert newest == {0: 198, 1: 199, 2: 197}


def test_block_waits_for_the_viewer_and_says_so_at_the_deadline(viewer_class: Any) -> None:
    with viewer_class(5555, window=2) as viewer, ImageStream(policy=Policy.BLOCK, timeout=10.0) as stream:
        assert stream.wait_connected(10)
        viewer.gate.clear()
        with pytest.raises(StreamTimeoutError, match="does not accept more"):
            send_many(stream, 10, 0.2)
        sent = stream.counts.sent
        assert sent in (2, 3)
        viewer.gate.set()
        stream.send(BIG)
        stream.settle(10)
        assert stream.counts.skipped == 0
        assert len(viewer.images) == sent + 1


def test_all_shows_everything_and_waits_at_the_budget(viewer: Viewer) -> None:
    with ImageStream(policy=Policy.ALL, memory_budget=20 * BIG.nbytes, timeout=10.0) as stream:
        assert stream.wait_connected(10)
        viewer.gate.clear()
        with pytest.raises(StreamTimeoutError, match="budget"):
            send_many(stream, 50, 0.2)
        waiting = stream.counts.sent
        assert 10 < waiting <= 20
        opener = threading.Timer(0.1, viewer.gate.set)
        opener.start()
        for _ in range(30):
            stream.send(BIG)
        stream.settle(20)
        opener.join()
        assert len(viewer.images) == waiting + 30


def test_a_viewer_that_keeps_its_arrays_keeps_them_unchanged(viewer: Viewer) -> None:
    viewer.kept = []
    with ImageStream(policy=Policy.ALL, memory_budget=4_000_000, timeout=10.0) as stream:
        for number in range(60):
            stream.send(np.full((400, 400), number, np.uint16))
        stream.settle(20)
        assert stream.counts.memory_bytes <= 4_000_000
        assert [int(array.min()) for array in viewer.kept] == list(range(60))
        assert [int(array.max()) for array in viewer.kept] == list(range(60))
    viewer.kept = None


@pytest.mark.parametrize("policy", list(Policy))
def test_a_viewer_that_is_reopened_catches_up(policy: Policy, viewer_class: Any, until: Until) -> None:
    with ImageStream(policy=policy) as stream:
        with viewer_class(5555) as first:
            for number in range(6):
                stream.send(np.full_like(BIG, number), position={"site": number % 2}, image_id=str(number))
            stream.send_points([[1, 2]])
            stream.settle(10)
            assert first.images
        until(lambda: not stream.is_connected)
        stream.send(np.full_like(BIG, 9), position={"site": 1})
        with viewer_class(5555) as second:
            stream.settle(10)
            sites = {info["position"]["site"]: int(image[0, 0]) for image, info in shown(second)}
            assert sites == {0: 4, 1: 9}
            assert [entry[0] for entry in second.others] == ["points"]
            assert stream.counts.displayed + stream.counts.skipped == 8
    assert stream.counts.failed == 0


def test_a_stream_may_be_there_before_its_viewer(viewer_class: Any) -> None:
    with ImageStream() as stream:
        stream.send(BIG)
        with pytest.raises(StreamTimeoutError, match="no viewer is connected"):
            stream.settle(0.05)
        with pytest.raises(ViewerCommandError, match="no viewer"):
            stream.clear()
        with viewer_class(5555) as viewer:
            stream.settle(10)
            np.testing.assert_array_equal(viewer.images[0], BIG)


def test_two_producers_at_one_viewer(viewer: Viewer) -> None:
    with ImageStream(policy=Policy.ALL) as first, ImageStream(policy=Policy.ALL) as second:
        for number in range(20):
            first.send(np.full_like(BIG, number), layer_name="first")
            second.send(np.full_like(BIG, number), layer_name="second")
        first.settle(10)
        second.settle(10)
        for name in ("first", "second"):
            assert [int(a[0, 0]) for a, info in shown(viewer) if info["layer_name"] == name] == list(range(20))


def test_commands_come_after_what_was_sent(viewer: Viewer) -> None:
    with ImageStream(policy=Policy.ALL) as stream:
        for _ in range(5):
            stream.send(BIG)
        assert stream.screenshot(10).tolist() == np.full((2, 3, 3), 5).tolist()
        stream.navigate({"well": "B06"})
        stream.clear("image")
        assert viewer.others == [("navigate", {"well": "B06"}), ("clear", "image")]


def test_a_viewer_says_what_it_cannot_do(until: Until) -> None:
    from zmqruntime.streaming import StreamingVisualizerServer

    class Plain(StreamingVisualizerServer):
        def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
            pass

    with Plain(5555), ImageStream() as stream:
        assert stream.wait_connected(10)
        stream.send_shapes([])
        stream.settle(10)
        assert stream.counts.failed == 1
        with pytest.raises(ViewerCommandError, match="does not take screenshots"):
            stream.screenshot(10)


def test_what_fails_is_never_counted_as_displayed() -> None:
    from zmqruntime.streaming import StreamingVisualizerServer

    class Broken(StreamingVisualizerServer):
        def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
            raise NotImplementedError("no image is to its taste")

    with Broken(5555), ImageStream(policy=Policy.ALL) as stream:
        assert stream.wait_connected(10)
        for _ in range(3_000):
            stream.send(np.zeros((2, 2), np.uint8))
        stream.settle(60)
        assert (stream.counts.displayed, stream.counts.failed) == (0, 3_000)


def test_an_array_longer_than_a_message_goes_in_pieces(viewer_class: Any) -> None:
    from zmqruntime import ZMQConfig

    config = ZMQConfig(max_message_bytes=100_000)
    array = RNG.integers(0, 255, 1_234_567).astype(np.uint8)
    with viewer_class(5555, config=config) as viewer, ImageStream(config=config, shared_memory=False) as stream:
        stream.send(array, copy=False)
        stream.settle(10)
        np.testing.assert_array_equal(viewer.images[0], array)


def test_garbage_on_the_data_port_ends_nothing(viewer: Viewer) -> None:
    import zmq

    from zmqruntime import get_zmq_transport_url
    from zmqruntime.codec import encode
    from zmqruntime.streaming.wire import Delivery, ImageMessage, SegmentRef

    content = ImageMessage(image_id="x", layer_name="y")
    lost = Delivery(ticket=1, content=content, segment=SegmentRef("zrs-1-2-" + "0" * 32, 10))
    with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        sock.linger = 0
        sock.connect(get_zmq_transport_url(5555, mode=TransportMode.IPC))
        for frames in ([b""], [b"\xc1"], [b"", b"", b""], [encode(lost)], [encode(lost), b"nonsense"]):
            sock.send_multipart(frames)
        with ImageStream() as stream:
            stream.send(BIG)
            stream.settle(10)
        assert sock.poll(5000)
        assert b"failed" in sock.recv()
    assert len(viewer.images) == 1


def test_compression_is_used_when_the_line_is_slow_and_not_when_it_is_fast() -> None:
    pytest.importorskip("blosc2", exc_type=ImportError)
    from zmqruntime.streaming.compression import Gauge

    smooth = np.arange(10**6, dtype=np.uint16).view(np.uint8).data
    noise = RNG.integers(0, 255, 2 * 10**6).astype(np.uint8).data
    assert not Gauge().is_worth_it(smooth, 2), "nothing is known of the line yet"
    for seconds, body, expected in ((1000.0, smooth, True), (1000.0, noise, False), (1e-5, smooth, False)):
        gauge = Gauge()
        gauge.note_sent(10**7, seconds)
        assert gauge.is_worth_it(body, 2) is expected
