"""The assignments on their way to a worker, which the server can take back until the worker has begun them.

They are the packets in the buffer of a socket pair. The kernel gives each packet to one reader: the worker, which takes
one when it begins it, or the server, which keeps a copy of the worker's end. So there is no moment at which both sides
or neither side has an execution, whatever state the worker is in.
"""

import contextlib
import queue
import socket
from typing import Final

from zmqruntime.codec import Decoder
from zmqruntime.execution.events.worker_messages import Assign, Setup

__all__ = ["ELSEWHERE", "Inbox", "WorkQueue", "receive_end"]

ELSEWHERE: Final = b"\x00"
"""In place of an assignment that is too large for a packet and arrives on the stream."""
_PACKET_BYTES: Final = 32 * 1024
_HAS_END, _HAS_NONE = b"\x01", b"\x00"


class WorkQueue:
    """The server's side; where the platform has no packets in order, :attr:`is_usable` is False."""

    def __init__(self) -> None:
        self._ours: socket.socket | None = None
        self._theirs: socket.socket | None = None
        with contextlib.suppress(AttributeError, OSError):
            self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._ours.setblocking(False)

    @property
    def is_usable(self) -> bool:
        """Whether there is a queue, so that executions can be handed over ahead."""
        return self._ours is not None

    def give_end_to(self, stream: socket.socket) -> None:
        """Send the worker its end, before anything else is sent on the stream."""
        with contextlib.suppress(OSError):  # it has ended already, which is noticed elsewhere
            if self._theirs is None:
                stream.sendall(_HAS_NONE)
            else:
                socket.send_fds(stream, [_HAS_END], [self._theirs.fileno()])

    def fits(self, data: bytes) -> bool:
        """Return whether an encoded assignment can be a packet."""
        return self._ours is not None and len(data) <= _PACKET_BYTES

    def put(self, data: bytes) -> bool:
        """Add an assignment; return False if there is no room for it."""
        assert self._ours is not None
        try:
            self._ours.send(data)
        except BlockingIOError:
            return False
        return True

    def take_back(self) -> list[bytes]:
        """Return the assignments that the worker has not begun, in order; it never will."""
        found: list[bytes] = []
        if self._theirs is not None:
            with contextlib.suppress(BlockingIOError):
                while data := self._theirs.recv(_PACKET_BYTES, socket.MSG_DONTWAIT):
                    found.append(data)
        return found

    def close(self) -> None:
        """Close both ends. Idempotent."""
        for end in (self._ours, self._theirs):
            if end is not None:
                end.close()
        self._ours = self._theirs = None


def receive_end(stream: socket.socket) -> socket.socket | None:
    """Return the worker's end of its queue; None if the server has none, or has ended."""
    if not hasattr(socket, "recv_fds"):
        stream.recv(1)
        return None
    _, descriptors, _, _ = socket.recv_fds(stream, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None


class Inbox:
    """The worker's side: the main thread takes, and the thread of the loop adds what arrives on the stream.

    Args:
        packets: The end from :func:`receive_end`.
    """

    def __init__(self, packets: socket.socket | None) -> None:
        self._packets = packets
        self._arrived: queue.SimpleQueue[Setup | Assign | None] = queue.SimpleQueue()
        self._decode: Decoder[Assign] = Decoder(Assign)

    @property
    def descriptors(self) -> list[int]:
        """Descriptors without which it cannot work."""
        return [] if self._packets is None else [self._packets.fileno()]

    def put(self, message: Setup | Assign) -> None:
        """Add what has arrived on the stream."""
        self._arrived.put(message)

    def take_setup(self) -> Setup | None:
        """Wait for the first message; None if the server is gone."""
        found = self._arrived.get()
        return found if isinstance(found, Setup) else None

    def take(self) -> Assign | None:
        """Wait for the next assignment, which is the worker's from then on; None if there will be none."""
        if self._packets is not None:
            data = self._packets.recv(_PACKET_BYTES)
            if not data:
                return None
            if data != ELSEWHERE:
                return self._decode(data)
        found = self._arrived.get()
        return found if isinstance(found, Assign) else None

    def end(self) -> None:
        """Let :meth:`take` return None. Idempotent."""
        self._arrived.put(None)
        if self._packets is not None:
            with contextlib.suppress(OSError):
                self._packets.shutdown(socket.SHUT_RD)
