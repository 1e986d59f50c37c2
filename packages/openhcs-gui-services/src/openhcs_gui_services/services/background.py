"""Background coroutines of a window, whose errors are all reported."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from openhcs_gui_services.exceptions import GuiServicesError
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.text import first_line

__all__ = ["BackgroundTasks"]

_LOG = logging.getLogger(__name__)


class BackgroundTasks:
    """Starts coroutines on the running event loop and keeps references to them until they end.

    Args:
        on_error: called with one line for the user when a coroutine fails: the purpose and the reason.
    """

    def __init__(self, on_error: Callable[[str], None]) -> None:
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether any coroutine is still running."""
        return bool(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], purpose: str) -> None:
        """Run ``work`` in the background.

        Args:
            work: the coroutine.
            purpose: start of the error message, as in "Stopping failed: ...".
        """
        self._add(work, purpose).add_done_callback(self._report)

    async def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Wait for ``work``, which runs to completion even if the caller is cancelled; its error is raised here."""
        await asyncio.shield(self._add(work, ""))

    async def wait(self) -> None:
        """Wait until everything has ended, also what is started in the meantime."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Cancel everything that is still running, without waiting for it."""
        for task in list(self._tasks):
            task.cancel()

    async def close(self) -> None:
        """Cancel everything that is still running and wait until it has ended."""
        tasks = list(self._tasks)
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _add(self, work: Coroutine[Any, Any, None], purpose: str) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work, name=purpose)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _report(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, ZMQRuntimeError | OSError | GuiServicesError):  # failures of servers and disks
            _LOG.error("%s failed", task.get_name(), exc_info=error)
        self._on_error(f"{task.get_name()} failed: {first_line(str(error)) or type(error).__name__}")
