"""What a server sends to its clients, kept within bounds for each of them, whatever they read."""

import errno
import logging
from collections import deque

import zmq

from zmqruntime.base_messages import ErrorCode, ErrorResponse, Message
from zmqruntime.codec import encode
from zmqruntime.loop import SocketLoop

__all__ = ["ReplyBook"]

_log = logging.getLogger(__name__)

MAX_UNREAD_BYTES = 16 * 1024 * 1024
_IN_PIPE = 16  # replies that libzmq holds for a client, apart from those in the buffers of the system
_RETRY_SECONDS = 0.002
_MOST_CLIENTS = 10_000


class _Client:
    """One that does not read as fast as it asks."""

    def __init__(self) -> None:
        self.waiting: deque[list[bytes]] = deque()
        self.size = 0
        self.dropped = 0


class ReplyBook:
    """Sends the replies of a ROUTER socket; on its loop's thread only.

    What a client does not read stays in the pipe to it, then here, up to 16 MiB. After that the client is cut: what
    waits
    is dropped, and its next reply says so.

    Args:
        loop: tries again while a client is behind.
        sock: the ROUTER, not bound yet.
        max_message_bytes: what is longer is not sent, since no client would take it.
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
        """Send a reply, encoded or not, to whom the envelope leads, now or when it reads again."""
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
            _log.warning(
                "a client has not read %d replies (%d bytes); they are dropped", len(client.waiting), client.size
            )
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
        """Whether that is done: sent, or nobody is there any more to read it."""
        try:
            self._socket.send_multipart(frames, zmq.NOBLOCK, copy=True)
        except zmq.Again:
            return False
        except zmq.ZMQError as error:
            if error.errno != errno.EHOSTUNREACH:
                raise
        return True


def _cut(count: int) -> ErrorResponse:
    text = (
        f"{count:,} replies were not read and took too much room, so they were dropped; read replies before asking more"
    )
    return ErrorResponse(code=ErrorCode.UNREAD, message=text)


def _too_large(size: int, limit: int) -> ErrorResponse:
    text = f"the reply would be {size:,} bytes and a message has at most {limit:,}; ask for less, or one by one"
    return ErrorResponse(code=ErrorCode.TOO_LARGE, message=text)
