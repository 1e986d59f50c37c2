"""The future of an execution: done when the execution has ended, wherever and whenever that is."""

import concurrent.futures
import contextlib
import importlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol, TypeVar

from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.execution.executor.event_stream import EventStream
from zmqruntime.messages import Event, ExecutionSnapshot, LogLine

__all__ = ["Delivery", "FutureLink", "TaskFuture"]

T = TypeVar("T")


class FutureLink(Protocol):
    """What a future needs of the executor that it is from."""

    def snapshot(self, execution_id: str) -> ExecutionSnapshot:
        """Return the current state of an execution."""

    def events(self, execution_id: str, after: int) -> Iterator[Event]:
        """Iterate over the events of an execution."""

    def opened(self, execution_id: str, after: int) -> contextlib.AbstractContextManager[IteratorSink]:
        """Provide the events of an execution as they arrive."""

    def past_events(self, execution_id: str) -> list[Event]:
        """Return the events of an execution so far."""

    def logs(self, execution_id: str) -> list[LogLine]:
        """Return its log lines so far."""

    def cancel(self, execution_id: str) -> bool:
        """Ask it to stop; return whether it will, and has not ended already."""

    def deliver(self, call: Callable[[], None]) -> None:
        """Make a call soon, in the thread for what a program does with results."""

    def on_interrupt(self) -> None:
        """Called when Ctrl-C ends the wait for a result."""

    def on_wait(self, execution_id: str) -> None:
        """Called before a wait for an end that is not known yet."""


class TaskFuture(concurrent.futures.Future[T]):
    """The future of one execution; can be awaited as well.

    It belongs to the execution, not to the program: :meth:`Executor.future` returns another one for the same id, in
    any program of this user, also after the execution has ended.

    Attributes:
        execution_id: Id of the execution.
        name: Name of the function.
    """

    def __init__(self, link: FutureLink, execution_id: str, name: str) -> None:
        super().__init__()
        self.execution_id = execution_id
        self.name = name
        self._link = link
        self._is_running = False
        self._has_callbacks = False

    def __repr__(self) -> str:
        return f"<TaskFuture {self.name or 'of an execution'} {self.execution_id} {self.status}>"

    def _repr_html_(self) -> str:
        from zmqruntime.execution.executor.future_html import future_html  # noqa: PLC0415  for notebooks only

        return future_html(self)

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``complete``, ``failed`` or ``cancelled``, as far as this program knows."""
        if not self.done():
            return "running" if self._is_running else "queued"
        if self.cancelled():
            return "cancelled"
        return "failed" if self.exception() is not None else "complete"

    def running(self) -> bool:
        """Return whether the function is running at the moment."""
        return self._is_running and not self.done()

    def cancel(self) -> bool:
        """Stop the execution: a queued one does not run, a running one is asked to stop and killed if it does not.

        The future of a running one is done as soon as its processes have stopped, within the executor's
        ``cancel_grace``.

        Returns:
            Whether it is or will be cancelled; False if it has ended already.

        Raises:
            RequestTimeoutError: The server did not answer in time.
        """
        if self.done():
            return self.cancelled()
        return self._link.cancel(self.execution_id)

    def result(self, timeout: float | None = None) -> T:
        """Return what the function returned.

        Args:
            timeout: Seconds to wait; None for no limit.

        Raises:
            TimeoutError: It has not ended by then.
            CancelledError: It was cancelled.
            Exception: What the function raised, with the remote traceback as ``__cause__``.
            ServerLostError: The server has ended, and no other one has taken its place.
        """
        self._note_wait()
        try:
            return super().result(timeout)
        except KeyboardInterrupt:
            self.note_interrupt()
            raise

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return what the function raised, or None; raises the other errors of :meth:`result`."""
        self._note_wait()
        return super().exception(timeout)

    def snapshot(self) -> ExecutionSnapshot:
        """Return the current state of the execution."""
        return self._link.snapshot(self.execution_id)

    def events(self, after: int = 0) -> EventStream:
        """Iterate over its progress, log lines and changes of state, past and live, until it has ended.

        Use ``for`` in a thread and ``async for`` on an event loop.

        Args:
            after: Number of the last event that is known already.
        """
        return EventStream(
            lambda: self._link.events(self.execution_id, after), lambda: self._link.opened(self.execution_id, after)
        )

    def opened(self, after: int = 0) -> contextlib.AbstractContextManager[IteratorSink]:
        """Provide its events after number ``after`` as they arrive, without waiting for them; for views."""
        return self._link.opened(self.execution_id, after)

    def past_events(self) -> list[Event]:
        """Return its progress, log lines and changes of state so far."""
        return self._link.past_events(self.execution_id)

    def logs(self) -> list[LogLine]:
        """Return the lines it has logged and printed so far."""
        return self._link.logs(self.execution_id)

    def __await__(self) -> Generator[Any, None, T]:
        self._note_wait()
        wrap_future = importlib.import_module("asyncio").wrap_future  # only programs that await have asyncio
        wrapped: Generator[Any, None, T] = wrap_future(self).__await__()
        return wrapped

    def _note_wait(self) -> None:
        if not self.done():
            self._link.on_wait(self.execution_id)

    def note_interrupt(self) -> None:
        """Let the executor do what it does when Ctrl-C ends the wait for a result."""
        self._link.on_interrupt()

    # --- called where its end arrives ----------------------------------------------------------------------------

    def note_running(self, is_running: bool) -> None:
        """Note that the execution has started, or is queued again."""
        self._is_running = is_running

    def end_with(self, result: T) -> None:
        """Set the result, unless it is done."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.set_result(result)

    def end_with_error(self, error: BaseException) -> None:
        """Set the error, unless it is done."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.set_exception(error)

    def end_cancelled(self) -> None:
        """Make it cancelled, unless it is done."""
        if super().cancel() and not self._is_notified():
            self.set_running_or_notify_cancel()

    def _invoke_callbacks(self) -> None:
        """Call the callbacks in a thread of their own: what they do must not hold up other futures' ends."""
        invoke: Callable[[], None] = getattr(super(), "_invoke_callbacks")  # noqa: B009 - not in the typeshed
        if self._has_callbacks:
            self._link.deliver(invoke)

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[T]], object]) -> None:
        """Call ``fn`` with this future when it is done, in a thread for that, or now if it is done already."""
        self._has_callbacks = True
        super().add_done_callback(fn)

    def _is_notified(self) -> bool:
        return self._state == "CANCELLED_AND_NOTIFIED"


class Delivery:
    """A thread that sets the results of futures, because what a program does with them may take its time."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def put(self, call: Callable[[], None]) -> None:
        """Make a call soon, in order; at once after the thread has ended."""
        with self._lock:
            if not self._is_closed:
                self._calls.put(call)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    self._thread.start()
                return
        call()

    def close(self) -> None:
        """End the thread after the calls so far, and wait for that unless this is the thread. May be called twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._calls.put(None)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # the last future must not be kept
