"""The newest log lines of many executions, bounded in number and memory, and those of them that a filter lets through.

Lines have numbers, from 0 and without a gap, in the order in which they were added; the oldest go first.
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
    """One line. ``timestamp`` is in seconds since the epoch."""

    number: int
    execution_id: str
    timestamp: float
    level: LogLevel
    logger: str
    text: str
    axis_id: str = ""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines to see: of one execution or all (None), of at least ``level``, with ``text`` in any case, of one axis
    or all (None).
    """

    execution_id: str | None = None
    level: LogLevel = LogLevel.DEBUG
    text: str = ""
    axis_id: str | None = None


class LogLines:
    """A ring of log lines with one filter on it.

    Filtering is incremental: ``set_filter`` only forgets what was found, and each ``scan`` looks through some lines
    more, so that nobody waits for a million of them. Not for several threads.

    Args:
        max_lines: how many lines are kept at most.
        max_bytes: how much memory their texts take at most; the newest line is kept in any case.
    """

    def __init__(self, max_lines: int = DEFAULT_MAX_LINES, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        if max_lines < 1:
            raise ValueError(f"max_lines is {max_lines}; keep at least one line")
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
        """The number of the oldest line that is kept."""
        return self._first

    @property
    def next_number(self) -> int:
        """How many lines were added in all."""
        return self._next

    @property
    def text_bytes(self) -> int:
        """The memory that the kept texts take."""
        return self._bytes

    @property
    def executions(self) -> tuple[str, ...]:
        """The ids of the executions of which lines are kept, the one that spoke first at the start."""
        return tuple(self._counts)

    def add(self, lines: Iterable[LogLine]) -> None:
        """Append lines, and forget the oldest past the bounds."""
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
        """Forget all lines; numbers go on."""
        while len(self):
            self._drop_oldest()
        self._scanned = self._next
        self._trim_found()

    def entry(self, number: int) -> LogEntry:
        """The line of this number. Raises KeyError when it is not kept, or not there yet."""
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
        """What is let through."""
        return self._filter

    def set_filter(self, wanted: LogFilter) -> None:
        """Let only these lines through; none has been found before the next ``scan``."""
        self._filter, self._needle = wanted, wanted.text.casefold()
        self._found, self._found_from = array("Q"), 0
        self._scanned = self._first

    def scan(self, at_most: int) -> bool:
        """Look through so many lines more; True when all that are there were looked through."""
        start = max(self._scanned, self._first)
        end = min(self._next, start + at_most)
        self._found.extend(number for number in range(start, end) if self._passes(number % self._max_lines))
        self._scanned = end
        self._trim_found()
        return end == self._next

    @property
    def is_scanned(self) -> bool:
        """Whether all lines were looked through."""
        return self._scanned >= self._next

    @property
    def found(self) -> int:
        """How many lines were found that the filter lets through, and are still kept as of the last ``scan``."""
        return len(self._found) - self._found_from

    @property
    def found_dropped(self) -> int:
        """How many of the found lines are forgotten by now, the oldest of them; the next ``scan`` takes them out."""
        return bisect_left(self._found, self._first, self._found_from) - self._found_from

    def found_number(self, index: int) -> int:
        """The number of the found line at ``index``, from 0 for the oldest. Raises IndexError."""
        if not 0 <= index < self.found:
            raise IndexError(index)
        return self._found[self._found_from + index]

    def index_of(self, number: int) -> int | None:
        """Where the line of this number is among the found ones; None when it is not."""
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
    """The line as text, in local time: for the clipboard and for files."""
    when = datetime.fromtimestamp(entry.timestamp).isoformat(sep=" ", timespec="milliseconds")
    return f"{when} {entry.level.upper():8} {speaker(entry.axis_id, entry.logger)}: {entry.text}"


async def follow_log(client: AsyncExecutionClient, execution_id: str, sink: Callable[[LogLine], None]) -> None:
    """Give ``sink`` all lines of an execution, past and live, in order, until it has ended.

    Raises:
        RequestRefusedError: the server has no such execution.
        ServerLostError: the server has ended and no successor came.
    """
    async for event in client.events(execution_id):
        if isinstance(event, LogLine):
            sink(event)
