"""Following executions: each reader gets every event once and in order, whatever is lost, late or slow on the way."""

import concurrent.futures
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from zmqruntime.codec import encode
from zmqruntime.execution.callbacks import CallbackThread
from zmqruntime.execution.events.event_batches import Gap, Reader
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import (
    Event,
    EventBatch,
    EventsResponse,
    ExecutionSnapshot,
    LogLevel,
    LogLine,
    ProgressUpdate,
    StateChange,
)

__all__ = ["CallbackSink", "EndSink", "Follower", "IteratorSink", "Sink"]

_ITERATOR_ROOM = 5_000
_SMALL_BYTES = 1024

Sift = Callable[[list[Event]], list[Event]]


class Sink(Protocol):
    """Where a follower's events go; called on the client's I/O thread."""

    is_done: bool
    """True once it wants no more."""

    def put(self, events: list[Event]) -> None:
        """Take events, in order. Must not block."""

    def has_room(self) -> bool:
        """Whether more may be put; when that becomes true again, the follower's ``catch_up`` must be called."""

    def end(self) -> None:
        """Nothing more will come: the execution has ended, whether its last event was among what came or not."""

    def fail(self, error: Exception) -> None:
        """The server is lost."""


class Follower:
    """Reads one execution's events into a sink, on a client's I/O thread.

    Live batches are taken while there is room. What was missed, for want of room or because it was lost, is asked for
    again from where the reader is: nothing is stored twice and nothing is skipped.

    Args:
        execution_id: what to follow.
        position: the number of the last event that is known already.
        sink: gets the events after it.
        ask: sends an ``EventsRequest`` for what comes after a number; its reply goes to :meth:`on_response`.
        has_ended: the execution has, so once all that there is has been read, nothing more will come.
    """

    def __init__(
        self,
        execution_id: str,
        position: int,
        sink: Sink,
        ask: Callable[["Follower", int], None],
        has_ended: bool = False,
    ) -> None:
        self.execution_id = execution_id
        self.sink = sink
        self._reader = Reader(position)
        self._ask = ask
        self.question = 0
        """The number of what was asked last."""
        self._is_asking = False
        self._heard_more = False
        self._has_ended = has_ended

    def on_batch(self, batch: EventBatch) -> None:
        """A live batch arrived."""
        if self._is_asking or not self.sink.has_room():
            self._note(batch.upto)
        else:
            self._read(batch)
            self.catch_up()

    def on_position(self, upto: int) -> None:
        """The server says how many events there are."""
        self._note(upto)
        self.catch_up()
        if upto < self._reader.position:
            self.ask_now()

    def on_response(self, response: EventsResponse | None, question: int | None = None) -> None:
        """The answer to what was asked for, or None if there was none.

        Args:
            response: what came.
            question: which question it answers, by :attr:`question` when it was asked; the last one when None. An
                answer to one that was given up says how it was then, and live events may have come since.
        """
        if question is not None and question != self.question:
            return
        self._is_asking = False
        if response is None:
            return
        if response.upto < self._reader.position:
            self._start_again(response.upto)
            return
        for batch in response.batches:
            self._read(batch)
        if response.batches:
            self._reader.note(response.upto)
        elif not self._heard_more:
            self._reader.settle(response.upto)
        self.catch_up()
        if self._has_ended and not self._reader.is_behind and not self.sink.is_done:
            self.sink.end()

    def _start_again(self, upto: int) -> None:
        """The server has fewer events than were read here: its disk has lost the last of them in a power failure."""
        self._reader.restart()
        text = (
            f"the server has lost the events of this execution after number {upto}, as in a power failure; "
            "what it has follows from the first event on"
        )
        warning = LogLine(
            execution_id=self.execution_id,
            sequence=0,
            timestamp=time.time(),
            level=LogLevel.WARNING,
            logger="zmqruntime",
            text=text,
        )
        self.sink.put([warning])
        self.ask_now()

    def restart(self) -> None:
        """What was asked for will not be answered, and more may have happened."""
        self.give_up_asking()
        self.ask_now()

    def give_up_asking(self) -> None:
        """The server was away: what was asked for will not be answered, or too late."""
        self._is_asking = False
        self.question += 1

    def catch_up(self) -> None:
        """Ask for what is missing, if anything is."""
        if self._reader.is_behind:
            self.ask_now()

    def ask_now(self) -> None:
        """Ask for all that comes after what was read, unless that is under way or there is no room."""
        if not self._is_asking and self.sink.has_room():
            self._is_asking, self._heard_more = True, False
            self.question += 1
            self._ask(self, self._reader.position)

    def _note(self, upto: int) -> None:
        self._reader.note(upto)
        self._heard_more = True

    def _read(self, batch: EventBatch) -> None:
        try:
            events = self._reader.read(batch)
        except Gap:
            return
        if events and not self.sink.is_done:
            self.sink.put(events)


