"""The newest log lines of many executions, limited in number and memory, with a filter.

Lines are numbered from 0 without gaps, in the order in which they were added; the oldest are dropped first.
"""

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.execution.text import speaker
from zmqruntime.messages import LogLevel, LogLine

__all__ = ["DEFAULT_MAX_BYTES", "DEFAULT_MAX_LINES", "LogEntry", "LogFilter", "LogLines", "entry_text", "follow_log"]

DEFAULT_MAX_LINES: Final = 1_000_000
DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024

_RANKS: Final = {level: rank for rank, level in enumerate(LogLevel)}
_LEVELS: Final = tuple(LogLevel)
_COMPACT_AT: Final = 65_536


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log line; ``timestamp`` is in seconds since the epoch."""

    number: int
    execution_id: str
    timestamp: float
    level: LogLevel
    logger: str
    text: str
    axis_id: str = ""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines to show.

    Attributes:
        execution_id: only lines of this execution; None for all.
        level: lowest level.
        text: text that the lines contain, ignoring case.
        axis_id: only lines of this axis; None for all.
    """

    execution_id: str | None = None
    level: LogLevel = LogLevel.DEBUG
    text: str = ""
    axis_id: str | None = None


class LogLines:
    """A ring buffer of log lines with one filter.

    Filtering is incremental: ``set_filter`` only discards the matches, and each ``scan`` checks some more lines, so
    that a million lines never block the caller. Not thread-safe.

    Args:
        max_lines: maximum number of lines.
        max_bytes: maximum memory for their texts; the newest line is always kept.

    Raises:
        ValueError: ``max_lines`` is less than 1.
    """

    def __init__(self, max_lines: int = DEFAULT_MAX_LINES, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_lines < 1:
            raise ValueError(f"max_lines must be at least 1, got {max_lines}")
        self._max_lines, self._max_bytes = max_lines, max_bytes
        self._texts: list[str] = []
        self._times = array("d")
        self._ranks = bytearray()
        self._executions: list[str] = []
        self._loggers: list[str] = []
        self._axes: list[str] = []
        self._first = self._next = 0
        self._bytes = 0
        self._counts: Counter[str] = Counter()
        self._filter = LogFilter()
        self._needle = ""
        self._found = array("Q")
        self._found_from = 0
        self._scanned = 0

    def __len__(self) -> int:
        return self._next - self._first

    @property
    def first_number(self) -> int:
        """Number of the oldest line that is kept."""
        return self._first

    @property
    def next_number(self) -> int:
        """Number of lines added so far, which is the number of the next line."""
        return self._next

    @property
    def text_bytes(self) -> int:
        """Memory used by the texts of the lines that are kept, in bytes."""
        return self._bytes

    @property
    def executions(self) -> tuple[str, ...]:
        """Ids of the executions with lines that are kept, in the order of their first lines."""
        return tuple(self._counts)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Append lines and drop the oldest ones beyond the limits."""
        for line in lines:
            if len(self) == self._max_lines:
                self._drop_oldest()
            self._bytes += sys.getsizeof(line.text)
            self._put(line)
            self._next += 1
            self._counts[line.execution_id] += 1
            while self._bytes > self._max_bytes and len(self) > 1:
                self._drop_oldest()

    def clear(self) -> None:
        """Drop all lines; numbering continues."""
        while len(self):
            self._drop_oldest()
        self._scanned = self._next
        self._trim_found()

    def entry(self, number: int) -> LogEntry:
        """Return a line by its number.

        Raises:
            KeyError: the line is no longer kept, or does not exist yet.
        """
        if not self._first <= number < self._next:
            raise KeyError(number)
        slot = number % self._max_lines
        return LogEntry(
            number,
            self._executions[slot],
            self._times[slot],
            _LEVELS[self._ranks[slot]],
            self._loggers[slot],
            self._texts[slot],
            self._axes[slot],
        )

    # --- filter --------------------------------------------------------------------------------------------------

    @property
    def filter(self) -> LogFilter:
        """The current filter."""
        return self._filter

    def set_filter(self, wanted: LogFilter) -> None:
        """Set the filter; there are no matches before the next ``scan``."""
        self._filter, self._needle = wanted, wanted.text.casefold()
        self._found, self._found_from = array("Q"), 0
        self._scanned = self._first

    def scan(self, at_most: int) -> bool:
        """Check up to ``at_most`` more lines; return whether all lines have been checked."""
        start = max(self._scanned, self._first)
        end = min(self._next, start + at_most)
        self._found.extend(number for number in range(start, end) if self._passes(number % self._max_lines))
        self._scanned = end
        self._trim_found()
        return end == self._next

    @property
    def is_scanned(self) -> bool:
        """Whether all lines have been checked."""
        return self._scanned >= self._next

    @property
    def found(self) -> int:
        """Number of matching lines that were still kept at the last ``scan``."""
        return len(self._found) - self._found_from

    @property
    def found_dropped(self) -> int:
        """Number of matches whose lines have been dropped since, always the oldest; the next ``scan`` removes them."""
        return bisect_left(self._found, self._first, self._found_from) - self._found_from

    def found_number(self, index: int) -> int:
        """Return the line number of a match.

        Args:
            index: position among the matches, from 0 for the oldest.

        Raises:
            IndexError: there are not that many matches.
        """
        if not 0 <= index < self.found:
            raise IndexError(index)
        return self._found[self._found_from + index]

    def index_of(self, number: int) -> int | None:
        """Return the position of a line among the matches; None if it is not a match."""
        place = bisect_left(self._found, number, self._found_from)
        is_there = place < len(self._found) and self._found[place] == number
        return place - self._found_from if is_there else None

    # --- parts ---------------------------------------------------------------------------------------------------

    def _put(self, line: LogLine) -> None:
        execution_id, logger, axis_id = map(sys.intern, (line.execution_id, line.logger, line.axis_id))
        slot = self._next % self._max_lines
        if slot == len(self._texts):
            self._texts.append(line.text)
            self._times.append(line.timestamp)
            self._ranks.append(_RANKS[line.level])
            self._executions.append(execution_id)
            self._loggers.append(logger)
            self._axes.append(axis_id)
        else:
            self._texts[slot], self._times[slot] = line.text, line.timestamp
            self._ranks[slot] = _RANKS[line.level]
            self._executions[slot], self._loggers[slot], self._axes[slot] = execution_id, logger, axis_id

    def _drop_oldest(self) -> None:
        slot = self._first % self._max_lines
        self._bytes -= sys.getsizeof(self._texts[slot])
        self._texts[slot] = ""
        execution_id = self._executions[slot]
        self._counts[execution_id] -= 1
        if not self._counts[execution_id]:
            del self._counts[execution_id]
        self._first += 1

    def _passes(self, slot: int) -> bool:
        wanted = self._filter
        if self._ranks[slot] < _RANKS[wanted.level]:
            return False
        if wanted.execution_id is not None and self._executions[slot] != wanted.execution_id:
            return False
        if wanted.axis_id is not None and self._axes[slot] != wanted.axis_id:
            return False
        return not self._needle or self._needle in self._texts[slot].casefold()

    def _trim_found(self) -> None:
        self._found_from += self.found_dropped
        if self._found_from > max(_COMPACT_AT, len(self._found) // 2):
            self._found = array("Q", islice(self._found, self._found_from, None))
            self._found_from = 0


def entry_text(entry: LogEntry) -> str:
    """Return a line as text, with local time, for the clipboard and files."""
    when = datetime.fromtimestamp(entry.timestamp).isoformat(sep=" ", timespec="milliseconds")
    return f"{when} {entry.level.upper():8} {speaker(entry.axis_id, entry.logger)}: {entry.text}"


async def follow_log(client: AsyncExecutionClient, execution_id: str, sink: Callable[[LogLine], None]) -> None:
    """Pass all log lines of an execution to ``sink``, past and live, in order, until it has ended.

    Args:
        client: a connected client.
        execution_id: id of the execution.
        sink: called with each line.

    Raises:
        RequestRefusedError: the server doesn't know the execution.
        ServerLostError: the server has ended and was not replaced by another one.
    """
    async for event in client.events(execution_id):
        if isinstance(event, LogLine):
            sink(event)
