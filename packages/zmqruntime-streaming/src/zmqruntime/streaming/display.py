"""The queue of items to be displayed in a viewer, and their acknowledgements."""

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
    """The acknowledgement of one delivery, from any thread; only the first call of either method counts."""

    def __init__(self, item: "DisplayItem", on_end: Callable[["DisplayItem", str | None, bool], None]) -> None:
        self._item = item
        self._on_end = on_end
        self._lock = threading.Lock()
        self._has_ended = False

    def displayed(self) -> None:
        """Report that the item is on the screen."""
        self._end(None)

    def failed(self, reason: str) -> None:
        """Report that the item cannot be shown."""
        self._end(reason or "the viewer gave no reason")

    def superseded(self) -> None:
        """Report that the item is not shown because something newer has arrived; it counts as skipped, not failed."""
        self._end("superseded by something newer", is_superseded=True)

    def _end(self, error: str | None, is_superseded: bool = False) -> None:
        with self._lock:
            if self._has_ended:
                return
            self._has_ended = True
        self._on_end(self._item, error, is_superseded)


@dataclass(slots=True, eq=False)
class DisplayItem:
    """One item to display, or one command to carry out after the items before it."""

    peer: bytes
    content: Content | ViewerCommand
    ticket: int
    array: npt.NDArray[Any] | None = None
    """The array of an image or of points, until it is displayed."""


class DisplayQueue:
    """A FIFO queue from the I/O thread to the display thread; the credits of producers limit its length."""

    def __init__(self) -> None:
        self._items: deque[DisplayItem] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: DisplayItem) -> None:
        """Add an item; :meth:`wake` follows once there are no more to add, as each wake-up costs more than an item."""
        self._items.append(item)

    def wake(self) -> bool:
        """Wake a waiting thread if there are items; return whether there are."""
        with self._changed:
            if self._items:
                self._changed.notify()
            return bool(self._items)

    def take_all(self) -> list[DisplayItem]:
        """Return all waiting items."""
        return [self._items.popleft() for _ in range(len(self._items))]

    def wait(self) -> bool:
        """Wait until there are items; return False when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            return not self._closed

    def close(self) -> None:
        """Close the queue and drop waiting items."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()


class DisplayThread:
    """Calls ``display_waiting`` whenever items are waiting, for viewers without their own event loop."""

    def __init__(self, queue: DisplayQueue, display_waiting: Callable[[], None]) -> None:
        self._queue = queue
        self._display_waiting = display_waiting
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while self._queue.wait():
            self._display_waiting()

    def join(self) -> None:
        """Wait for items that are being displayed, unless the viewer hangs."""
        self._thread.join(_JOIN_SECONDS)
