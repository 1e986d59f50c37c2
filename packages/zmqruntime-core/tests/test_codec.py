"""Messages on the wire: round trips, and every kind of wrong bytes."""

import pytest
from hypothesis import given, strategies as st

from zmqruntime import (
    ErrorCode,
    ExecuteRequest,
    ExecutionStatus,
    MessageError,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
    codec,
)
from zmqruntime.codec import Decoder, encode, encode_given
from zmqruntime.messages import (
    PROTOCOL_VERSION,
    DataMessage,
    Event,
    EventBatch,
    ExecutionSnapshot,
    PingRequest,
    Request,
)

decode_request: Decoder[Request] = Decoder(Request)
decode_data: Decoder[DataMessage] = Decoder(DataMessage)

UPDATE = ProgressUpdate(
    execution_id="e1",
    plate_id="/data/plate_01",
    axis_id="B06",
    step_name="SegmentNuclei",
    step_index=2,
    total_steps=7,
    phase=ProgressPhase.PATTERN_GROUP,
    status=ProgressStatus.RUNNING,
    completed=14,
    total=50,
    percent=28.0,
    timestamp=1700000000.0,
    sequence=1,
)


def test_every_message_says_its_type_and_version() -> None:
    plain = PingRequest().to_dict()
    assert plain == {"type": "ping", "protocol": PROTOCOL_VERSION}
    assert decode_request(encode(plain)) == PingRequest()


def test_progress_round_trip_as_bytes_as_dict_and_read_like_a_mapping() -> None:
    batch = EventBatch(execution_id="e1", after=0, upto=1, events=[UPDATE])
    assert decode_data(encode(batch)) == batch
    assert ProgressUpdate.from_dict(UPDATE.to_dict()) == UPDATE
    assert UPDATE.to_dict()["type"] == "progress"
    assert (UPDATE["axis_id"], UPDATE.get("well_id", "unknown")) == ("B06", "B06")
    with pytest.raises(KeyError):
        UPDATE["no_such_entry"]


@pytest.mark.parametrize(
    "plain",
    [
        {"type": "ping", "surplus": 1},
        {"type": "status", "limit": -1},
        {"type": "status", "limit": "many"},
        {"type": "cancel"},
        {"type": "execute", "submission_id": "../../etc", "payload": None},
        {"type": "no such"},
        {"type": "pong"},
        [1, 2],
        None,
        7,
    ],
)
def test_what_breaks_the_schema_is_invalid(plain: object) -> None:
    with pytest.raises(MessageError) as caught:
        decode_request(encode(plain))
    assert caught.value.code is ErrorCode.INVALID


def test_another_protocol_version_is_named_whatever_else_is_wrong() -> None:
    with pytest.raises(MessageError, match="version 2") as caught:
        decode_request(encode({"type": "ping", "protocol": 2, "new field": 1}))
    assert caught.value.code is ErrorCode.PROTOCOL


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        decode_request(data)
    except MessageError:
        return


@given(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 3))
def test_a_damaged_message_decodes_or_is_refused(position: int, byte: int, cut: int) -> None:
    data = bytearray(encode(ExecuteRequest(submission_id="0123456789", payload={"a": [1, 2.5, "x", None]})))
    data[position % len(data)] = byte
    try:
        decode_request(bytes(data[: len(data) - cut]))
    except MessageError:
        return


def test_a_payload_that_cannot_be_sent_is_said_with_what_can() -> None:
    with pytest.raises(
        TypeError, match=r"an ExecuteRequest may contain only None, .* lists and maps of those: .* type object"
    ):
        encode_given(ExecuteRequest(submission_id="12345678", payload={"x": object()}), "an ExecuteRequest")


def many_events(count: int, result: object = None) -> bytes:
    snapshot = ExecutionSnapshot(
        execution_id="x", plate_id="", status=ExecutionStatus.COMPLETE, submitted_at=0.0, result=result
    )
    events: list[Event] = [StateChange(sequence=n, timestamp=0.0, execution=snapshot) for n in range(1, count + 1)]
    return encode(EventBatch(execution_id="x", after=0, upto=count, events=events))


def test_a_long_list_of_small_values_is_not_scanned_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []
    monkeypatch.setattr(codec, "problem_in", lambda data, **options: scanned.append(len(data)))
    decode: Decoder[EventBatch] = Decoder(EventBatch)
    assert len(decode(many_events(1_000, {"a": [b"\x81" * 200, "\u0441" * 200]})).events) == 1_000
    assert scanned == []


@pytest.mark.parametrize("depth", [110, 200, 900])
def test_depth_is_found_wherever_it_is_in_a_long_list(depth: int) -> None:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    wide = [[0], *[value], *[[n] for n in range(500)]]
    with pytest.raises(MessageError):
        Decoder(EventBatch)(encode(wide))
    with pytest.raises(MessageError, match="nested deeper"):
        Decoder(EventBatch)(many_events(2, value))