class EndSink:
    """Waits for the end of an execution."""

    def __init__(self) -> None:
        self.is_done = False
        self.ended: concurrent.futures.Future[ExecutionSnapshot] = concurrent.futures.Future()

    def put(self, events: list[Event]) -> None:
        """Look for the end."""
        end = find_end(events)
        if end is not None:
            self.is_done = True
            if self.ended.set_running_or_notify_cancel():
                self.ended.set_result(end)

    def has_room(self) -> bool:
        """Always: it keeps nothing."""
        return True

    def end(self) -> None:
        """Its own event says how it ended; who only waits asks for that first."""

    def fail(self, error: Exception) -> None:
        """Nobody knows how it ends."""
        if not self.is_done:
            self.is_done = True
            if self.ended.set_running_or_notify_cancel():
                self.ended.set_exception(error)

    @property
    def is_small(self) -> bool:
        """Whether the end has arrived and is no burden to keep."""
        if not self.ended.done() or self.ended.cancelled() or self.ended.exception() is not None:
            return False
        end = self.ended.result()
        return end.error is None and len(encode(end.result)) <= _SMALL_BYTES

    @property
    def has_failed(self) -> bool:
        """Whether the server was lost meanwhile, so that this sink will never know."""
        return self.ended.done() and self.ended.exception() is not None


class CallbackSink:
    """Passes progress on to a callback in another thread, until the execution has ended.

    Args:
        thread: makes the calls.
        callback: gets each update.
        sift: takes out of events what is not valid.
    """

    def __init__(self, thread: CallbackThread, callback: Callable[[ProgressUpdate], None], sift: Sift) -> None:
        self.is_done = False
        self._sift = sift
        self.delivered: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done once the callback has returned from the last call."""
        self.on_delivered: Callable[[], None] = lambda: None
        self._thread = thread
        self._callback = callback

    def put(self, events: list[Event]) -> None:
        """Hand the progress to the thread."""
        calls: list[Callable[[], None]] = [
            functools.partial(self._callback, event)
            for event in self._sift(events)
            if isinstance(event, ProgressUpdate)
        ]
        if find_end(events) is not None:
            self.is_done = True
            calls += [functools.partial(self.delivered.set_result, None), self.on_delivered]
        self._thread.put(calls)

    def has_room(self) -> bool:
        """Whether the thread keeps up."""
        return self._thread.has_room()

    def end(self) -> None:
        """Its own event says so."""

    def fail(self, error: Exception) -> None:
        """The rest comes when the server is back."""


class IteratorSink:
    """Events for somebody who iterates in another thread, or takes them without waiting, until the execution has ended.

    ``on_change`` is called on the I/O thread whenever there is something new to take; ``sift`` takes out of events what
    is not valid.
    """

    def __init__(self, sift: Sift) -> None:
        self.is_done = False
        self._sift = sift
        self.on_room: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None
        self._events: deque[Event] = deque()
        self._error: Exception | None = None
        self._changed = threading.Condition()

    def put(self, events: list[Event]) -> None:
        """Keep events until they are taken."""
        with self._changed:
            self._events.extend(self._sift(events))
            self.is_done = self.is_done or find_end(events) is not None
            self._changed.notify()
        self.on_change()

    def has_room(self) -> bool:
        """Whether they are taken as fast as they come."""
        return len(self._events) < _ITERATOR_ROOM

    def end(self) -> None:
        """Let the iteration end after what was kept."""
        with self._changed:
            self.is_done = True
            self._changed.notify()
        self.on_change()

    def fail(self, error: Exception) -> None:
        """Raise the error in the iteration, after what was kept."""
        with self._changed:
            self._error = error
            self._changed.notify()
        self.on_change()

    def take(self, limit: int) -> list[Event] | None:
        """Up to ``limit`` events that have arrived; None after the last one. Raises what :meth:`fail` was given."""
        with self._changed:
            was_full = not self.has_room()
            events = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
            if not events and self._error is not None:
                raise self._error
            if not events and self.is_done:
                return None
        if was_full:
            self.on_room()
        return events

    def __iter__(self) -> Iterator[Event]:
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        with self._changed:
            while not self._events and not self.is_done and self._error is None:
                self._changed.wait()
            if not self._events:
                if self._error is not None:
                    raise self._error
                return None
            was_full = not self.has_room()
            event = self._events.popleft()
        if was_full:
            self.on_room()
        return event


def find_end(events: list[Event]) -> ExecutionSnapshot | None:
    """The state in which an execution ended, if it did so in these events."""
    for event in reversed(events):
        if isinstance(event, StateChange):
            execution = event.execution
            return execution if has_ended(execution.status, execution.resumable) else None
    return None
