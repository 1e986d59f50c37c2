"""Coroutines that a widget has started on Qt's asyncio loop: they end with the widget, and their errors are heard."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from PyQt6.QtWidgets import QWidget

from zmqruntime.exceptions import ZMQRuntimeError

__all__ = ["WidgetTasks"]


class WidgetTasks:
    """Starts coroutines for ``owner``.

    Args:
        owner: when it is destroyed, what still runs is cancelled.
        on_error: called with what a user can be told: a server that does not answer, or a process that is not ours.
            Any other error is a fault of ours, and goes to the loop's exception handler.
    """

    def __init__(self, owner: QWidget, on_error: Callable[[str], None]) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[None]] = set()
        running = self._running
        owner.destroyed.connect(lambda: [task.cancel() for task in list(running)] and None)

    @property
    def is_busy(self) -> bool:
        """Whether any still runs."""
        return bool(self._running)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it beside everything else."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._on_done)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, ZMQRuntimeError | PermissionError | TimeoutError):
            self._on_error(str(error).partition("\n")[0])
        elif error is not None:
            raise error
