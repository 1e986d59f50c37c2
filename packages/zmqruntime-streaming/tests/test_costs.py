"""What an image costs in messages, wake-ups and page faults, which does not depend on how busy the machine is."""

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import zmq

from zmqruntime.streaming import ImageStream, Policy, Receiver, Sender
from zmqruntime.streaming.wire import StreamReport

Viewer = Any
Until = Callable[[Callable[[], object]], None]

BIG = np.arange(512 * 512, dtype=np.uint16).reshape(512, 512)
IMAGES = 20


def counted(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[tuple[Any, ...]]:
    """Keep the arguments of each call of a method."""
    calls: list[tuple[Any, ...]] = []
    method = getattr(owner, name)

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return method(*arguments)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.fixture
def stream(viewer: Viewer) -> Iterator[ImageStream]:
    """A stream that has sent an image and is idle."""
    with ImageStream(policy=Policy.ALL) as opened:
        opened.send(BIG)
        opened.settle(10)
        yield opened


def test_sending_wakes_no_thread_of_the_sender(stream: ImageStream, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, stream._sender._loop, "call_soon")
    for _ in range(IMAGES):
        stream.send(BIG)
        stream.settle(10)
    # If a report is already there, the thread that sends notices it, and passes that on.
    assert {call.__name__ for (call,) in calls} <= {"_on_change"}


def test_an_image_is_received_shown_and_released_in_one_report(
    viewer: Viewer, stream: ImageStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = counted(monkeypatch, viewer, "_send")
    for _ in range(IMAGES):
        stream.send(BIG)
        stream.settle(10)
    reports = [arguments[1] for arguments in sent if isinstance(arguments[1], StreamReport)]
    assert sum(len(report.done) for report in reports) == IMAGES
    assert sum(len(report.acks) for report in reports) == 2 * IMAGES
    assert len(reports) < IMAGES * 1.5  # on a busy machine, the note of the receipt may come before


def test_images_that_arrive_together_wake_the_display_once(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    with ImageStream(policy=Policy.ALL) as stream:
        stream.wait_connected(10)
        wakes = counted(monkeypatch, viewer._queue, "wake")
        viewer.loop.call_soon(gate.wait)
        for _ in range(10):
            stream.send(BIG)
        gate.set()
        stream.settle(10)
        assert stream.counts.displayed == 10
    assert len(wakes) < 10


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of one thread")
def test_memory_is_used_again_without_page_faults(stream: ImageStream) -> None:
    import resource

    large = np.zeros((2048, 2048), np.uint16)
    for _ in range(3):  # the one that is shown is kept for a viewer that opens later
        stream.send(large)
        stream.settle(10)
    segments = stream._sender.pool.segments
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(IMAGES):
        stream.send(large)
        stream.settle(10)
    assert stream._sender.pool.segments == segments
    assert resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before < IMAGES * 100  # of 2,048 pages each


def test_ctrl_c_in_the_middle_of_a_message_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(timeout=20) as receiver, Sender(timeout=20) as sender:
        sender.send(BIG, number=0)
        receiver.get()
        link = sender._stream._sender._link
        sock = link._socket

        def interrupted(frames: Any, *_: Any, **__: Any) -> None:
            sock.send(frames[0], zmq.SNDMORE)
            raise KeyboardInterrupt

        monkeypatch.setattr(sock, "send_multipart", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sender.send(BIG, number=1)
        for number in range(2, 6):
            sender.send(BIG, number=number)
        got = [receiver.get() for _ in range(5)]
        assert [meta["number"] for _, meta in got] == [1, 2, 3, 4, 5]
        assert all(np.array_equal(array, BIG) for array, _ in got)
        sender.flush()
        assert sender.counts.failed == 0


def test_a_signal_handler_sends_in_the_middle_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(timeout=20) as receiver, Sender(timeout=20) as sender:
        sender.wait_connected()
        sock = sender._stream._sender._link._socket
        whole = sock.send_multipart

        def interrupted(frames: Any, *flags: Any, **options: Any) -> None:
            monkeypatch.setattr(sock, "send_multipart", whole)
            sock.send(frames[0], zmq.SNDMORE)
            sender.send(BIG, number=2)
            sock.send_multipart(frames[1:], *flags, **options)

        monkeypatch.setattr(sock, "send_multipart", interrupted)
        sender.send(BIG, number=1)
        assert [receiver.get()[1]["number"] for _ in range(2)] == [1, 2]


def test_a_viewer_maps_a_segment_once_and_lets_it_go_with_its_producer(
    viewer: Viewer, stream: ImageStream, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    opened = counted(monkeypatch, viewer._mappings, "_open")
    for _ in range(IMAGES):
        stream.send(BIG)
        stream.settle(10)
    assert len(opened) <= 3
    assert viewer._mappings
    stream.close()
    until(lambda: not viewer._mappings)
