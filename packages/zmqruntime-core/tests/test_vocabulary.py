"""Servers and clients with messages of their own."""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from zmqruntime import (
    ConfigurationError,
    ErrorCode,
    Message,
    MessageError,
    RequestRefusedError,
    ServerLostError,
    Vocabulary,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
    get_zmq_transport_url,
)
from zmqruntime.codec import Decoder, encode
from zmqruntime.exceptions import UnsendableError
from zmqruntime.messages import EXECUTIONS, ErrorResponse, StatusRequest, StatusResponse

PORT = 7745
SMALL = ZMQConfig(max_message_bytes=100_000)


class Move(Message, frozen=True, kw_only=True, tag="move"):
    """Go there; ``note`` is anything."""

    x_um: float
    note: Any = None


class Moved(Message, frozen=True, kw_only=True, tag="moved"):
    """It is there; ``note`` is anything."""

    x_um: float
    note: Any = None


class Position(Message, frozen=True, kw_only=True, tag="position"):
    """Where the stage is."""

    x_um: float
    note: Any = None


class Secret(Message, frozen=True, kw_only=True, tag="secret"):
    """A message that nobody names."""


ENDINGS: dict[str, type[BaseException]] = {
    each.__name__: each for each in (SystemExit, KeyboardInterrupt, GeneratorExit)
}


def fail(ending: type[BaseException]) -> None:
    raise ending("over")


STAGE = Vocabulary(requests=(Move,), replies=(Moved,), events=(Position,))
NOTES: dict[str, Any] = {
    "plain": 1,
    "an object": object(),
    "too long": "x" * 200_000,
    "too deep": None,
}


class StageServer(ZMQServer):
    """Moves, says where it is, and replies with what it is asked for."""

    vocabulary = STAGE

    def handle_request(self, request: Message) -> Message:
        if not isinstance(request, Move):
            return super().handle_request(request)
        match request.note:
            case "secret":
                return Secret()
            case "secret event":
                self.publish(b"stage", Secret())
            case "event with an object":
                self.publish(b"stage", Position(x_um=1, note=object()))
            case str() as text if " " in text and (ending := ENDINGS.get(text.split()[1])):
                if text.startswith("request"):
                    raise ending("over")
                self.loop.call_soon(lambda: fail(ending))
                return Moved(x_um=request.x_um)
            case str() as kind:
                return Moved(x_um=request.x_um, note=NOTES[kind])
        self.publish(b"stage", Position(x_um=request.x_um))
        return Moved(x_um=request.x_um)


class StageClient(ZMQClient):
    """Keeps where the stage is."""

    vocabulary = STAGE

    def __init__(self) -> None:
        super().__init__(PORT, config=SMALL)
        self.is_open = threading.Event()
        self.arrived = threading.Event()
        self.events: list[tuple[bytes, Message]] = []

    def on_event(self, topic: bytes, event: Message) -> None:
        self.events.append((topic, event))
        self.arrived.set()

    def on_resync(self) -> None:
        self.is_open.set()


