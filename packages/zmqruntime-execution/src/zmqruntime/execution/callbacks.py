"""A thread for user callbacks, called in order, so that a slow callback does not block anything else."""

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["CallbackThread", "call_guarded"]

_log = logging.getLogger(__name__)

_ROOM = 10_000
_CLOSE_SECONDS = 1.0


class CallbackThread:
    """Makes calls in a thread, one after the other.

    Args:
        name: Name of the thread.
        on_room: Called in this thread when there is room again after the queue was full.
    """

    def __init__(self, name: str, on_room: Callable[[], None]) -> None:
        self._name = name
        self._on_room = on_room
        self._calls: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._was_full = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def has_room(self) -> bool:
        """Whether it accepts more calls; if not, ``on_room`` is called later."""
        with self._changed:
            full = len(self._calls) >= _ROOM
            self._was_full = self._was_full or full
            return not full

    def put(self, calls: list[Callable[[], None]]) -> None:
        """Queue these calls after all earlier ones."""
        with self._changed:
            if self._closing:
                return
            self._calls.extend(calls)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Drop all queued calls and wait for the current one, unless it is stuck."""
        with self._changed:
            self._closing = True
            self._calls.clear()
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._calls and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                call = self._calls.popleft()
                has_room_again = self._was_full and len(self._calls) < _ROOM // 2
                if has_room_again:
                    self._was_full = False
            call_guarded(call)
            if has_room_again:
                self._on_room()


def call_guarded(call: Callable[[], object]) -> None:
    """Call user code; an exception it raises is logged and goes no further."""
    try:
        call()
    except Exception:  # noqa: BLE001 - the callback is not ours
        _log.exception("the callback %r failed", call)
