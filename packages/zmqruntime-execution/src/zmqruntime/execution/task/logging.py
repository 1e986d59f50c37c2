"""Passes on what a task logs, with its level and logger."""

import logging
from collections.abc import Callable

from zmqruntime.execution.events.lines import MAX_LINE_CHARACTERS
from zmqruntime.messages import LogLevel

__all__ = ["LineTaker", "TaskLogHandler"]


LineTaker = Callable[[LogLevel, str, str], None]
"""Takes level, logger and text of a line."""


class TaskLogHandler(logging.Handler):
    """Passes on what is logged, with its level and logger."""

    def __init__(self, take: LineTaker) -> None:
        super().__init__()
        self._take_line = take

    def emit(self, record: logging.LogRecord) -> None:
        self._take_line(level_of(record), record.name, self.format(record)[:MAX_LINE_CHARACTERS])


def level_of(record: logging.LogRecord) -> LogLevel:
    """The level of ours that a record's number falls into."""
    names = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR, LogLevel.CRITICAL)
    return names[min(max(record.levelno // 10, 1), 5) - 1]
