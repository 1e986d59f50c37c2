"""Counts, sizes, times, log lines and tables as text, for commands and windows."""

import datetime
from collections.abc import Iterable, Sequence

__all__ = ["duration", "first_line", "moment", "one_line", "plural", "size", "speaker", "table", "timing"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


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
    """Return a duration in its two largest units: ``0.8 s``, ``42 s``, ``3 min 5 s``, ``2 h 10 min``, ``1 d 4 h``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two_units(whole, _HOUR, "h", _MINUTE, "min")
    return _two_units(whole, _DAY, "d", _HOUR, "h")


def timing(elapsed_seconds: float, remaining_seconds: float | None = None) -> str:
    """Return ``3 min 5 s, about 8 min left``, or only the first part if ``remaining_seconds`` is None."""
    elapsed = duration(elapsed_seconds)
    return elapsed if remaining_seconds is None else f"{elapsed}, about {_rough(remaining_seconds)} left"


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


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    count, rest = divmod(whole, large)
    rest //= small
    return f"{count} {large_name} {rest} {small_name}" if rest else f"{count} {large_name}"


def _rough(seconds: float) -> str:
    """Return an estimate rounded up: to 5 s, from a minute on to minutes, from an hour on to 5 min."""
    step = 5 if seconds < _MINUTE else _MINUTE if seconds < _HOUR else 5 * _MINUTE
    rounded = max(step, -(-seconds // step) * step)
    return f"{rounded:.0f} s" if rounded < _MINUTE else duration(rounded)
