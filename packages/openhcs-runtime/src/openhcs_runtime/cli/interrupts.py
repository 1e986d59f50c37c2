"""Ctrl-C at moments when it must not break off what is going on: noted first, answered when that is possible."""

import contextlib
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from zmqruntime.execution import Task

__all__ = ["Interrupts", "cancelling", "uninterrupted"]

_SAME_SECONDS = 0.25
"""Programs that run others (timeout, uv run) pass one Ctrl-C on a second time: within this time it is the same one."""


class Interrupts:
    """In its block the first Ctrl-C is only noted, until :meth:`allow`. A second one raises KeyboardInterrupt at once.

    Only for the main thread.
    """

    def __init__(self) -> None:
        self.were_noted = False
        self._are_allowed = False
        self._last = 0.0

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(self, *exc_info: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def allow(self) -> None:
        """From now on Ctrl-C raises KeyboardInterrupt, at once if it was pressed before."""
        self._are_allowed = True
        if self.were_noted:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on Ctrl-C is only noted again."""
        self._are_allowed = False

    def _on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.were_noted and now - self._last < _SAME_SECONDS:
            return
        is_second, self.were_noted, self._last = self.were_noted, True, now
        if self._are_allowed or is_second:
            raise KeyboardInterrupt


@contextlib.contextmanager
def cancelling(task: "Task") -> Iterator[None]:
    """In the block the first Ctrl-C lets the task stop; a second one raises KeyboardInterrupt at once."""
    last = 0.0

    def on_interrupt(signum: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if task.cancelled and now - last > _SAME_SECONDS:
            raise KeyboardInterrupt
        last = now
        task.request_cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Run the block to its end, then raise KeyboardInterrupt if Ctrl-C was pressed in it.

    For imports: an interrupted one may leave half a module, or turn up as another error.
    """
    with Interrupts() as interrupts:
        yield
        interrupts.allow()
