"""Previews for a window: the newest request wins, whatever the functions of a pipeline do."""

import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from openhcs_runtime.limits import total_bytes
from openhcs_runtime.preview.messages import Done, FromChild, Ready, Run, Stale, StepBegun, result_of
from openhcs_runtime.preview.process import PreviewProcess
from openhcs_runtime.preview.values import PreviewProblem, PreviewRequest, PreviewResult

__all__ = ["PreviewClient"]

_GRACE_SECONDS = 0.3
_SPARE_AFTER_SECONDS = 1.0
_LOOK_SECONDS = 0.5
_LEAST_LIMIT_BYTES = 2 << 30


@dataclass(slots=True)
class _Asked:
    """A request and what is known of it."""

    number: int
    request: PreviewRequest
    future: "Future[PreviewResult]"
    begun_at: float = 0.0
    step: str = ""
    is_overtaken: bool = False
    ends_by: float | None = None
    """When its process is killed, because nobody waits for it any more; None as long as somebody does."""


@dataclass(frozen=True, slots=True)
class _Unwanted:
    """The caller has cancelled the future of a request."""

    number: int


@dataclass(frozen=True, slots=True)
class _Heard:
    """A message of a process; None if the process has ended."""

    process: PreviewProcess
    message: FromChild | None
    arrays: list[NDArray[Any]]


