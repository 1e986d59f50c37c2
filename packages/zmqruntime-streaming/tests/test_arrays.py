"""``send`` and ``receive``: what arrives is what was sent, once and in order, or newest first where asked for."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from zmqruntime import ClosedError, PortInUseError
from zmqruntime.streaming import (
    ArrayTooLargeError,
    DeferredAck,
    DisplayItem,
    ImageStream,
    Meta,
    Receiver,
    Sender,
    StreamTimeoutError,
    UnsupportedArrayError,
    UnsupportedMetadataError,
    receive,
)
from zmqruntime.streaming.inbox import Arrival, Inbox
from zmqruntime.streaming.waiting import wait_for
from zmqruntime.streaming.wire import ImageMessage, Stamp

PORT = 5580 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # without IPC, ports are shared by all tests
posix_only = pytest.mark.skipif(os.name != "posix", reason="there is no fork")
BIG = (300, 300)  # of 64 bit: more than goes into a frame where memory is shared
RECORD = np.dtype([("x", "<f4"), ("y", ">i2", (3,))])


@pytest.fixture
def pair() -> Iterator[tuple[Sender, Receiver]]:
    """A sender and a receiver that are connected."""
    with receive(PORT, timeout=20) as receiver, Sender(PORT, name="cam", timeout=20) as sender:
        sender.wait_connected()
        yield sender, receiver


class Exporter:
    """An array of another library: all that NumPy can do with it is DLPack."""

    def __init__(self, array: npt.NDArray[Any], kind: int = 1, refusal: Exception | None = None) -> None:
        self._array, self._kind, self._refusal = array, kind, refusal

    def __dlpack_device__(self) -> tuple[int, int]:
        return (self._kind, 0)

    def __dlpack__(self, **options: Any) -> Any:
        if self._refusal is not None:
            raise self._refusal
        return self._array.__dlpack__()


class NegatedExporter(Exporter):
    """A tensor of PyTorch whose memory has the opposite sign of its elements; its DLPack ignores that."""

    def resolve_neg(self) -> Exporter:
        return Exporter(-self._array)


class GpuExporter(Exporter):
    """An array on a GPU whose library can copy it to main memory, as the array API of 2023 says."""

    def __dlpack__(self, *, dl_device: tuple[int, int] | None = None, **options: Any) -> Any:
        if dl_device is None or dl_device[0] != 1:
            raise BufferError("this memory is not on the CPU")
        return self._array.__dlpack__()


class Imaged:
    """An image of a library that knows NumPy's interface only."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[np.uint8]:
        return np.eye(3, dtype=np.uint8)


ARRAYS: dict[str, Any] = {
    "0-d": np.array(3.5),
    "scalar": np.array(7, "u2")[()],
    "empty": np.empty((0, 5), "i4"),
    "no sizes": np.empty((3, 0, 2), "f8"),
    "gaps": np.arange(60, dtype="i4").reshape(6, 10)[::2, 1::3],
    "backwards": np.arange(12, dtype="u1")[::-1],
    "Fortran": np.asfortranarray(np.arange(12, dtype="f4").reshape(3, 4)),
    "broadcast": np.broadcast_to(np.arange(3, dtype="u2"), (4, 3)),
    "big-endian": np.arange(5, dtype=">u2"),
    "bool": np.array([[True, False]]),
    "float16": np.array([1, np.inf, np.nan], "f2"),
    "complex64": np.array([1 + 2j], "c8"),
    "complex128": np.full(BIG, 1 - 2j),
    "64 bit": np.array([2**64 - 1], "u8"),
    "dates": np.array(["2026-11-30", "NaT"], "M8[D]"),
    "text": np.array(["a", "ä"]),
    "record": np.array([(1.5, (1, 2, 3))], RECORD),
    "big record": np.zeros(BIG, RECORD),
    "large": np.random.default_rng(0).integers(0, 2**16, (512, 512), np.uint16),
    "read-only": np.frombuffer(b"abcd", "u1"),
    "5-d": np.arange(32, dtype="i1").reshape(2, 2, 2, 2, 2),
}