class LossNoting(StageClient):
    """Says when its server is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = threading.Event()

    def on_server_lost(self, error: ServerLostError) -> None:
        self.lost.set()


@pytest.fixture
def stage(isolated_home: object) -> Iterator[StageClient]:
    with StageServer(PORT, config=SMALL), StageClient() as client:
        yield client


def test_requests_replies_and_events_of_ones_own_travel(stage: StageClient) -> None:
    stage.subscribe(b"stage")
    assert stage.is_open.wait(10)
    assert stage.request(Move(x_um=12.5), Moved) == Moved(x_um=12.5)
    assert stage.arrived.wait(10)
    assert stage.events == [(b"stage", Position(x_um=12.5))]


def test_a_subscription_reaches_the_server_before_the_requests_that_follow(isolated_home: object) -> None:
    class TopicServer(StageServer):
        def handle_request(self, request: Message) -> Message:
            if isinstance(request, Move):
                self.publish(f"topic {request.x_um:g};".encode(), Position(x_um=request.x_um))
            return super().handle_request(request)

    with TopicServer(PORT, config=SMALL), StageClient() as client:
        assert client.is_open.wait(10)
        for number in range(1, 31):
            client.arrived.clear()
            client.subscribe(f"topic {number};".encode())
            client.request(Move(x_um=number), Moved)
            assert client.arrived.wait(10), number
        assert [event for _, event in client.events] == [Position(x_um=number) for number in range(1, 31)]


def test_a_request_of_another_vocabulary_is_refused_by_name(stage: StageClient) -> None:
    with pytest.raises(
        RequestRefusedError, match=r"StageServer does not know the request 'status'; it knows .*move"
    ) as no:
        stage.request(StatusRequest(), StatusResponse)
    assert no.value.code is ErrorCode.UNSUPPORTED


@pytest.mark.parametrize(
    ("kind", "code", "text"),
    [
        ("secret", ErrorCode.INTERNAL, "Secret is not one of the replies in the vocabulary of StageServer"),
        ("secret event", ErrorCode.INTERNAL, "Secret is not one of the events in the vocabulary of StageServer"),
        ("an object", ErrorCode.INTERNAL, "the reply Moved cannot be sent"),
        ("event with an object", ErrorCode.INTERNAL, "the event Position may contain only"),
        ("too long", ErrorCode.TOO_LARGE, "ask for less"),
    ],
)
def test_what_a_subclass_cannot_send_is_refused_in_words(
    stage: StageClient, kind: str, code: ErrorCode, text: str
) -> None:
    with pytest.raises(RequestRefusedError, match=text) as refused:
        stage.request(Move(x_um=1, note=kind), Moved)
    assert refused.value.code is code
    assert stage.request(Move(x_um=2, note="plain"), Moved).note == 1


def test_the_bounds_of_messages_hold_for_ones_own(stage: StageClient) -> None:
    deep: list[Any] = []
    for _ in range(150):
        deep = [deep]
    with pytest.raises(UnsendableError, match="nested deeper"):
        stage.request(Move(x_um=1, note=deep), Moved)
    with pytest.raises(MessageError, match="more than the 100,000"):
        stage.request(Move(x_um=1, note="x" * 200_000), Moved)
    body = encode({"type": "move", "protocol": 1, "x_um": 1.0, "note": deep})
    answer = ask_raw(body)
    assert (answer.code, "nested deeper" in answer.message) == (ErrorCode.INVALID, True)
    wrong = ask_raw(encode({"type": "move", "x_um": "far"}))
    assert (wrong.code, "x_um" in wrong.message) == (ErrorCode.INVALID, True)


def ask_raw(body: bytes) -> ErrorResponse:
    decode: Decoder[ErrorResponse] = Decoder(ErrorResponse)
    with zmq.Context() as context, context.socket(zmq.REQ) as sock:
        sock.linger = 0
        sock.connect(get_zmq_transport_url(PORT + 1000))
        sock.send(body)
        assert sock.poll(10_000)
        return decode(sock.recv())


def test_a_class_speaks_what_its_bases_speak() -> None:
    class Turn(Message, frozen=True, kw_only=True, tag="turn"):
        pass

    class TurningServer(StageServer):
        vocabulary = Vocabulary(requests=(Turn,))

    spoken = Vocabulary.of(TurningServer)
    assert {Turn, Move} <= set(spoken.requests)
    assert Moved in spoken.replies
    assert not set(EXECUTIONS.requests) & set(spoken.requests)


def test_two_types_of_one_name_are_refused() -> None:
    class OtherMove(Message, frozen=True, kw_only=True, tag="move"):
        pass

    class Ping(Message, frozen=True, kw_only=True, tag="ping"):
        pass

    with pytest.raises(ConfigurationError, match="Move and OtherMove are both called 'move'"):
        Vocabulary(requests=(Move, OtherMove))
    with pytest.raises(ConfigurationError, match="PingRequest and Ping are both called 'ping'"):
        Vocabulary(requests=(Ping,))


@pytest.mark.parametrize(
    ("requests", "text"),
    [
        ((Move, Move), "contain Move twice: write it once"),
        ((Message,), "contain Message itself"),
        ((int,), "contain the class int: write message classes"),
        (Move, r"are the class Move: write a tuple, requests=\(Move,\)"),
        ((Move(x_um=1),), "contain Move"),
        ("Move", "are 'Move': write a tuple"),
    ],
)
def test_what_cannot_be_part_of_a_vocabulary_is_said_where_it_is_written(requests: Any, text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"requests of a Vocabulary {text}"):
        Vocabulary(requests=requests)


def test_a_vocabulary_may_be_written_as_a_list_and_nothing_else_is_one() -> None:
    class BareServer(ZMQServer):
        vocabulary = (Move,)  # type: ignore[assignment]

    assert Vocabulary(requests=[Move]) == Vocabulary(requests=(Move,))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="the vocabulary of BareServer is"):
        BareServer(PORT)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda client: client.request(5, Moved), "5 is not a message: send an object of a subclass"),
        (lambda client: client.request({}, Moved), "{} is not a message"),
        (lambda client: client.request(Move, Moved), r"Move is a message class, not a message: write Move\(\.\.\.\)"),
        (lambda client: client.request(Move(x_um=1), 5), "expect is a message class, not 5"),
        (lambda client: client.request(Move(x_um=1), Moved, timeout="3"), "timeout is a number of seconds, not '3'"),
        (lambda client: client.connect(timeout="3"), "timeout is a number of seconds, not '3'"),
        (lambda client: client.shutdown_server(timeout="3"), "timeout is a number of seconds, not '3'"),
        (lambda client: client.subscribe("stage"), "a topic is bytes, not 'stage'"),
    ],
)
def test_a_wrong_argument_is_said_at_once_and_costs_nothing(
    stage: StageClient, call: Callable[[StageClient], object], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(TypeError, match=text):
        call(stage)
    assert stage.request(Move(x_um=2, note="plain"), Moved, timeout=math.inf).note == 1
    assert not caplog.records


@pytest.mark.parametrize("ending", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_no_exception_of_a_handler_ends_the_server(stage: StageClient, ending: str) -> None:
    for place in ("request", "call"):
        with contextlib.suppress(RequestRefusedError):
            stage.request(Move(x_um=1, note=f"{place} {ending}"), Moved)
    with pytest.raises(RequestRefusedError, match=f"{ending}: over") as refused:
        stage.request(Move(x_um=1, note=f"request {ending}"), Moved)
    assert refused.value.code is ErrorCode.INTERNAL
    assert stage.request(Move(x_um=2, note="plain"), Moved).note == 1


def test_a_server_that_ended_in_a_living_process_is_said_at_once(isolated_home: object) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(StageServer(PORT, config=SMALL))
        client = LossNoting()
        stack.enter_context(client)
        server.close()
        assert client.lost.wait(10)
        for _ in range(2):
            with pytest.raises(
                ServerLostError, match="ended; its process goes on without it, and no other one"
            ) as lost:
                client.request(Move(x_um=1), Moved, timeout=20)
            assert "successor" not in str(lost.value)
        with StageServer(PORT, config=SMALL):
            assert client.request(Move(x_um=1), Moved, timeout=20)


def test_a_client_that_names_a_server_class_speaks_its_messages(isolated_home: object) -> None:
    with StageServer(PORT, config=SMALL), ZMQClient(PORT, config=SMALL, server=StageServer) as client:
        assert client.request(Move(x_um=1.5), Moved) == Moved(x_um=1.5)

    class Other(Message, frozen=True, tag="moved"):
        pass

    class OtherClient(ZMQClient):
        vocabulary = Vocabulary(replies=(Other,))

    with pytest.raises(ConfigurationError, match=r"Other and Moved are both called 'moved'"):
        OtherClient(PORT, server=StageServer)
