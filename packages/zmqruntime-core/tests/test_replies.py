"""Who does not read his replies costs the server a bounded amount, and nobody else anything."""

import contextlib
from collections.abc import Iterator

import msgspec
import psutil
import pytest
import zmq

from zmqruntime import ErrorCode, ZMQClient, ZMQServer
from zmqruntime.codec import encode
from zmqruntime.messages import ErrorResponse, OkResponse, PingRequest, PongResponse, Response
from zmqruntime.transport import get_zmq_transport_url

PIECE = 1024 * 1024


class TalkativeServer(ZMQServer):
    """Answers every ping with much."""

    def handle_request(self, request: object) -> Response:
        return OkResponse(message="x" * PIECE) if isinstance(request, PingRequest) else OkResponse()


class EndlessServer(ZMQServer):
    """Has a reply that no client would take."""

    def handle_request(self, request: object) -> Response:
        return OkResponse(message="x" * (self.config.max_message_bytes + 1))


@contextlib.contextmanager
def raw(port: int) -> "Iterator[zmq.Socket[bytes]]":
    """A client in another language, so to speak."""
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger = 0
    sock.rcvhwm = 1
    sock.connect(get_zmq_transport_url(port))
    try:
        yield sock
    finally:
        sock.close()
        context.term()


def test_replies_that_are_not_read_are_bounded_and_then_dropped(isolated_home: object) -> None:
    with TalkativeServer(7791) as server, raw(server.control_port) as sock:
        before = psutil.Process().memory_info().rss
        for number in range(300):
            sock.send_multipart([b"%d" % number, b"", encode(PingRequest())])
        with ZMQClientOfTalk(7791) as other:
            for _ in range(20):
                other.request(PingRequest(), OkResponse)
        assert psutil.Process().memory_info().rss - before < 150 * PIECE
        replies = []
        while sock.poll(500):
            replies.append(sock.recv_multipart()[-1])
        assert 0 < len(replies) < 300
        sock.send_multipart([b"next", b"", encode(PingRequest())])
        assert sock.poll(10_000)
        replies.append(sock.recv_multipart()[-1])
        said = [msgspec.msgpack.decode(reply, type=ErrorResponse) for reply in replies if len(reply) < PIECE]
        assert {error.code for error in said} == {ErrorCode.UNREAD}
        assert "unread" in said[0].message
        sock.send_multipart([b"next", b"", encode(PingRequest())])
        assert sock.poll(10_000)
        assert len(sock.recv_multipart()[-1]) > PIECE


class ZMQClientOfTalk(ZMQClient):
    """Takes what that server says for the answer to its first ping."""

    def _attach(self, deadline: float) -> PongResponse:
        self._open()
        return PongResponse(
            instance_id="", pid=0, process_start=0.0, server="", version="", app_name="", port=self.port
        )


def test_a_reply_that_nobody_would_take_is_an_error_in_words(isolated_home: object) -> None:
    with EndlessServer(7791) as server, raw(server.control_port) as sock:
        sock.send_multipart([b"", encode(PingRequest())])
        assert sock.poll(10_000)
        error = msgspec.msgpack.decode(sock.recv_multipart()[-1], type=ErrorResponse)
        assert error.code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("depth", [120, 900, 5_000])
def test_a_deep_request_is_invalid_and_costs_nobody_anything(isolated_home: object, depth: int) -> None:
    payload = b"\x91" * depth + b"\x90"
    message = encode({"type": "execute", "submission_id": "12345678", "payload": msgspec.Raw(payload)})
    with ZMQServer(7791) as server, raw(server.control_port) as sock:
        sock.send_multipart([b"", message])
        assert sock.poll(10_000)
        assert msgspec.msgpack.decode(sock.recv_multipart()[-1], type=ErrorResponse).code is ErrorCode.INVALID
