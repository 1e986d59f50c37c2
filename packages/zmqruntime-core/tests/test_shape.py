"""What may become objects: whatever passes can be decoded, and what is too deep or too much is refused in words."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st

from zmqruntime import ExecuteRequest, UnsendableError
from zmqruntime.codec import clean_text, encode, encode_given, pack_given
from zmqruntime.messages import BatchRequest
from zmqruntime.shape import MAX_DEPTH, problem_in

SIGNS = st.sampled_from(
    [0x80, 0x81, 0x90, 0x91, 0x92, 0xA1, 0xC0, 0xC1, 0xC4, 0xC7, 0xCB, 0xD4, 0xD9, 0xDC, 0xDE, 0xFF]
)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def itself() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@given(st.lists(st.one_of(SIGNS, st.integers(0, 255)), max_size=40).map(bytes))
def test_what_passes_can_be_decoded_and_what_does_not_cannot(data: bytes) -> None:
    try:
        msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        assert problem_in(data) is not None
    else:
        assert problem_in(data) is None


@given(st.recursive(st.none() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.floats(), st.lists))
def test_what_can_be_encoded_passes(value: object) -> None:
    assert problem_in(pack_given(value, "it", max_bytes=10_000_000)) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encode(nested(MAX_DEPTH)), None),
        (encode(nested(MAX_DEPTH + 2)), "nested deeper"),
        (b"\x91" * 1_000_000 + b"\x90", "nested deeper"),
        (b"\xdd" + (60_000_000).to_bytes(4) + b"\x90" * 100, "more than 1,000,000 elements"),
        (b"\x81\x80\x01", "a map as a key"),
        (b"\x81\x91\x80\x01", "a map as a key"),
        (b"\x81\xc7\x01\x05x\x01", "extension type as a key"),
        (b"\xa1\xff", "not UTF-8"),
        (b"\xc7\x03\xffabc", "time that does not exist"),
        (b"\xc1", "does not use"),
        (b"\x92\x01", "in the middle"),
        (b"\x01\x01", "after its end"),
        (b"", "in the middle"),
    ],
)
def test_problems_in_words(data: bytes, words: str | None) -> None:
    problem = problem_in(data)
    assert problem is None if words is None else words in (problem or "")


def test_looking_ends_after_so_many_steps() -> None:
    data = encode([["a", b"b"]] * 100_000)[:-1]
    assert problem_in(data, max_steps=100) is None
    assert problem_in(data) is not None


@pytest.mark.parametrize("payload", [nested(500), "pl\udce4t", {1: {2**70: 1}}, [None] * 1_000_001, itself()])
def test_a_request_that_nobody_could_read_is_refused_where_it_is_made(payload: object) -> None:
    with pytest.raises(UnsendableError):
        encode_given(ExecuteRequest(submission_id="12345678", payload=payload), "a request")


def test_too_long_says_how_long_and_what_to_do() -> None:
    with pytest.raises(UnsendableError, match=r"the result is 1,\d\d\d bytes, the limit is 1,000; write it to a file"):
        pack_given(b"x" * 1_000, "the result", max_bytes=1_000)


def test_a_class_that_raises_is_named() -> None:
    class Odd(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("never")

    with pytest.raises(TypeError, match="it"):
        pack_given(object(), "it", max_bytes=10)


def test_text_that_is_not_text_is_escaped() -> None:
    assert clean_text("pl\udce4t") == "pl\\udce4t"
    assert clean_text("plät") == "plät"


def batch_with(payload: object, place: int) -> BatchRequest:
    payloads: list[object] = [{"number": str(number), "text": "x" * 30} for number in range(300)]
    payloads.insert(place, payload)
    return BatchRequest(requests=[ExecuteRequest(submission_id=f"{n:032}", payload=p) for n, p in enumerate(payloads)])


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (msgspec.Raw(b"\xa1\xff"), "not UTF-8"),
        (msgspec.Raw(b"\x81\xc7\x01\x05x\x01"), "extension type as a key"),
        (msgspec.Raw(b"\x81\x80\x01"), "a map as a key"),
        (msgspec.Raw(b"\xc7\x03\xffabc"), "time that does not exist"),
        (nested(MAX_DEPTH + 11), "nested deeper"),
        (nested(MAX_DEPTH - 10), None),
        (["text"] * 9_000, None),
        (msgspec.msgpack.Ext(5, b"x"), None),
    ],
)
def test_one_bad_value_among_many_is_found(payload: object, words: str | None) -> None:
    for place in (0, 150, 300):
        if words is None:
            encode_given(batch_with(payload, place), "it")
        else:
            with pytest.raises(UnsendableError, match=words):
                encode_given(batch_with(payload, place), "it")


def test_many_short_requests_are_checked_without_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("zmqruntime.shape._scan")
    encode_given(batch_with({"args": [1, "two", 3.5, None]}, 7), "it")


def test_a_value_hidden_behind_another_of_the_same_key_is_seen() -> None:
    deep = b"\x91" * 1000 + b"\x90"
    data = b"\x82\xa1a" + deep + b"\xa1a\x01"
    assert "nested deeper" in (problem_in(data, is_message=True) or "")
