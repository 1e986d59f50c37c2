"""Arrays to frames and back."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import zmq
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays_of

from zmqruntime.codec import encode
from zmqruntime.exceptions import MessageError, ZMQRuntimeError
from zmqruntime.messages import ErrorCode
from zmqruntime.streaming import (
    ArrayFramesError,
    ArrayHeader,
    ElementType,
    MemoryOrder,
    RecordField,
    UnsupportedArrayError,
    decode_array,
    encode_array,
)

PLAIN = (
    arrays_of.boolean_dtypes()
    | arrays_of.integer_dtypes(endianness="?")
    | arrays_of.unsigned_integer_dtypes(endianness="?")
    | arrays_of.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | arrays_of.complex_number_dtypes(endianness="?", sizes=(64, 128))
    | arrays_of.datetime64_dtypes(endianness="?")
    | arrays_of.timedelta64_dtypes(endianness="?")
    | arrays_of.byte_string_dtypes(min_len=1)
    | arrays_of.unicode_string_dtypes(endianness="?", min_len=1)
)
DTYPES = PLAIN | arrays_of.nested_dtypes(PLAIN, max_leaves=4, max_itemsize=400)
TYPESTRS = ["<u2", ">f8", "|b1", "|O8", "|V4", "<f16", "|V0", "<u3", "f4,i4", "<M8[xx]"]
SHAPES = arrays_of.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Arrays of any plain dtype and memory layout; random bytes, as the elements' values are not looked at."""
    dtype, shape = draw(DTYPES), draw(SHAPES)
    count = int(np.prod(shape)) * dtype.itemsize
    data = np.frombuffer(draw(st.binary(min_size=count, max_size=count)), np.uint8)
    array = np.ndarray(shape, dtype, buffer=data.copy(), order=draw(st.sampled_from("CF")))
    if draw(st.booleans()):
        array = np.transpose(array, draw(st.permutations(range(array.ndim))))
    if array.ndim and draw(st.booleans()):
        array = array[draw(arrays_of.basic_indices(array.shape, allow_ellipsis=True))]
        array = np.asarray(array, dtype)
    return array


def header_of(array: npt.NDArray[Any], **changes: Any) -> bytes:
    """The header frame of an array, with some of its fields changed."""
    header = msgspec.msgpack.decode(encode_array(array)[0], type=ArrayHeader)
    return encode(msgspec.structs.replace(header, **changes))