@pytest.mark.parametrize("shared", [True, False], ids=["memory", "frames"])
def test_arrays_arrive_as_they_were_sent(shared: bool) -> None:
    with receive(PORT, timeout=20) as receiver, Sender(PORT, timeout=20, shared_memory=shared) as sender:
        for array in ARRAYS.values():
            sender.send(array)
        for name, array in ARRAYS.items():
            got, _ = receiver.get()
            assert (got.shape, got.dtype) == (array.shape, array.dtype), name
            np.testing.assert_array_equal(got, array, name)
            del got


OTHERS = {
    "DLPack": (Exporter(np.arange(6, dtype="f4").reshape(2, 3)), np.arange(6, dtype="f4").reshape(2, 3)),
    "gaps": (Exporter(np.arange(6, dtype="u2").reshape(2, 3).T), np.arange(6, dtype="u2").reshape(2, 3).T),
    "bool": (Exporter(np.array([True, False])), np.array([True, False])),
    "empty": (Exporter(np.zeros((0, 2), "c8")), np.zeros((0, 2), "c8")),
    "negative bit": (NegatedExporter(np.arange(3)), -np.arange(3)),
    "array interface": (Imaged(), np.eye(3, dtype=np.uint8)),
}


def test_arrays_of_other_libraries_arrive(pair: tuple[Sender, Receiver]) -> None:
    for name, (value, expected) in OTHERS.items():
        pair[0].send(value)
        got, _ = pair[1].get()
        assert got.dtype == expected.dtype, name
        np.testing.assert_array_equal(got, expected, name)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy asks for a device since 2.1")
def test_an_array_on_a_gpu_is_copied_where_its_library_can(pair: tuple[Sender, Receiver]) -> None:
    pair[0].send(GpuExporter(np.arange(4), kind=2))
    np.testing.assert_array_equal(pair[1].get()[0], np.arange(4))


NOT_ARRAYS: list[tuple[Any, str]] = [
    (np.array([object()]), "references"),
    (np.ma.masked_array([1], [True]), "mask"),
    (np.zeros(2, "V0"), "no size"),
    ([[1, 2], [3, 4]], "list is not an array; send a NumPy array"),
    (None, "NoneType is not an array"),
    (Exporter(np.arange(3), refusal=BufferError("no bfloat16")), "cannot be passed to NumPy: no bfloat16"),
    (Exporter(np.arange(3), kind=2, refusal=BufferError("device")), r"on a CUDA GPU; .*array\.cpu\(\)"),
]
if np.dtype(np.longdouble).itemsize > 8:
    NOT_ARRAYS.append((np.zeros(2, np.longdouble), "differ between machines"))


def test_what_is_not_an_array_of_plain_memory_is_refused() -> None:
    with Sender(PORT, latest=True) as sender:
        for value, text in NOT_ARRAYS:
            with pytest.raises(UnsupportedArrayError, match=text):
                sender.send(value)
        assert sender.counts.sent == 0


META = {
    "exposure": 0.1,
    "gain": np.float32(0.5),
    "index": np.int64(-3),
    "on": np.bool_(True),
    "text": "µm",
    "raw": b"\x00\xff",
    "roi": [0, 0, 512, {"x": [None, True]}],
    "nothing": None,
    "huge": 2**64 - 1,
    "port": 1,
    "self": 2,
    "array": 3,
}


