"""A thread that makes somebody else's calls, in order, so that a slow one holds up nobody but itself."""

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ["CallbackThread", "call_guarded"]

_log = logging.getLogger(__name__)

_ROOM = 10_000
_CLOSE_SECONDS = 1.0


class CallbackThread:
    """Calls what it is given, one after the other.

    Args:
        on_room: called, on this thread, when there is room again after there was none.
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
        """Whether it should be given more; if not, ``on_room`` will be called."""
        with self._changed:
            full = len(self._calls) >= _ROOM
            self._was_full = self._was_full or full
            return not full

    def put(self, calls: list[Callable[[], None]]) -> None:
        """Make these calls after all that were put before."""
        with self._changed:
            if self._closing:
                return
            self._calls.extend(calls)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """Make no further calls, and wait for the one that is being made unless it is stuck."""
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
    """Make a call of somebody else's; what it raises is logged and harms nobody."""
    try:
        call()
    except Exception:  # noqa: BLE001 - the callback is not ours
        _log.exception("the callback %r failed", call)
