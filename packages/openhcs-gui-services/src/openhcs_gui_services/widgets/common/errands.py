"""Coroutines that a click has started: kept until they end, and whatever goes wrong in one is said."""

import asyncio
import logging
from collections.abc import Coroutine

from PyQt6.QtCore import QObject, pyqtSignal

__all__ = ["Errands"]

_LOG = logging.getLogger(__name__)


class Errands(QObject):
    """Starts coroutines on the running event loop, which is Qt's own (qasync)."""

    failed = pyqtSignal(str)
    """What was tried and why it did not work, for a person to read."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None], purpose: str) -> "asyncio.Task[None]":
        """Let it run; ``purpose`` begins the message if it fails, as in "Stopping"."""
        task = asyncio.get_running_loop().create_task(work, name=purpose)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("%s failed", task.get_name(), exc_info=error)
            self.failed.emit(f"{task.get_name()} failed: {error or type(error).__name__}")
