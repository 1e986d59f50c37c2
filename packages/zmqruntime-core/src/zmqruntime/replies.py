"""Replies from a server to its clients, with a limit on unread replies for each client."""

import errno
import logging
from collections import deque

import zmq

from zmqruntime.base_messages import ErrorCode, ErrorResponse, Message
from zmqruntime.codec import encode
from zmqruntime.loop import SocketLoop, send_frames

__all__ = ["ReplyBook"]

_log = logging.getLogger(__name__)

MAX_UNREAD_BYTES = 16 * 1024 * 1024
_IN_PIPE = 16  # replies that libzmq holds for a client, in addition to those in system buffers
_RETRY_SECONDS = 0.002
_MOST_CLIENTS = 10_000


class _Client:
    """A client that reads more slowly than it sends requests."""

    def __init__(self) -> None:
        self.waiting: deque[list[bytes]] = deque()
        self.size = 0
        self.dropped = 0


class ReplyBook:
    """The replies of a ROUTER socket, for use on its loop's thread only.

    Replies that a client does not read stay in the pipe to it, then here, up to 16 MiB. Beyond that, its waiting
    replies are dropped, and the next reply says so.

    Args:
        loop: used to retry while a client is behind.
        sock: the ROUTER socket, not bound yet.
        max_message_bytes: longer replies are not sent, because no client would accept them.
    """

    def __init__(self, loop: SocketLoop, sock: "zmq.Socket[bytes]", max_message_bytes: int) -> None:
        sock.sndhwm = _IN_PIPE
        sock.router_mandatory = True
        self._loop = loop
        self._socket = sock
        self._max_message_bytes = max_message_bytes
        self._behind: dict[bytes, _Client] = {}
        self._is_trying = False

    def send(self, envelope: list[bytes], response: Message | bytes) -> None:
        """Send a reply, encoded or not, to the client in the envelope, now or when it reads again."""
        client = self._behind.get(envelope[0])
        if client is not None and client.dropped:
            response = _cut(client.dropped)
        data = response if isinstance(response, bytes) else encode(response)
        if len(data) > self._max_message_bytes:
            data = encode(_too_large(len(data), self._max_message_bytes))
        frames = [*envelope, data]
        if client is None or not client.waiting:
            if self._write(frames):
                self._behind.pop(envelope[0], None)
                return
            client = self._behind.setdefault(envelope[0], client or _Client())
        self._keep(client, frames)

    def _keep(self, client: _Client, frames: list[bytes]) -> None:
        client.waiting.append(frames)
        client.size += sum(map(len, frames))
        if client.size > MAX_UNREAD_BYTES:
            _log.warning("dropped %d replies (%d bytes) that a client did not read", len(client.waiting), client.size)
            client.dropped += len(client.waiting)
            client.waiting.clear()
            client.size = 0
        if len(self._behind) > _MOST_CLIENTS:
            del self._behind[next(iter(self._behind))]
        if not self._is_trying:
            self._is_trying = True
            self._loop.call_later(_RETRY_SECONDS, self._try_again)

    def _try_again(self) -> None:
        for identity, client in list(self._behind.items()):
            while client.waiting and self._write(client.waiting[0]):
                client.size -= sum(map(len, client.waiting.popleft()))
            if not client.waiting and not client.dropped:
                del self._behind[identity]
        self._is_trying = any(client.waiting for client in self._behind.values())
        if self._is_trying:
            self._loop.call_later(_RETRY_SECONDS, self._try_again)

    def _write(self, frames: list[bytes]) -> bool:
        """Send a reply; return False if it has to be retried, True if it was sent or its client is gone."""
        try:
            send_frames(self._socket, frames)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
        return True


def _cut(count: int) -> ErrorResponse:
    text = (
        f"{count:,} unread replies took up too much memory and were dropped; read replies before sending more requests"
    )
    return ErrorResponse(code=ErrorCode.UNREAD, message=text)


def _too_large(size: int, limit: int) -> ErrorResponse:
    text = f"the reply would be {size:,} bytes, the limit is {limit:,}; ask for less, or for one item at a time"
    return ErrorResponse(code=ErrorCode.TOO_LARGE, message=text)
