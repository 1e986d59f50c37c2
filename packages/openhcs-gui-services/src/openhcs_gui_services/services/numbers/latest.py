"""Runs functions in a thread for a widget; only the result of the newest one is delivered."""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_runtime.exceptions import OpenHCSError
from zmqruntime.execution.text import first_line

__all__ = ["LatestWork"]

_LOG = logging.getLogger(__name__)

Found = TypeVar("Found")


class LatestWork(Generic[Found]):
    """One kind of work: one function runs at a time, and a newer one replaces one that waits.

    The methods are called on the thread of the event loop, and so are the callbacks.

    Args:
        tasks: runs the work in the background.
        purpose: what the work is for, as in "Reading the table".
        done: called with what the newest function has returned.
        failed: called with one line that says why the newest function has failed.
        busy: called with whether work is under way.
    """

    def __init__(
        self,
        tasks: BackgroundTasks,
        purpose: str,
        done: Callable[[Found], None],
        failed: Callable[[str], None],
        busy: Callable[[bool], None] = lambda is_busy: None,
    ) -> None:
        self._tasks = tasks
        self._purpose = purpose
        self._done, self._failed, self._busy = done, failed, busy
        self._next: Callable[[], Found] | None = None
        self._number = 0
        self._is_running = False

    @property
    def is_busy(self) -> bool:
        """Whether work is under way, or its result is still to be delivered."""
        return self._is_running

    def start(self, work: Callable[[], Found]) -> None:
        """Run ``work`` in a thread, in place of what was started before."""
        self._number += 1
        self._next = work
        if not self._is_running:
            self._is_running = True
            self._busy(True)
            self._tasks.start(self._run(), self._purpose)

    def drop(self) -> None:
        """Deliver nothing of what has been started so far."""
        self._number += 1
        self._next = None

    async def _run(self) -> None:
        try:
            while (work := self._next) is not None:
                self._next, number = None, self._number
                await self._run_one(work, number)
        finally:
            self._is_running = False
        self._busy(False)

    async def _run_one(self, work: Callable[[], Found], number: int) -> None:
        try:
            found = await asyncio.to_thread(work)
        except (OpenHCSError, OSError, ValueError, MemoryError) as error:
            if not isinstance(error, OpenHCSError):
                _LOG.info("%s failed", self._purpose, exc_info=error)
            if number == self._number:
                self._failed(first_line(str(error)) or type(error).__name__)
            return
        if number == self._number:
            self._done(found)
