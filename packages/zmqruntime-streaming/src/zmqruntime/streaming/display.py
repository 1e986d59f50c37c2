"""What waits to be displayed in a viewer, and how whoever sent it hears what became of it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from zmqruntime.streaming.wire import Content, ViewerCommand

__all__ = ["DeferredAck", "DisplayItem", "DisplayQueue", "DisplayThread"]

_JOIN_SECONDS = 5.0


class DeferredAck:
    """The acknowledgement of one delivery, given from any thread: the first of :meth:`displayed` and :meth:`failed`."""

    def __init__(self, item: "DisplayItem", on_end: Callable[["DisplayItem", str | None], None]) -> None:
        self._item = item
        self._on_end = on_end
        self._lock = threading.Lock()
        self._has_ended = False

    def displayed(self) -> None:
        """It is on the screen."""
        self._end(None)

    def failed(self, reason: str) -> None:
        """It cannot be shown."""
        self._end(reason or "the viewer gave no reason")

    def _end(self, error: str | None) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
        self._on_end(self._item, error)


@dataclass(slots=True, eq=False)
class DisplayItem:
    """One thing to display, or one command to carry out after what came before it."""

    peer: bytes
    content: Content | ViewerCommand
    ticket: int
    array: npt.NDArray[Any] | None = None
    """Of an image or of points, until it is displayed."""


class DisplayQueue:
    """First in, first out, from the I/O thread to whichever thread draws. Its length is bounded by the credits."""

    def __init__(self) -> None:
        self._items: deque[DisplayItem] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: DisplayItem) -> None:
        """Add one and wake a thread that waits."""
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def take_all(self) -> list[DisplayItem]:
        """All that waits."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
            return items

    def wait(self) -> bool:
        """Wait until there is something; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return not self._closed

    def close(self) -> None:
        """Nothing more will be displayed."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


class DisplayThread:
    """Calls ``display_waiting`` whenever something waits, for viewers without an event loop of their own."""

    def __init__(self, queue: DisplayQueue, display_waiting: Callable[[], None]) -> None:
        self._queue = queue
        self._display_waiting = display_waiting
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._queue.wait():
            self._display_waiting()

    def join(self) -> None:
        """Wait for what is being displayed; gives up on a viewer that hangs."""
        self._thread.join(_JOIN_SECONDS)
