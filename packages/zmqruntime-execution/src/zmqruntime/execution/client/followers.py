"""Followers of executions: each reader gets every event once and in order, even if messages are lost or late."""

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
    """Destination of a follower's events; called on the client's I/O thread."""

    is_done: bool
    """True once it does not want any more events."""

    def put(self, events: list[Event]) -> None:
        """Accept events, in order. Must not block."""

    def has_room(self) -> bool:
        """Whether it accepts more events; when it does again, the follower's ``catch_up`` must be called."""

    def end(self) -> None:
        """Note that the execution has ended and no more events follow, whether or not its last event was received."""

    def fail(self, error: Exception) -> None:
        """Note that the server is lost."""


class Follower:
    """Reads one execution's events into a sink, on a client's I/O thread.

    Live batches are accepted while there is room. Events that were missed, because there was no room or because a
    message was lost, are requested again from the reader's position: none is delivered twice and none is skipped.

    Args:
        execution_id: Execution to follow.
        position: Number of the last event that is already known.
        sink: Receives the events after it.
        ask: Sends an ``EventsRequest`` for the events after a number; its reply goes to :meth:`on_response`.
        has_ended: Whether the execution has ended, so that no more events follow once all have been read.
    """

    __slots__ = ("_ask", "_has_ended", "_heard_more", "_is_asking", "_reader", "execution_id", "question", "sink")

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
        """Number of the latest request."""
        self._is_asking = False
        self._heard_more = False
        self._has_ended = has_ended

    @property
    def position(self) -> int:
        """Number of the last event that was put into the sink."""
        return self._reader.position

    def on_batch(self, batch: EventBatch) -> None:
        """Handle a live batch."""
        if self._is_asking or not self.sink.has_room():
            self._note(batch.upto)
        else:
            self._read(batch)
            self.catch_up()

    def on_position(self, upto: int) -> None:
        """Handle the server's count of events."""
        self._note(upto)
        self.catch_up()
        if upto < self._reader.position:
            self.ask_now()

    def on_response(self, response: EventsResponse | None, question: int | None = None) -> None:
        """Handle the reply to a request.

        Args:
            response: The reply, or None if there was none.
            question: Value of :attr:`question` when the request was sent; None for the latest one. A reply to an
                abandoned request is outdated, since live events may have arrived in the meantime, and is ignored.
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
        """Read from the start: the server has fewer events than were read, so its disk lost some in a power failure."""
        self._reader.restart()
        text = (
            f"the server has lost the events of this execution after number {upto}, for example in a power failure; "
            "all remaining events follow, starting from the first"
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
        """Ask again: the pending request will not be answered, and more may have happened."""
        self.give_up_asking()
        self.ask_now()

    def give_up_asking(self) -> None:
        """Abandon the pending request: the server was away, so it will not be answered, or too late."""
        self._is_asking = False
        self.question += 1

    def catch_up(self) -> None:
        """Request missing events, if there are any."""
        if self._reader.is_behind:
            self.ask_now()

    def ask_now(self) -> None:
        """Request all events after the reader's position, unless a request is pending or there is no room."""
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
    """Waits for the end of an execution; has a future only once somebody asks for one."""

    __slots__ = ("_future", "_lock", "_outcome", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        self._lock = threading.Lock()
        self._outcome: ExecutionSnapshot | Exception | None = None
        self._future: concurrent.futures.Future[ExecutionSnapshot] | None = None

    @property
    def ended(self) -> "concurrent.futures.Future[ExecutionSnapshot]":
        """The future of the end; from any thread."""
        with self._lock:
            if self._future is None:
                self._future = concurrent.futures.Future()
                self._set_future()
            return self._future

    def result(self, timeout: float | None) -> ExecutionSnapshot:
        """Wait for the end and return it; from any thread.

        Raises:
            TimeoutError: It has not come within ``timeout`` seconds.
            ConnectionFailedError: The server was lost.
        """
        outcome = self._outcome
        return outcome if isinstance(outcome, ExecutionSnapshot) else self.ended.result(timeout)

    def put(self, events: list[Event]) -> None:
        """Look for the end among the events."""
        end = find_end(events)
        if end is not None:
            self._end_with(end)

    def has_room(self) -> bool:
        """Always true: it does not keep events."""
        return True

    def end(self) -> None:
        """Do nothing: the last event says how the execution ended, and callers check for the end before they wait."""

    def fail(self, error: Exception) -> None:
        """Pass the error on to the waiting caller."""
        if not self.is_done:
            self._end_with(error)

    @property
    def is_small(self) -> bool:
        """Whether the end has arrived and is small enough to keep."""
        end = self._outcome
        return isinstance(end, ExecutionSnapshot) and end.error is None and _is_small(end.result)

    @property
    def has_failed(self) -> bool:
        """Whether the server was lost before the end arrived."""
        return isinstance(self._outcome, Exception)

    def _end_with(self, outcome: ExecutionSnapshot | Exception) -> None:
        self.is_done = True
        with self._lock:
            self._outcome = outcome
            if self._future is None:
                return
        self._set_future()

    def _set_future(self) -> None:
        future, outcome = self._future, self._outcome
        if future is None or outcome is None or not future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _is_small(result: object) -> bool:
    return result is None or len(encode(result)) <= _SMALL_BYTES


class CallbackSink:
    """Passes progress on to a callback in another thread, until the execution has ended.

    Args:
        thread: Makes the calls.
        callback: Receives each update.
        sift: Removes invalid events.
    """

    def __init__(self, thread: CallbackThread, callback: Callable[[ProgressUpdate], None], sift: Sift) -> None:
        self.is_done = False
        self._sift = sift
        self.delivered: concurrent.futures.Future[None] = concurrent.futures.Future()
        """Done once the last call of the callback has returned."""
        self.on_delivered: Callable[[], None] = lambda: None
        self._thread = thread
        self._callback = callback

    def put(self, events: list[Event]) -> None:
        """Pass the progress updates to the thread."""
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
        """Whether the thread is keeping up."""
        return self._thread.has_room()

    def end(self) -> None:
        """Do nothing: the last event marks the end."""

    def fail(self, error: Exception) -> None:
        """Do nothing: the remaining events arrive when the server is back."""


class IteratorSink:
    """Keeps events for another thread that iterates over them, or takes them without waiting, until the end.

    Args:
        sift: Removes invalid events.

    Attributes:
        on_change: Called on the I/O thread whenever there is something new to take.
        on_room: Called when there is room for events again.
        position: Returns the number of the last event that was put here, taken or not.
    """

    def __init__(self, sift: Sift) -> None:
        self.is_done = False
        self._sift = sift
        self.on_room: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None
        self.position: Callable[[], int] = lambda: 0
        self._events: deque[Event] = deque()
        self._at_hand: deque[Event] = deque()
        """Events that the reader has taken over together, and takes one by one without the lock."""
        self._wants_room = False
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
        """Whether events are taken as fast as they arrive."""
        if len(self._events) + len(self._at_hand) < _ITERATOR_ROOM:
            return True
        self._wants_room = True  # before looking again: what is left now will be taken, and then the reader sees this
        return len(self._events) + len(self._at_hand) < _ITERATOR_ROOM

    def end(self) -> None:
        """End the iteration after the events kept so far."""
        with self._changed:
            self.is_done = True
            self._changed.notify()
        self.on_change()

    def fail(self, error: Exception) -> None:
        """Raise the error in the iteration, after the events kept so far."""
        with self._changed:
            self._error = error
            self._changed.notify()
        self.on_change()

    def take(self, limit: int) -> list[Event] | None:
        """Take up to ``limit`` events that have arrived, without waiting.

        Returns:
            The events; None after the last one.

        Raises:
            Exception: The error passed to :meth:`fail`, after the events kept until then.
        """
        with self._changed:
            self._at_hand.extend(self._events)
            self._events.clear()
            if not self._at_hand and self._error is not None:
                raise self._error
            if not self._at_hand and self.is_done:
                return None
        events = [self._at_hand.popleft() for _ in range(min(limit, len(self._at_hand)))]
        self._tell_room()
        return events

    def __iter__(self) -> Iterator[Event]:
        while (event := self._next()) is not None:
            yield event

    def _next(self) -> Event | None:
        if not self._at_hand:
            with self._changed:
                while not self._events and not self.is_done and self._error is None:
                    self._changed.wait()
                self._events, self._at_hand = self._at_hand, self._events
                if not self._at_hand:
                    if self._error is not None:
                        raise self._error
                    return None
        event = self._at_hand.popleft()
        self._tell_room()
        return event

    def _tell_room(self) -> None:
        if self._wants_room and len(self._events) + len(self._at_hand) < _ITERATOR_ROOM:
            self._wants_room = False
            self.on_room()


def find_end(events: list[Event]) -> ExecutionSnapshot | None:
    """Return the final state of an execution if it is among these events, else None."""
    for event in reversed(events):
        if isinstance(event, StateChange):
            execution = event.execution
            return execution if has_ended(execution.status, execution.resumable) else None
    return None
