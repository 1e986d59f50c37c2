"""Redirects what code inside a task prints and logs to the log of the task, in worker processes."""

import contextlib
import io
import logging
import sys
import threading
from typing import TextIO

from openhcs_runtime.text import writable
from zmqruntime.execution import current_task
from zmqruntime.execution.events.lines import LineSplitter
from zmqruntime.execution.tasks.logging import TaskLogHandler
from zmqruntime.messages import LogLevel

PRINTED = ("stdout", "stderr")
"""Names of the standard streams, used as logger names for what was written to them."""


def prints_to_tasks() -> contextlib.ExitStack:
    """Redirect lines printed inside a task to its log, until the returned stack is closed.

    Everything else goes where it went before. Output of C code and child processes is not captured.
    """
    stack = contextlib.ExitStack()
    stack.enter_context(contextlib.redirect_stdout(_TaskStream(sys.stdout, "stdout", LogLevel.INFO)))
    stack.enter_context(contextlib.redirect_stderr(_TaskStream(sys.stderr, "stderr", LogLevel.WARNING)))
    return stack


def logs_to_tasks() -> None:
    """Send log records of this process, from level INFO, to the log of the current task."""
    handler = TaskLogHandler(lambda level, logger, text: current_task().send_line(level, logger, text))
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler], force=True)


def end_printed_lines() -> None:
    """Pass on what this thread printed without a line end; call it before leaving the task."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _TaskStream):
            stream.end_line()


class _TaskStream(io.TextIOBase):
    """Replaces a standard stream; each thread has its own unfinished line."""

    def __init__(self, behind: TextIO, name: str, level: LogLevel) -> None:
        super().__init__()
        self._behind = behind
        self._name = name
        self._level = level
        self._unfinished = threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not current_task().execution_id:
            return self._behind.write(text)
        self._lines().feed(text)
        return len(text)

    def flush(self) -> None:
        if not self._behind.closed:
            self._behind.flush()

    def end_line(self) -> None:
        """End the unfinished line of this thread."""
        lines = self._lines()
        if lines.has_rest:
            lines.end()

    def close(self) -> None:
        """Do nothing, so that a function that closes the stream doesn't close it for others."""

    def _lines(self) -> LineSplitter:
        lines: LineSplitter | None = getattr(self._unfinished, "lines", None)
        if lines is None:
            lines = self._unfinished.lines = LineSplitter(self._send)
        return lines

    def _send(self, line: str) -> None:
        current_task().send_line(self._level, self._name, writable(line))
