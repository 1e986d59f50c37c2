"""The received arrays that wait to be taken, and the counts of each sender. No sockets."""

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
import numpy.typing as npt

from zmqruntime.streaming.display import DeferredAck
from zmqruntime.streaming.metadata import Meta
from zmqruntime.streaming.waiting import wait_for
from zmqruntime.streaming.wire import ImageMessage

__all__ = ["Arrival", "Inbox", "ReceiverCounts", "SenderCounts"]

T = TypeVar("T")

_MOST_SENDERS: Final = 1000  # remembered; a viewer knows as many connections


class SenderCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of the arrays of one sender, or of all senders of that name."""

    received: int
    """Given to your program."""
    dropped: int
    """Sent while this receiver was open, but skipped for something newer, by the sender or here."""
    sender_ids: tuple[str, ...] = ()
    """Those of the 1,000 senders heard from last that have this name, as in ``meta.sender_id``."""


class ReceiverCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of a receiver at one moment."""

    received: int
    dropped: int
    waiting: int
    """Arrived, but not yet given to your program."""
    senders: dict[str, SenderCounts]
    """By name; the 1,000 heard from last."""


@dataclass(slots=True, eq=False)
class Arrival:
    """An array that has arrived, on its way to the program."""

    stream: str
    content: ImageMessage
    array: npt.NDArray[Any]
    ack: DeferredAck

    @property
    def number(self) -> int:
        """Its number among the items of its stream; 0 if it has none."""
        return 0 if self.content.stamp is None else self.content.stamp.number


@dataclass(slots=True)
class _Stream:
    """The numbers of the last arrays of a stream."""

    arrived: int = 0
    given: int = 0
    name: str = ""


@dataclass(slots=True)
class _Tally:
    received: int = 0
    dropped: int = 0


class Inbox:
    """Arrays in the order of their arrival; thread-safe.

    Its length is limited by the credits of the senders. With ``latest`` it holds the newest array of each sender.
    """

    def __init__(self, latest: bool) -> None:
        self._latest = latest
        self._changed = threading.Condition()
        self._arrivals: deque[Arrival] = deque()
        self._streams: OrderedDict[str, _Stream] = OrderedDict()
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._received = self._dropped = 0
        self._listeners: set[Callable[[], None]] = set()
        self._closed = False

    # --- from the I/O thread ---------------------------------------------------------------------------------------

    def put(self, arrival: Arrival) -> None:
        """Add an array, unless it is one that arrived before and was sent again after the connection broke."""
        number = arrival.number
        with self._changed:
            if self._closed:  # its sender gives it to the next receiver
                return
            stream = _recent(self._streams, arrival.stream, _Stream)
            if number and number <= stream.arrived:
                arrival.ack.displayed()
                return
            if stream.arrived:
                self._drop(arrival.content.layer_name, number - stream.arrived - 1)
            else:
                stream.given = number - 1
            stream.arrived, stream.name = number, arrival.content.layer_name
            if self._latest:
                self._supersede(arrival)
            self._arrivals.append(arrival)
            self._tell()

    def close(self) -> None:
        """Drop what waits and wake everyone who waits."""
        with self._changed:
            self._closed = True
            self._arrivals.clear()
            self._tell()

    # --- from the program ------------------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def take(self) -> tuple[npt.NDArray[Any], Meta] | None:
        """Return the next array and its metadata; None if there is none."""
        with self._changed:
            if not self._arrivals:
                return None
            arrival = self._arrivals.popleft()
            stream = _recent(self._streams, arrival.stream, _Stream)
            missed = max(0, arrival.number - stream.given - 1) if arrival.number else 0
            stream.given = arrival.number
            _recent(self._tallies, arrival.content.layer_name, _Tally).received += 1
            self._received += 1
        arrival.ack.displayed()
        return arrival.array, Meta(arrival.content, missed, arrival.stream)

    def wait(self, seconds: float | None) -> bool:
        """Wait until there is an array or it is closed; return False if neither happens within ``seconds``."""
        with self._changed:
            return wait_for(self._changed, self._is_ready, seconds)

    async def arrival(self) -> None:
        """Wait on an event loop until there is an array or it is closed."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the event loop was closed, so nobody waits there
                loop.call_soon_threadsafe(ready.set)

        with self._changed:
            if self._is_ready():
                return
            self._listeners.add(tell)
        try:
            await ready.wait()
        finally:
            with self._changed:
                self._listeners.discard(tell)

    def counts(self) -> ReceiverCounts:
        """Return the current counts."""
        with self._changed:
            return ReceiverCounts(
                received=self._received,
                dropped=self._dropped,
                waiting=len(self._arrivals),
                senders={
                    name: SenderCounts(received=tally.received, dropped=tally.dropped, sender_ids=self._ids(name))
                    for name, tally in self._tallies.items()
                },
            )

    # --- inside, with the lock held --------------------------------------------------------------------------------

    def _ids(self, name: str) -> tuple[str, ...]:
        return tuple(sender_id for sender_id, stream in self._streams.items() if stream.name == name)

    def _is_ready(self) -> bool:
        return self._closed or bool(self._arrivals)

    def _supersede(self, newer: Arrival) -> None:
        for index, older in enumerate(self._arrivals):  # one of each sender
            if (older.stream, older.content.layer_name) == (newer.stream, newer.content.layer_name):
                del self._arrivals[index]
                self._drop(older.content.layer_name, 1)
                older.ack.superseded()
                return

    def _drop(self, name: str, count: int) -> None:
        if count > 0:
            _recent(self._tallies, name, _Tally).dropped += count
            self._dropped += count

    def _tell(self) -> None:
        self._changed.notify_all()
        for tell in self._listeners:
            tell()


def _recent(known: OrderedDict[str, T], name: str, make: Callable[[], T]) -> T:
    """Return the entry of ``name``, made if necessary; of too many, the one not used for longest is forgotten."""
    if name not in known:
        known[name] = make()
        if len(known) > _MOST_SENDERS:
            known.popitem(last=False)
    known.move_to_end(name)
    return known[name]
