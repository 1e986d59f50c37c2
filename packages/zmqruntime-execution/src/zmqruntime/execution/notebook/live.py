"""Content that is drawn again whenever it has changed, at most a few times a second, in a thread of its own."""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from zmqruntime.execution.notebook.output import Content, Output, output_here

__all__ = ["LiveView"]

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.25
_PAUSES_PER_DRAWING = 5.0  # a table that takes long to draw is drawn less often
_CLOCK_SECONDS = 1.0


class LiveView:
    """Draws content within a ``with`` block: at once, after changes, every second for its clocks, and at the end.

    Args:
        render: Returns the present content; called in the thread of the view and, at the end, in that of the block.
        output: Where to draw [default: the notebook cell, or standard output].
    """

    def __init__(self, render: Callable[[], Content], output: Output | None = None) -> None:
        self._render = render
        self._output = output_here() if output is None else output
        self._changed = threading.Event()
        self._is_over = threading.Event()
        # The outputs of a cell belong to the context that the cell is running in.
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._draw_changes,), name="live-view", daemon=True)

    def note_change(self) -> None:
        """Draw soon; from any thread, without waiting."""
        self._changed.set()

    def __enter__(self) -> Self:
        self._output.show(self._render(), is_last=False)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._changed.set()
        self._thread.join()
        self._output.show(self._render(), is_last=True)

    def _draw_changes(self) -> None:
        drawn = 0.0
        try:
            while not self._is_over.is_set():
                self._changed.wait(_CLOCK_SECONDS)
                self._changed.clear()
                if self._is_over.wait(max(_PAUSE_SECONDS, _PAUSES_PER_DRAWING * drawn)):
                    return
                begun = time.monotonic()
                self._output.show(self._render(), is_last=False)
                drawn = time.monotonic() - begun
        except Exception:  # noqa: BLE001  what is watched goes on without its picture
            _log.exception("the live view has stopped; the tasks go on")
