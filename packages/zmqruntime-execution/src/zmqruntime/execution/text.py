"""Counts, sizes, times, log lines and tables in words, as every command and window says them."""

import datetime
from collections.abc import Iterable, Sequence

__all__ = ["duration", "moment", "one_line", "plural", "size", "speaker", "table"]


def plural(number: int, noun: str) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def speaker(axis_id: str, logger: str) -> str:
    """Who says a line of a log: the logger, and the axis that it was about."""
    return f"{axis_id} {logger}" if axis_id else logger


def one_line(text: object) -> str:
    """What an error or anything else says, its lines joined by blanks."""
    return " ".join(line.strip() for line in str(text).splitlines() if line.strip())


def duration(seconds: float) -> str:
    """``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(seconds: float) -> str:
    """Seconds since the epoch as local time, without the date if that is today."""
    when = datetime.datetime.fromtimestamp(seconds)
    is_today = when.date() == datetime.datetime.now().date()
    return when.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M")


def size(number: float) -> str:
    """Bytes as ``950 MB`` or ``3.2 GB``."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table with aligned columns."""
    cells = [list(header), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
