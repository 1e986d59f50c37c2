"""The data channel of a client: published messages, and whether the channel is open."""

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

import zmq

from zmqruntime.base_messages import HEARTBEAT_TOPIC, Heartbeat, Message
from zmqruntime.exceptions import MessageError
from zmqruntime.loop import SocketLoop

__all__ = ["Subscriber", "Subscription"]

_log = logging.getLogger(__name__)

_MISSED_BEATS = 1.5


class Subscriber(Protocol):
    """Receiver of published messages; all methods are called on the I/O thread."""

    def on_published(self, topic: bytes, message: Message) -> None:
        """Called with each message."""

    def on_unreadable(self) -> None:
        """Called when a message is not in the client's vocabulary; it still shows that the server is alive."""

    def on_resync(self) -> None:
        """Called when the data channel is open, for the first time or again: earlier events may have been missed."""


class Subscription:
    """A SUB socket, for use on the client's I/O thread only.

    Args:
        loop: the client's loop.
        sock: the connected SUB socket; this object owns it.
        decode: converts bytes to a message.
        subscriber: the client.
        name: description of the server, for the log.
    """

    def __init__(
        self,
        loop: SocketLoop,
        sock: "zmq.Socket[bytes]",
        decode: Callable[[bytes], Message],
        subscriber: Subscriber,
        name: str,
    ) -> None:
        self._loop: Final = loop
        self._socket = sock
        self._decode = decode
        self._subscriber = subscriber
        self._name = name
        self._beat = Heartbeat(instance_id="", interval=0.0)
        self._beat_at = 0.0
        self._resync_beats = 0
        sock.subscribe(HEARTBEAT_TOPIC)
        loop.add_reader(sock, self._on_readable)

    def add(self, topic: bytes) -> None:
        """Receive what is published on topics that start with ``topic``."""
        self._socket.subscribe(topic)

    def remove(self, topic: bytes) -> None:
        """Undo one :meth:`add`."""
        self._socket.unsubscribe(topic)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove(self._socket)
        self._socket.close()

    def _on_readable(self) -> None:
        for frames in self._loop.receive(self._socket):
            try:
                message = self._decode(frames[-1])
            except MessageError as error:
                _log.warning("%s published something unreadable: %s", self._name, error)
                self._subscriber.on_unreadable()
                continue
            if isinstance(message, Heartbeat):
                self._note_beat(message)
            self._subscriber.on_published(frames[0], message)

    def _note_beat(self, beat: Heartbeat) -> None:
        """Detect from the first heartbeats, or the first after a gap, that the data channel is open (again).

        Two are needed, because the server may send the first before it has read all of our subscriptions.
        """
        now = time.monotonic()
        missed = beat.instance_id != self._beat.instance_id or now - self._beat_at > _MISSED_BEATS * beat.interval
        self._beat, self._beat_at = beat, now
        self._resync_beats = 2 if missed else self._resync_beats
        if self._resync_beats:
            self._resync_beats -= 1
            self._subscriber.on_resync()
