"""Log handler that forwards the log records of a task."""

import logging
from collections.abc import Callable

from zmqruntime.execution.events.lines import MAX_LINE_CHARACTERS
from zmqruntime.messages import LogLevel

__all__ = ["LineTaker", "TaskLogHandler"]


LineTaker = Callable[[LogLevel, str, str], None]
"""Receives level, logger and text of a line."""


class TaskLogHandler(logging.Handler):
    """Forwards log records with their level and logger.

    Args:
        take: Receives each record as a line.
    """

    def __init__(self, take: LineTaker) -> None:
        super().__init__()
        self._take_line = take

    def emit(self, record: logging.LogRecord) -> None:
        """Forward a record, cut to the maximum length of a line."""
        self._take_line(level_of(record), record.name, self.format(record)[:MAX_LINE_CHARACTERS])


def level_of(record: logging.LogRecord) -> LogLevel:
    """Return the level for a record's numeric level."""
    names = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)
    return names[min(max(record.levelno // 10, 1), 5) - 1]
