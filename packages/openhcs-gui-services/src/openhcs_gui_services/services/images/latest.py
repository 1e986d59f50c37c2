"""One background coroutine at a time: a newer one takes the place of the one that is running."""

from collections.abc import Callable, Coroutine
from typing import Any

from openhcs_gui_services.services.background import BackgroundTasks

__all__ = ["LatestTask"]


class LatestTask:
    """Runs the coroutine that was started last and cancels the one before.

    Args:
        on_error: called with one line for the user when a coroutine fails.
        purpose: start of the error message, as in "Reading images failed: ...".
    """

    def __init__(self, on_error: Callable[[str], None], purpose: str) -> None:
        self._tasks = BackgroundTasks(on_error)
        self._purpose = purpose

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Cancel what is running and run ``work``."""
        self._tasks.cancel()
        self._tasks.start(work, self._purpose)

    def cancel(self) -> None:
        """Cancel what is running."""
        self._tasks.cancel()

    async def close(self) -> None:
        """Cancel what is running and wait until it has ended."""
        await self._tasks.close()
