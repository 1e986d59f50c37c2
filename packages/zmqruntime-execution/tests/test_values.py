"""Whatever a task says or returns: it is told, or it is that task's failure; nobody else notices."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zmq
from hypothesis import HealthCheck, given, settings, strategies as st

from zmqruntime import ErrorCode, ExecutionStatus, UnsendableError
from zmqruntime.codec import encode
from zmqruntime.execution import ExecutionClient
from zmqruntime.messages import ErrorResponse
from zmqruntime.transport import get_zmq_transport_url

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]
SERVERS = ["BenchServer", "ThreadServer"]
DEEP = "sys.setrecursionlimit(5000)\nx = []\nfor _ in range({}): x = [x]\n"

FAILING = {
    "surrogate in the error": ("raise ValueError('cannot read pl\\udce4t.tif')", "pl\\udce4t.tif"),
    "error that cannot be shown": ("class E(Exception):\n def __str__(self): raise RuntimeError\nraise E", "E"),
    "long error": ("raise ValueError('x' * 10_000_000)", "xxx"),
    "surrogate in the result": ("result = 'pl\\udce4t'", "not UTF-8"),
    "map as a key": (
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass K:\n a: int\nresult = {K(1): 1}",
        "map as a key",
    ),
    "time that does not exist": ("import msgspec\nresult = msgspec.msgpack.Ext(-1, b'abc')", "time that does not"),
    "bytes that are no value": ("import msgspec\nresult = msgspec.Raw(b'\\xc1')", "does not use"),
    "result 983 deep": (DEEP.format(983) + "result = x", "nested deeper than 100"),
    "result 5000 deep": (DEEP.format(5000) + "result = x", "nested deeper than 100"),
    "result in itself": ("result = []\nresult.append(result)", "contains itself"),
    "integer of 65 bits": ("result = 2**64", "cannot be sent"),
    "object in a checkpoint": ("task.checkpoint('a', object())", "may contain only"),
    "key of a checkpoint": ("task.checkpoint('\\udce4', 1)", "not UTF-8"),
    "long checkpoint": ("task.checkpoint('a', b'x' * 9_000_000)", "the limit is 8,388,608"),
    "many checkpoints": ("for n in range(9): task.checkpoint(str(n), b'x' * 8_000_000)", "of the execution take"),
    "long progress": ("task.report(**self.step(message='x' * 300_000))", "the limit is 262,144"),
    "surrogate in progress": ("task.report(**self.step(message='\\udce4'))", "not UTF-8"),
}


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest, make_client: MakeClient) -> ExecutionClient:
    return make_client(request.param)


def do(client: ExecutionClient, code: str) -> Any:
    return client.wait(client.submit({"do": "code", "code": code}), 60)


def test_what_cannot_be_told_fails_its_task_with_the_reason(served: ExecutionClient) -> None:
    for name, (code, words) in FAILING.items():
        ended = do(served, code)
        assert (name, ended.status) == (name, S.FAILED)
        assert words in (ended.error or ""), (name, ended.error)
        assert do(served, f"result = {name!r}").result == name


def test_lines_with_any_text_arrive(served: ExecutionClient) -> None:
    code = "task.log.info('pl\\udce4t'); task.log.info('next'); task.send_line('info', 'x', 'y' * 70_000_000)"
    execution_id = served.submit({"do": "code", "code": code})
    assert served.wait(execution_id, 60).status is S.COMPLETE
    texts = [line.text for line in served.logs(execution_id)]
    assert texts[:2] == ["pl\\udce4t", "next"]
    assert len(texts[2]) == 16 * 1024


def test_much_progress_at_once_travels_in_messages_that_may_be_sent(served: ExecutionClient) -> None:
    code = "for n in range(400): task.report(**self.step(message='x' * 200_000, phase='step_started'))"
    execution_id = served.submit({"do": "code", "code": code})
    assert served.wait(execution_id, 120).status is S.COMPLETE
    assert len([e for e in served.events(execution_id) if getattr(e, "message", None)]) == 400


@pytest.mark.parametrize("depth", [200, 983, 984, 20_000])
def test_a_deep_payload_is_refused_where_it_is_submitted(client: ExecutionClient, depth: int) -> None:
    payload: list[Any] = []
    for _ in range(depth):
        payload = [payload]
    with pytest.raises(UnsendableError):
        client.submit(payload)
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1


def test_values_that_no_client_of_ours_sends(client: ExecutionClient) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.REQ)
    sock.linger = 0
    sock.connect(get_zmq_transport_url(client.control_port))
    execution_id = client.submit({"do": "nothing"})
    client.wait(execution_id, 60)
    text = msgspec.Raw(b"\xa1\xff")
    try:
        for fields in (
            {"type": "events", "execution_id": execution_id, "after": 2**63},
            {"type": "events", "execution_id": execution_id, "after": -1},
            {"type": "execute", "submission_id": "12345678", "payload": msgspec.Raw(b"\x91" * 984 + b"\x90")},
            {"type": "execute", "submission_id": "12345678", "plate_id": text},
            {"type": "history", "limit": 2**62},
            {"type": "find", "prefix": "%"},
        ):
            sock.send(encode(fields))
            assert sock.poll(20_000)
            reply = msgspec.msgpack.decode(sock.recv(), type=ErrorResponse)
            assert reply.code is ErrorCode.INVALID, (fields, reply)
        for fields in (
            {"type": "execute", "submission_id": "soon-ended", "payload": {"do": "nothing"}, "time_limit": 1e308},
            {"type": "execute", "submission_id": "not-of-text", "payload": text},
        ):
            sock.send(encode(fields))
            assert sock.poll(20_000)
            assert msgspec.msgpack.decode(sock.recv())["type"] == "accepted"
    finally:
        sock.close()
        context.term()
    assert client.wait("soon-ended", 60).status is S.COMPLETE
    ended = client.wait("not-of-text", 60)
    assert ended.status is S.FAILED
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1


KEYS = st.text(max_size=5) | st.integers(0, 9) | st.binary(max_size=3) | st.none() | st.booleans()
LEAVES = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=20))
    | st.sampled_from(["pl\udce4t", "\ud800", "x" * 100_000])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20)
DEPTHS = st.sampled_from([0, 1, 90, 150, 500, 990])


def wrapped(value: object, depth: int) -> object:
    for _ in range(depth):
        value = [value]
    return value


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.builds(wrapped, VALUES, DEPTHS), door=st.sampled_from(["payload", "result", "checkpoint", "progress"]))
def test_generated_values_at_every_door_while_others_run(many: ExecutionClient, value: object, door: str) -> None:
    bystander = many.submit({"do": "count", "upto": 5})
    try:
        thrown = many.submit({"do": "throw", "door": door, "value": value})
    except (UnsendableError, TypeError):
        pass
    else:
        assert many.wait(thrown, 60).status in (S.COMPLETE, S.FAILED)
    ended = many.wait(bystander, 60)
    assert (ended.status, ended.result, ended.attempts) == (S.COMPLETE, 5, 1)
    assert len(many.status(limit=5).executions) >= 1


@pytest.fixture
def many(make_client: MakeClient) -> ExecutionClient:
    return make_client("TwoAtOnceServer")
