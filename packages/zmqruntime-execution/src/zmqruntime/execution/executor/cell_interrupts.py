"""What an interrupt of a notebook cell does to the tasks that the cell has submitted."""

import concurrent.futures
import sys
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from zmqruntime.execution.cells import CellEnd, Shell
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.execution.text import plural

__all__ = ["CellInterrupts"]

_MORE_SECONDS = 2.0
"""How long to wait for the end of cancelled tasks after the time when they are killed."""


class CellInterrupts:
    """Notes the tasks of the cell that is running, and cancels them when the cell is interrupted.

    Args:
        shell: The shell of the notebook.
        grace_seconds: Time after which cancelled tasks are killed.
        cancel: Cancels tasks, all at the same time.
        on_left: Called with the tasks of an interrupted cell that were not cancelled.
        cancels: Whether to cancel them.
    """

    def __init__(
        self,
        shell: Shell,
        grace_seconds: float,
        cancel: Callable[[Sequence[TaskFuture[Any]]], None],
        on_left: Callable[[Sequence[TaskFuture[Any]]], None],
        *,
        cancels: bool,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._cancel = cancel
        self._on_left = on_left
        self._cancels = cancels
        self._futures: list[TaskFuture[Any]] = []
        _register(shell, weakref.ref(self))

    def note(self, futures: Iterable[TaskFuture[Any]]) -> None:
        """Note tasks that the cell has submitted."""
        self._futures += futures

    def begin(self) -> None:
        """Forget the tasks of the cell before: a new one begins."""
        self._futures.clear()

    def interrupt(self) -> None:
        """Cancel the tasks of the cell that have not ended, and wait for their end; or say which go on."""
        open_ones = [future for future in self._futures if not future.done()]
        self._futures.clear()
        if not open_ones:
            return
        if not self._cancels:
            self._on_left(open_ones)
            return
        self._cancel(open_ones)
        concurrent.futures.wait(open_ones, self._grace_seconds + _MORE_SECONDS)
        stopped = sum(future.cancelled() for future in open_ones)
        print(f"cancelled {plural(stopped, 'task')} that this cell had submitted", file=sys.stderr)


def _register(shell: Shell, known: "weakref.ref[CellInterrupts]") -> None:
    def on_begin(*_: object) -> None:
        interrupts = known()
        if interrupts is not None:
            interrupts.begin()
            return
        shell.events.unregister("pre_run_cell", on_begin)
        shell.events.unregister("post_run_cell", on_end)

    def on_end(result: CellEnd) -> None:
        interrupts = known()
        if interrupts is not None and isinstance(result.error_in_exec, KeyboardInterrupt):
            interrupts.interrupt()

    shell.events.register("pre_run_cell", on_begin)
    shell.events.register("post_run_cell", on_end)