def test_metadata_arrives_as_plain_python_with_the_origin(pair: tuple[Sender, Receiver]) -> None:
    pair[0].send(np.zeros(2), **META)
    _, meta = pair[1].get()
    assert meta == META
    assert {type(value) for value in meta.values()} == {float, int, bool, str, bytes, list, type(None)}
    assert isinstance(meta, Meta)
    assert (meta.sender, meta.number, meta.missed, meta.position) == ("cam", 1, 0, {})
    assert meta.time is not None


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
NOT_PLAIN: list[tuple[Any, str]] = [
    ((1, 2), r"'given' of type tuple .* send list\(\.\.\.\)"),
    ([{"a": {1}}], r"'given\[0\]\.a' of type set"),
    ({1: 2}, r"key 1, which is not text; use str\(key\)"),
    (2**64, "64 bits"),
    (np.arange(3), "tolist"),
    (np.datetime64("2026-11-30"), "datetime64"),
    (np.timedelta64(3, "s"), "number of seconds"),
    (1j, r"z\.real"),
    (object(), "of type object"),
    ("x" * 2**20, "1,048"),
    ("\ud800", "UTF-8"),
    (ENDLESS, "nested deeper than 20"),
]


def test_metadata_that_would_not_arrive_as_it_is_is_refused_by_name() -> None:
    with Sender(PORT, latest=True) as sender:
        for value, text in NOT_PLAIN:
            with pytest.raises(UnsupportedMetadataError, match=text):
                sender.send(np.zeros(2), given=value)
        assert sender.counts.sent == 0


def test_a_slow_receiver_gets_the_newest_and_is_told_what_it_missed() -> None:
    with receive(PORT, latest=True, timeout=20) as receiver, Sender(PORT, name="cam", timeout=20) as sender:
        sender.wait_connected()
        for number in range(100):
            sender.send(np.full(BIG, number), number=number)
        assert sender._stream._sender.wait_until(lambda: sender.counts.skipped == 99, 20)
        array, meta = receiver.get()
        assert (array[0, 0], meta["number"], meta.number, meta.missed) == (99, 99, 100, 99)
        assert receiver.counts.senders["cam"].dropped == receiver.counts.dropped == 99
    assert (sender.counts.displayed, sender.dropped, sender.counts.failed) == (1, 99, 0)


def test_with_latest_a_sender_never_waits_and_counts_what_it_drops() -> None:
    with Sender(PORT, name="cam", latest=True, memory_budget=4_000_000, timeout=0) as sender:
        for number in range(50):
            sender.send(np.full(BIG, number))
        assert (sender.counts.sent, sender.dropped, sender.counts.waiting) == (50, 49, 1)
        with receive(PORT, timeout=20) as receiver:
            array, meta = receiver.get()
            assert (array[0, 0], meta.number) == (49, 50)
            assert sender._stream._sender.wait_until(lambda: sender.counts.displayed == 1, 20)
        with receive(PORT, timeout=20) as receiver:  # who comes later sees the current one
            assert receiver.get()[0][0, 0] == 49


def test_every_array_waits_within_the_budget_and_arrives_in_order() -> None:
    with Sender(PORT, memory_budget=4_000_000, timeout=0.05) as sender:
        with pytest.raises(ArrayTooLargeError, match="memory_budget=4_000_008"):
            sender.send(np.zeros(2_000_004, "u1"))
        for number in range(5):  # of 720 kB
            sender.send(np.full(BIG, number))
        with pytest.raises(StreamTimeoutError, match="no receiver is running there; start or check it"):
            sender.send(np.full(BIG, 5))
        kept = sender.counts.sent
        assert kept == 5
        assert sender.counts.memory_bytes <= 4_000_000
        with pytest.raises(
            StreamTimeoutError, match=f"{kept} of {kept} arrays were not confirmed by a receiver on port {PORT}"
        ):
            sender.flush()
        with receive(PORT, timeout=20) as receiver:
            assert [receiver.get()[0][0, 0] for _ in range(kept)] == list(range(kept))
            sender.flush(20)
            assert receiver.counts.dropped == sender.dropped == 0


