"""Counts, sizes, times, log lines and tables as text, for commands and windows."""

import datetime
from collections.abc import Iterable, Sequence

__all__ = ["duration", "first_line", "moment", "one_line", "plural", "size", "speaker", "table"]


def plural(number: int, noun: str) -> str:
    """Return a count with its noun: ``1 worker``, ``2 workers``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def speaker(axis_id: str, logger: str) -> str:
    """Return the source of a log line: its axis, if any, and its logger."""
    return f"{axis_id} {logger}" if axis_id else logger


def one_line(text: object) -> str:
    """Return the text of an error or another object on one line, with its lines joined by spaces."""
    return " ".join(line.strip() for line in str(text).splitlines() if line.strip())


def first_line(text: str) -> str:
    """Return the first line of ``text`` that is not blank."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def duration(seconds: float) -> str:
    """Return a duration as text: ``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(seconds: float) -> str:
    """Return seconds since the epoch as local time, without the date if it is today."""
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