class PreviewClient:
    """Makes previews in a process of its own, which starts with the first request and stays warm.

    A newer request overtakes the one that is being made: that one ends at its next step or pattern group and, if it
    doesn't within ``grace_seconds``, a second process that is ready takes over and the first one is killed. A process
    that crashes, or needs more memory than ``most_bytes``, ends its preview with a problem, and the next request gets
    another process.

    All methods can be called from any thread, and none of them waits for a preview.

    Args:
        grace_seconds: how long a preview that was overtaken may take to end.
        most_bytes: limit of the memory of the process [default: half of that of the machine, but at least 2 GiB].
    """

    def __init__(self, *, grace_seconds: float = _GRACE_SECONDS, most_bytes: int | None = None) -> None:
        self._grace = grace_seconds
        self._most_bytes = most_bytes or max(_LEAST_LIMIT_BYTES, total_bytes() // 2)
        self._events: queue.SimpleQueue[_Asked | _Unwanted | _Heard | None] = queue.SimpleQueue()
        self._numbers = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._current: PreviewProcess | None = None
        self._spare: PreviewProcess | None = None
        self._alive: frozenset[PreviewProcess] = frozenset()
        self._spare_failed = False
        self._running: _Asked | None = None
        self._next: _Asked | None = None

    def ask(self, request: PreviewRequest) -> "Future[PreviewResult]":
        """Return the result of a preview; it is cancelled when a newer one is asked for, or the client is closed.

        A failure is part of the result: the future has no exception.
        """
        future: Future[PreviewResult] = Future()
        with self._lock:
            if self._is_closed:
                future.cancel()
                return future
            self._numbers += 1
            asked = _Asked(self._numbers, request, future)
            if self._thread is None:
                # It starts the processes, which Linux ends when the thread that has started them ends.
                self._thread = threading.Thread(target=self._serve, name="previews", daemon=True)
                self._thread.start()
            self._events.put(asked)
        future.add_done_callback(lambda done: self._events.put(_Unwanted(asked.number)) if done.cancelled() else None)
        return future

    def pids(self) -> tuple[int, ...]:
        """Return the ids of its processes, that of the current one first."""
        return tuple(process.pid for process in sorted(self._alive, key=lambda one: one is not self._current))

    def close(self) -> None:
        """End the processes and wait until they have ended; can be called more than once."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        if thread is not None:
            self._events.put(None)
            thread.join()

    # --- on the thread of the client --------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                event = self._events.get(timeout=self._patience())
            except queue.Empty:
                self._look()
                continue
            if event is None:
                break
            if isinstance(event, _Asked):
                self._on_asked(event)
            elif isinstance(event, _Unwanted):
                if self._running is not None and self._running.number == event.number:
                    self._overtake()
            else:
                self._on_heard(event)
            self._look()
        self._end_all()

    def _patience(self) -> float | None:
        """Return in how many seconds something has to be looked at; None if nothing is being made."""
        running = self._running
        if running is None:
            return None
        if running.ends_by is None:
            return _LOOK_SECONDS
        return max(0.0, min(_LOOK_SECONDS, running.ends_by - time.monotonic()))

    def _on_asked(self, asked: _Asked) -> None:
        if self._next is not None:
            self._next.future.cancel()
        self._next = asked
        self._spare_failed = False
        self._overtake()
        self._begin_next()

    def _overtake(self) -> None:
        """Ask the running preview to end."""
        running = self._running
        if running is None or self._current is None or running.is_overtaken:
            return
        running.is_overtaken = True
        running.future.cancel()
        self._current.cancel(running.number)
        if self._current.is_ready:
            running.ends_by = time.monotonic() + self._grace

    def _begin_next(self) -> None:
        if self._running is not None or self._next is None:
            return
        asked, self._next = self._next, None
        if asked.future.cancelled():
            return
        if self._current is None:
            self._current, self._spare = self._spare, None
        if self._current is None:
            try:
                self._current = self._started()
            except OSError as error:
                text = f"the process of the preview can't be started: {error}: close other programs, and try again"
                asked.future.set_result(PreviewResult(problem=PreviewProblem(text)))
                return
        asked.begun_at = time.monotonic()
        self._running = asked
        self._current.run(Run(asked.number, asked.request))

    def _started(self) -> PreviewProcess:
        process = PreviewProcess(lambda who, message, arrays: self._events.put(_Heard(who, message, arrays)))
        self._alive |= {process}
        return process

    def _on_heard(self, heard: _Heard) -> None:
        process, message = heard.process, heard.message
        running = self._running if process is self._current else None
        match message:
            case None:
                self._on_ended(process)
            case Ready():
                process.is_ready = True
                if running is not None and running.is_overtaken:
                    running.ends_by = time.monotonic() + self._grace
            case StepBegun() if running is not None and message.number == running.number:
                running.step = message.step
            case Done() if running is not None and message.number == running.number:
                self._on_done(running, message, heard.arrays)
            case Stale() if running is not None:
                self._running, self._current = None, None
                self._next = self._next or running
                self._begin_next()  # which leaves out one that was overtaken

    def _on_done(self, running: _Asked, message: Done, arrays: list[NDArray[Any]]) -> None:
        self._running = None
        if not message.is_cancelled:
            _give(running, result_of(message, arrays))
        if message.is_leaving or message.memory_bytes > self._most_bytes:
            self._retire()
        self._begin_next()

    def _on_ended(self, process: PreviewProcess) -> None:
        self._alive -= {process}
        if process is self._spare:
            self._spare, self._spare_failed = None, True
        if process is not self._current:
            return
        running, self._running, self._current = self._running, None, None
        if running is not None:
            where = f" in {running.step}" if running.step else ""
            text = f"the process of the preview ended{where} ({process.how_it_ended()})"
            remedy = "change this step" if running.step else "see the terminal of the window for the reason"
            problem = PreviewProblem(f"{text}: {remedy}, and the preview starts again", _number_in(running.step))
            _give(running, PreviewResult(problem=problem))
        self._begin_next()

    def _look(self) -> None:
        """Kill a process that does not end or needs too much memory, and start one that can take over."""
        running, now = self._running, time.monotonic()
        if running is None:
            if self._current is not None:
                self._start_spare()
            return
        if running.ends_by is not None and now >= running.ends_by:
            self._retire()
            self._begin_next()
        elif self._current is not None and self._current.memory_bytes() > self._most_bytes:
            limit = f"{self._most_bytes / 2**30:.1f} GiB"
            text = f"{running.step or 'the preview'} needs more than {limit} of memory: change this step"
            _give(running, PreviewResult(problem=PreviewProblem(text, _number_in(running.step))))
            self._retire()
            self._begin_next()
        elif now - running.begun_at > _SPARE_AFTER_SECONDS:
            self._start_spare()

    def _start_spare(self) -> None:
        if self._spare_failed or self._spare is not None:
            return
        if self._current is not None and self._current.is_ready:
            try:
                self._spare = self._started()
            except OSError:
                return  # without it, a process that hangs is replaced more slowly

    def _retire(self) -> None:
        """End the current process; the next request gets another one."""
        process, self._current, self._running = self._current, None, None
        if process is not None:
            process.kill()

    def _end_all(self) -> None:
        for asked in (self._running, self._next):
            if asked is not None:
                asked.future.cancel()
        for process in self._alive:
            process.kill()
        for process in self._alive:
            process.join()
        self._alive = frozenset()
        self._current = self._spare = self._running = self._next = None


def _give(asked: _Asked, result: PreviewResult) -> None:
    if asked.future.set_running_or_notify_cancel():
        asked.future.set_result(result)


def _number_in(step: str) -> int:
    """Return the number in "step 2 'Segment'"; 0 if there is none."""
    number = step.removeprefix("step ").partition(" ")[0]
    return int(number) if number.isdigit() else 0
