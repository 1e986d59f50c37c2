"""Loops that are tracked: how far each one is, and the loops around it."""

import contextvars
import math
import sys
import threading
import time
from collections.abc import Collection
from typing import Protocol

from zmqruntime.execution.tasks.amounts import Amount

__all__ = ["REPORT_SECONDS", "Loop", "LoopRecord", "Meter", "Place", "clean_name", "current_loop"]

REPORT_SECONDS = 0.1
_MAX_NAME_CHARACTERS = 200
_MAX_AXES = 500


class LoopRecord:
    """What a task remembers about its loops."""

    def __init__(self) -> None:
        self.reported_at = -math.inf
        """Time of ``time.monotonic()`` of the latest report of any loop."""
        self.bars_wanted = 0
        """How many blocks that are open want the bars of other libraries as progress."""
        self._axes: set[str] = set()

    def axis_for(self, name: str) -> str:
        """Return the axis for a loop: its name, or an empty one if the task has had too many different names."""
        if name not in self._axes and len(self._axes) >= _MAX_AXES:
            return ""
        self._axes.add(name)
        return name


class Place:
    """How far a loop is. The loop inside of it, if any, refines the fraction that is done."""

    __slots__ = ("done", "inner", "name", "part", "text", "total")

    def __init__(self, name: str, total: int | None) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self.part = 0.0
        """How much is done of the unit after ``done``, 0 to 1, if no loop inside of it says that."""
        self.text = ""
        self.inner: Place | None = None

    def fraction(self) -> float:
        """Return how much is done, 0 to 1; 0 if the total is unknown."""
        if not self.total:
            return 0.0
        inside = self.part if self.inner is None else self.inner.fraction()
        return min(1.0, (self.done + inside) / self.total)

    def words(self) -> str:
        """Return its name, its count and its text: ``batch 17/90``."""
        count = f"{self.done:,}" if self.total is None else f"{self.done:,}/{self.total:,}"
        return " ".join(part for part in (self.name, count, self.text) if part)

    def innermost(self) -> "Place":
        """Return the place of the innermost loop."""
        return self if self.inner is None else self.inner.innermost()

    def message(self) -> str:
        """Return what its name, count and total do not say: the loops inside of it, and its text."""
        counted = f"{self.done:,} done" if self.total is None else ""
        parts = [counted, self.text]
        inner = self.inner
        while inner is not None:
            parts.append(inner.words())
            inner = inner.inner
        return ", ".join(part for part in parts if part)


class Meter(Protocol):
    """Shows an outermost loop somewhere, together with the loops inside of it."""

    axis: str
    """Axis of the task that the loop is; empty if it is none."""
    due: float
    """Time of ``time.monotonic()`` at which the next report is due."""
    asked: Collection[object]
    """Empty as long as nothing was asked to stop."""

    def check(self) -> None:
        """Raise if the loop was asked to stop."""

    def begin(self, place: Place) -> None:
        """Show the start."""

    def show(self, place: Place) -> None:
        """Show the present place, and set :attr:`due`."""

    def end(self, place: Place) -> None:
        """Show the last place."""


class Loop:
    """A loop that is tracked, from :meth:`begin` to :meth:`end`.

    Between the two, a loop that begins in the same thread and the same asyncio task is an inner one of it.

    Args:
        name: Name of the loop; empty if it has none.
        total: Number of items; None if it is unknown.
        meter: Shows the loop if no other one is around it.
    """

    __slots__ = ("_is_open", "_outer", "_root", "_where", "meter", "place")

    def __init__(self, name: str, total: int | None, meter: Meter) -> None:
        self.place = Place(clean_name(name), total)
        self.meter = meter
        self._root = self.place
        self._outer: Loop | None = None
        self._where: tuple[int, object] = (0, None)
        self._is_open = False

    def begin(self) -> None:
        """Begin, inside of the loop that is current."""
        self._where = _here()
        outer = current_loop()
        self._is_open = True
        if outer is not None:
            self._outer, self.meter, self._root = outer, outer.meter, outer._root
            outer.place.inner = self.place
        _current.set(self)
        if outer is None:
            self.meter.begin(self.place)
        self.meter.check()

    def step(self, done: int) -> None:
        """Note that this many items are done: stop here if that was asked for, and report if it is time."""
        self.place.done = done
        if self.meter.asked:
            self.meter.check()
        if time.monotonic() >= self.meter.due:
            self.show()

    def say(self, amount: Amount, text: str) -> None:
        """Report how far the present item is, at once."""
        inside = Place("", amount.total)
        inside.done, inside.text = amount.done, text
        inside.part = amount.fraction * (amount.total or 0) - amount.done if amount.total else 0.0
        self.place.inner = inside
        self.show()

    def show(self) -> None:
        """Report now."""
        place = self.place
        if place.total is not None and place.done > place.total:
            place.total = place.done
        self.meter.show(self._root)

    def finish(self) -> None:
        """Note that there are no more items, so that the number of items is known."""
        self.place.total = self.place.done
        self.place.inner = None

    def end(self) -> None:
        """End, whether or not all items are done. Idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        if _current.get() is self:  # it is not if it was closed in another context, as by the garbage collector
            _current.set(self._outer)
        if self._outer is not None and self._outer.place.inner is self.place:
            self._outer.place.inner = None
        if self._outer is None:
            self.meter.end(self.place)


_current: contextvars.ContextVar[Loop | None] = contextvars.ContextVar("zmqruntime_loop", default=None)


def current_loop() -> Loop | None:
    """Return the innermost open loop of this thread and this asyncio task."""
    loop = _current.get()
    while loop is not None and not loop._is_open:
        loop = loop._outer
    return loop if loop is not None and loop._where == _here() else None


def clean_name(name: str) -> str:
    """Return the name of a loop, on one line and cut if it is too long.

    Raises:
        TypeError: It is not a string.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a loop must be a string, not {type(name).__name__}")
    return " ".join(name.split())[:_MAX_NAME_CHARACTERS]


def _here() -> tuple[int, object]:
    asyncio = sys.modules.get("asyncio")
    try:
        return threading.get_ident(), None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop is running in this thread
        return threading.get_ident(), None