def test_closing_waits_for_delivery_and_says_what_is_lost() -> None:
    sender = Sender(PORT, timeout=0.05)
    sender.send(np.zeros(3))
    with pytest.raises(StreamTimeoutError, match="1 of 1 arrays were not confirmed"):
        sender.close()
    sender.close()
    with pytest.raises(ClosedError):
        sender.send(np.zeros(3))
    with pytest.raises(ZeroDivisionError), Sender(PORT, timeout=60) as sender:  # not hidden, and not held up
        sender.send(np.zeros(1 // 0))


def test_each_array_arrives_once_whichever_side_is_restarted() -> None:
    numbers = []
    with Sender(PORT, name="cam", timeout=20) as sender:
        for number in range(40):
            sender.send(np.full(BIG, number), number=number)
        for _ in range(3):
            with receive(PORT, timeout=20) as receiver:
                numbers += [receiver.get()[1]["number"] for _ in range(7)]
        with receive(PORT, timeout=20) as receiver:
            while len(numbers) < 40:
                numbers.append(receiver.get()[1]["number"])
            sender.flush()
            with Sender(PORT, name="cam", timeout=20) as other:
                other.send(np.zeros(3), number=40)
                numbers.append(receiver.get()[1]["number"])
            assert receiver.counts.senders["cam"].received == 20
            assert receiver.counts.dropped == 0
    assert numbers == list(range(41))


def test_what_is_sent_again_after_a_broken_connection_is_given_once() -> None:
    ends: list[tuple[int, str | None]] = []
    inbox = Inbox(latest=False)

    def put(ticket: int, number: int) -> None:
        content = ImageMessage(image_id="", layer_name="cam", stamp=Stamp(number, 0.0))
        ack = DeferredAck(DisplayItem(b"", content, ticket), lambda item, error, _: ends.append((item.ticket, error)))
        inbox.put(Arrival("stream", content, np.array(number), ack))

    for ticket, number in enumerate([1, 2, 4, 2, 4, 5]):
        put(ticket, number)
    got = [int(found[0]) for found in iter(inbox.take, None)]
    assert got == [1, 2, 4, 5]
    assert sorted(ends) == [(ticket, None) for ticket in range(6)]
    assert inbox.counts().dropped == 1


@posix_only
def test_a_forked_child_leaves_the_sender_to_its_parent(pair: tuple[Sender, Receiver]) -> None:
    child = os.fork()
    if child == 0:
        pair[0]._close_at_exit()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    pair[0].send(np.zeros(3))
    pair[1].get()


def test_many_senders_keep_their_names_and_their_order() -> None:
    names = [f"camera {number}" for number in range(5)]

    def run(name: str) -> None:
        with Sender(PORT, name=name, timeout=30) as sender:
            for number in range(20):
                sender.send(np.full((64, 64), number, "u2"))

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    got: dict[str, list[int]] = {name: [] for name in names}
    with receive(PORT, timeout=30, window=2) as receiver:
        for thread in threads:
            thread.start()
        for _ in range(100):
            array, meta = receiver.get()
            got[meta.sender].append(int(array[0, 0]))
        for thread in threads:
            thread.join()
        assert receiver.counts.received == 100
        assert {name: counts.received for name, counts in receiver.counts.senders.items()} == dict.fromkeys(names, 20)
    assert all(numbers == list(range(20)) for numbers in got.values())


def test_a_stream_of_a_pipeline_can_be_received_as_well() -> None:
    with receive(PORT, timeout=20) as receiver, ImageStream(PORT) as stream:
        stream.send(np.eye(3), layer_name="DAPI", position={"well": "B06"}, metadata={"pixel_size": 0.65})
        array, meta = receiver.get()
        assert (meta, meta.sender, meta.position) == ({"pixel_size": 0.65}, "DAPI", {"well": "B06"})
        np.testing.assert_array_equal(array, np.eye(3))
        stream.send_points([[1, 2]])
        stream.settle()
        assert stream.counts.failed == 1


def test_arrays_are_borrowed_unless_copies_are_asked_for(pair: tuple[Sender, Receiver]) -> None:
    pair[0].send(np.arange(5))
    with pytest.raises(ValueError, match="read-only"):
        pair[1].get()[0][0] = 1
    pair[1].close()
    with receive(PORT, timeout=20, copy=True) as receiver:
        pair[0].send(np.asfortranarray(np.arange(6, dtype=">u2").reshape(2, 3)))
        array, _ = receiver.get()
        array[0] = 9
        assert array.flags.f_contiguous
        assert array.dtype == ">u2"


@pytest.mark.usefixtures("other_system")
def test_it_works_without_ipc_and_shared_memory_of_the_system(tmp_path: Path) -> None:
    with Sender(PORT, name="cam", timeout=30) as sender:
        for _ in range(2):
            with receive(PORT, timeout=30) as receiver:
                for number in range(20):
                    sender.send(np.full(BIG, number))
                assert list(tmp_path.glob("zrs-*"))
                assert [receiver.get()[0][0, 0] for _ in range(20)] == list(range(20))
                sender.flush()
    assert not list(tmp_path.iterdir())


def test_memory_can_be_filled_in_place(pair: tuple[Sender, Receiver]) -> None:
    array = pair[0].allocate((512, 512), "u2")
    array[:] = 7
    pair[0].send(array)
    assert (pair[1].get()[0] == 7).all()


def test_a_loop_can_be_left_and_the_port_is_free_again() -> None:
    with Sender(PORT, timeout=20) as sender:
        for number in range(2):
            sender.send(np.full(3, number))
            for array, _ in receive(PORT, timeout=20):
                assert array[0] == number
                break


def test_waiting_ends_at_the_timeout_at_close_and_with_a_used_port() -> None:
    with receive(PORT, timeout=0.01) as receiver:
        with pytest.raises(StreamTimeoutError, match=rf"no array arrived on port {PORT} within 0\.01 s; check"):
            next(receiver)
        with pytest.raises(StreamTimeoutError, match=r"within 0\.02 s"):
            receiver.get(timeout=0.02)
        with pytest.raises(PortInUseError, match=f"{PORT}"):
            receive(PORT)
    assert list(receiver) == []
    with pytest.raises(ClosedError, match="create a new one"):
        receiver.get()
    with receive(PORT) as receiver:
        threading.Thread(target=receiver.close).start()
        assert list(receiver) == []


def test_an_event_loop_receives_and_a_cancelled_wait_loses_nothing() -> None:
    async def run(sender: Sender) -> list[int]:
        got = []
        with receive(PORT, timeout=20) as receiver:
            waiting = asyncio.ensure_future(anext(receiver))
            await asyncio.sleep(0)
            waiting.cancel()
            for number in range(5):
                sender.send(np.full(3, number))
            async for array, _ in receiver:
                got.append(int(array[0]))
                if len(got) == 5:
                    break
            receiver.close()
            assert [each async for each in receiver] == []
        with receive(PORT, timeout=0.01) as receiver, pytest.raises(StreamTimeoutError):
            await anext(receiver)
        return got

    with Sender(PORT, timeout=20) as sender:
        assert asyncio.run(run(sender)) == list(range(5))


def test_a_sender_says_its_name_or_has_one() -> None:
    with pytest.raises(ValueError, match="1 to 200 characters, not 0"):
        Sender(PORT, name="")
    with Sender(PORT, latest=True) as sender:
        assert sender.name


def test_waits_are_short_where_ctrl_c_does_not_interrupt_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqruntime.streaming.waiting._LONGEST_SECONDS", 0.01)
    with receive(PORT, timeout=0.05) as receiver, pytest.raises(StreamTimeoutError):
        next(receiver)
    with receive(PORT) as receiver, Sender(PORT, timeout=20) as sender:
        threading.Timer(0.05, sender.send, [np.zeros(3)]).start()
        next(receiver)


def test_a_notification_at_the_end_of_a_short_wait_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqruntime.streaming.waiting._LONGEST_SECONDS", 0.01)
    arrived: list[int] = []

    class TooLate(threading.Condition):
        """A thread notifies after the wait has ended and before it has the lock again."""

        def wait(self, timeout: float | None = None) -> bool:
            assert not arrived, "it arrived, but was not looked for"
            result = super().wait(timeout)
            arrived.append(1)
            return result

    changed = TooLate()
    with changed:
        assert wait_for(changed, lambda: bool(arrived), None)