@given(arrays())
def test_an_array_comes_back_as_it_was(array: npt.NDArray[Any]) -> None:
    back = decode_array(encode_array(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@given(st.binary(max_size=200), st.binary(max_size=64))
def test_arbitrary_bytes_are_refused(head: bytes, body: bytes) -> None:
    with pytest.raises(ArrayFramesError):
        decode_array([head, body])


@given(
    st.recursive(
        st.builds(ElementType, st.sampled_from(TYPESTRS)),
        lambda inner: st.builds(
            ElementType,
            st.sampled_from(["|V8", "<u2", "|V64"]),
            st.lists(
                st.builds(
                    RecordField, st.text(max_size=3), inner, st.integers(0, 2**40), st.tuples(st.integers(0, 2**40))
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_leaves=4,
    ),
    st.lists(st.integers(0, 2**63), max_size=70).map(tuple),
    st.sampled_from(MemoryOrder),
    st.binary(max_size=64),
)
def test_a_wrong_header_is_refused(
    element: ElementType, shape: tuple[int, ...], order: MemoryOrder, body: bytes
) -> None:
    head = encode(ArrayHeader(element=element, shape=shape, order=order))
    try:
        array = decode_array([head, body])
    except ArrayFramesError:
        return
    assert array.nbytes == len(body)
    assert not array.dtype.hasobject


@pytest.mark.parametrize("order", ["C", "F"])
def test_nothing_is_copied(order: Any) -> None:
    array = np.asarray(np.arange(24, dtype="<u2").reshape(2, 3, 4), order=order)
    header, body = encode_array(array)
    assert np.shares_memory(np.frombuffer(body, np.uint8), array)
    back = decode_array([header, body])
    assert np.shares_memory(back, array)
    assert back.strides == array.strides
    assert not back.flags.writeable
    np.testing.assert_array_equal(back, array)


def test_an_array_with_gaps_is_copied_once() -> None:
    array = np.arange(24).reshape(4, 6)[::2, ::-1]
    header, body = encode_array(array)
    assert not np.shares_memory(np.frombuffer(body, np.uint8), array)
    np.testing.assert_array_equal(decode_array([header, body]), array)


def test_an_aligned_record_keeps_its_padding() -> None:
    dtype = np.dtype([("label", "u1"), ("centre", ">f8", (2,)), ("box", [("y", "<i4"), ("x", "<i4")])], align=True)
    array = np.zeros(3, dtype)
    array["centre"] = [[1, 2], [3, 4], [5, 6]]
    back = decode_array(encode_array(array))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back["centre"], array["centre"])


def test_through_real_sockets(socket_pair: tuple[zmq.SyncSocket, zmq.SyncSocket]) -> None:
    sender, receiver = socket_pair
    array = np.random.default_rng(0).integers(0, 2**16, (4, 512, 512)).astype(">u2")
    tracker = sender.send_multipart(encode_array(array), copy=False, track=True)
    frames = receiver.recv_multipart(copy=False)
    back = decode_array(frames)
    assert np.shares_memory(back, np.frombuffer(frames[1].buffer, np.uint8))
    np.testing.assert_array_equal(back, array)
    del back, frames
    assert tracker is not None
    tracker.wait(10)  # the array's memory is free again once the frames are gone


def test_the_array_keeps_its_frame_alive(socket_pair: tuple[zmq.SyncSocket, zmq.SyncSocket]) -> None:
    sender, receiver = socket_pair
    sender.send_multipart(encode_array(np.full((300, 300), 7, np.uint16)))
    back = decode_array(receiver.recv_multipart(copy=False))
    sender.send_multipart(encode_array(np.zeros((300, 300), np.uint16)))
    receiver.recv_multipart()
    assert (back == 7).all()


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([object()]), "references"),
        (np.array([("a", None)], dtype=[("name", "S1"), ("what", "O")]), "references"),
        (np.zeros(2, dtype=[]), "no size"),
        (np.ma.masked_array([1, 2], mask=[True, False]), "mask"),
    ],
)
def test_what_is_not_plain_memory_is_refused(array: npt.NDArray[Any], reason: str) -> None:
    with pytest.raises(UnsupportedArrayError, match=reason):
        encode_array(array)


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="the long double of this machine is a double")
def test_a_long_double_is_refused_with_the_remedy() -> None:
    with pytest.raises(UnsupportedArrayError, match="astype"):
        encode_array(np.zeros(2, np.longdouble))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_number_of_frames_is_two(count: int) -> None:
    with pytest.raises(ArrayFramesError, match="two frames"):
        decode_array([b""] * count)


@pytest.mark.parametrize("size", [0, 23, 25, 48])
def test_too_few_or_too_many_bytes_are_refused(size: int) -> None:
    with pytest.raises(ArrayFramesError, match=f"24 bytes of elements, but {size} were received"):
        decode_array([header_of(np.zeros((3, 4), "<u2")), bytes(size)])


def test_another_protocol_version_is_told_apart() -> None:
    with pytest.raises(ArrayFramesError, match="version 99") as caught:
        decode_array([header_of(np.zeros(2), protocol=99), bytes(16)])
    assert caught.value.code is ErrorCode.PROTOCOL


def test_the_errors_belong_to_the_tree_of_the_core() -> None:
    assert issubclass(ArrayFramesError, MessageError)
    assert issubclass(UnsupportedArrayError, ZMQRuntimeError)
