"""Arrays that are filled in place: what was sent stays as it was sent, whatever the sender does with its array."""

import gc
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from zmqruntime.streaming import ArrayTooLargeError, ImageStream, Receiver, Sender, receive

PORT = 5580 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])  # without IPC, ports are shared by all tests
SHAPE = (512, 512)
Array = npt.NDArray[Any]


@pytest.fixture(params=[True, False], ids=["memory", "frames"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Sender, Receiver]]:
    """A sender with little memory, and a receiver."""
    options: dict[str, Any] = {"memory_budget": 8 * 1024 * 1024, "shared_memory": request.param}
    with receive(PORT, timeout=20) as receiver, Sender(PORT, timeout=20, **options) as sender:
        sender.wait_connected()
        yield sender, receiver


def filled(sender: Sender | ImageStream, value: int) -> Array:
    array = sender.allocate(SHAPE, np.uint16)
    array[:] = value
    return array


def test_an_array_that_was_sent_is_read_only_and_stays_right(pair: tuple[Sender, Receiver]) -> None:
    sender, receiver = pair
    array = filled(sender, 7)
    sender.send(array)
    with pytest.raises(ValueError, match="read-only"):
        array[:] = 99
    assert (receiver.get()[0] == 7).all()
    for number in range(40):  # many times the budget: its memory is used for none of them as long as it is here
        sender.send(filled(sender, number))
        assert (receiver.get()[0] == number).all()
        if number % 10 == 0:
            sender.send(array)
            assert (receiver.get()[0] == 7).all()
    assert (array == 7).all()


VIEWS: dict[str, Callable[[Array], Array]] = {
    "part": lambda array: array[100:],
    "flat": lambda array: array.reshape(-1),
    "bytes": lambda array: array.view("u1"),
    "other library": lambda array: np.from_dlpack(array),
}


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("is_view_sent", [False, True])
def test_a_view_that_is_kept_changes_nothing_that_was_sent(
    pair: tuple[Sender, Receiver], name: str, is_view_sent: bool
) -> None:
    if name == "other library" and not is_view_sent:
        pytest.skip("NumPy does not know of it, as the documentation says")
    sender, receiver = pair
    array = filled(sender, 7)
    view = VIEWS[name](array)
    sender.send(view if is_view_sent else array)
    view[:], array[:] = 99, 99
    got, _ = receiver.get()
    assert not (got == 99).any()


def test_memory_of_sent_arrays_is_used_again_without_holding_up_the_sender(pair: tuple[Sender, Receiver]) -> None:
    sender, receiver = pair
    kept = []
    for number in range(60):  # of half a megabyte
        array = filled(sender, number)
        sender.send(array)
        kept.append(array)
        assert receiver.get()[0][0, 0] == number
    assert [int(array.max()) for array in kept] == list(range(60))
    assert sender.counts.memory_bytes <= 8 * 1024 * 1024
    del kept, array
    gc.collect()
    sender.flush()


def test_an_image_for_a_viewer_stays_as_it_was_sent() -> None:
    with ImageStream(PORT) as stream, receive(PORT, timeout=20) as receiver:
        image = filled(stream, 7)
        stream.send(image, position={"site": 1})
        with pytest.raises(ValueError, match="read-only"):
            image[:] = 99
        assert (receiver.get()[0] == 7).all()


@pytest.mark.parametrize("shape", [-1, (-1,), (3, -2), 2.5, (2.5, 2), "ab", None, True])
def test_a_shape_that_is_not_one_is_refused(shape: Any) -> None:
    with ImageStream(PORT, shared_memory=False) as stream:
        with pytest.raises(ValueError, match="is not the shape of an array; give whole numbers from 0"):
            stream.allocate(shape, np.float64)
        assert stream.allocate([2, 0], "f8").shape == (2, 0)
        with pytest.raises(ArrayTooLargeError):
            stream.allocate(2**62, "f8")
