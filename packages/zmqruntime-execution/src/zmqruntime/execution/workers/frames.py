"""Length-prefixed frames over a socket pair, between a server and one of its worker processes."""

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable

from zmqruntime.loop import SocketLoop

__all__ = ["FrameStream"]

_LENGTH = struct.Struct("<I")
_READ_BYTES = 64 * 1024
_TURN_BYTES = 256 * 1024
_LONGEST_BYTES = 2**32 - 1


class FrameStream:
    """Sends and receives complete frames without blocking; on the loop's thread, but :meth:`send` from any one.

    Args:
        loop: Loop that owns the socket from now on.
        sock: One end of a connected pair; closed with the stream.
        on_frame: Called with each frame.
        on_end: Called once when the other end is closed.
        on_drained: Called when all frames have been sent.
        on_nonsense: Called once with an explanation when a frame is too large; nothing is read after that.
        max_frame_bytes: Maximum size of a received frame in bytes.
    """

    def __init__(
        self,
        loop: SocketLoop,
        sock: socket.socket,
        on_frame: Callable[[bytes], None],
        on_end: Callable[[], None],
        on_drained: Callable[[], None] = lambda: None,
        *,
        on_nonsense: Callable[[str], None] = lambda what: None,
        max_frame_bytes: int = _LONGEST_BYTES,
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._on_frame = on_frame
        self._on_end = on_end
        self._on_drained = on_drained
        self._on_nonsense = on_nonsense
        self._max_frame_bytes = max_frame_bytes
        self._is_deaf = False
        self._received = bytearray()
        self._unsent: deque[memoryview] = deque()
        self._open = True
        self._sending = threading.Lock()
        self.backlog = 0
        """Bytes that were passed to :meth:`send` and have not been sent yet."""
        sock.setblocking(False)
        loop.add_reader(sock, self.receive)

    def send(self, data: bytes) -> None:
        """Send a frame, now or as soon as the other end accepts it; does nothing after the stream was closed."""
        with self._sending:
            if not self._open:
                return
            was_idle = not self._unsent
            self._unsent.append(memoryview(_LENGTH.pack(len(data)) + data))
            self.backlog += _LENGTH.size + len(data)
            is_drained = was_idle and self._write_some()
        if is_drained:
            self._on_drained()
        elif was_idle:
            self._loop.call_soon(self._write_later)

    def receive(self, limit: float = _TURN_BYTES) -> None:
        """Read what has arrived, at most about ``limit`` bytes so that other sockets get their turn."""
        taken = 0
        while self._open and taken < limit:
            try:
                chunk = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                chunk = b""
            if not chunk:
                self.close()
                self._on_end()
                return
            taken += len(chunk)
            if not self._is_deaf:
                self._received += chunk
                self._split()

    def pause(self) -> None:
        """Stop reading."""
        if self._open:
            self._loop.remove(self._socket)
            if self._unsent:
                self._loop.add_writer(self._socket, self._write)

    def resume(self) -> None:
        """Read again."""
        if self._open:
            self._loop.add_reader(self._socket, self.receive)

    def close(self) -> None:
        """Close the socket. Idempotent."""
        if self._open:
            with self._sending:
                self._open = False
                self._unsent.clear()
                self.backlog = 0
            self._loop.remove(self._socket)
            with contextlib.suppress(OSError):  # a task has closed its descriptor
                self._socket.close()

    def _split(self) -> None:
        """Pass on all complete frames; each is removed from the buffer before it is handled."""
        while (frame := self._take_frame()) is not None:
            self._on_frame(frame)

    def _take_frame(self) -> bytes | None:
        if len(self._received) < _LENGTH.size or not self._open:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > self._max_frame_bytes:
            self._received.clear()
            self._is_deaf = True
            self._on_nonsense(f"sent a frame of {length:,} bytes, more than the maximum of {self._max_frame_bytes:,}")
            return None
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        frame = bytes(memoryview(self._received)[_LENGTH.size : end])
        del self._received[:end]
        return frame

    def _write_later(self) -> None:
        if self._open and self._unsent:
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        with self._sending:
            is_drained = self._write_some()
        if is_drained:
            self._loop.remove_writer(self._socket)
            self._on_drained()

    def _write_some(self) -> bool:
        """Write what the other end accepts; return whether that is all."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[0])
            except BlockingIOError:
                return False
            except OSError:  # the other end is closed; the reader will notice, and report it once
                self._unsent.clear()
                self.backlog = 0
                break
            self.backlog -= sent
            self._unsent[0] = self._unsent[0][sent:]
            if not self._unsent[0]:
                self._unsent.popleft()
        return True
