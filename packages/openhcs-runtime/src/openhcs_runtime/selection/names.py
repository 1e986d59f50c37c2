"""The names of wells and sites as they are typed: ``A01``, ``A01-C06``, ``B``, ``3``, and ``1,3-5`` for sites."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from openhcs_runtime.exceptions import PipelineError
from openhcs_runtime.wells import MAX_COLUMNS, MAX_ROWS, well_name, well_position

_PART = re.compile(r"([A-Za-z]{0,2})(\d{0,2})")
_SITES = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_FORMS = "expected a form like B06, A01-C06 for the rectangle between two wells, B for a row, or 3 for a column"


@dataclass(frozen=True, slots=True)
class WellBlock:
    """A rectangle of wells.

    Attributes:
        text: how it was written.
        rows: first and last row, from 0; None for all.
        columns: first and last column, from 0; None for all.
    """

    text: str
    rows: tuple[int, int] | None
    columns: tuple[int, int] | None

    def has(self, well: str) -> bool:
        """Return whether a well is in it."""
        row, column = well_position(well)
        return _is_within(row, self.rows) and _is_within(column, self.columns)

    def named_wells(self) -> tuple[str, ...]:
        """Return the wells of a rectangle between two wells; for whole rows and columns, which name none, ()."""
        if self.rows is None or self.columns is None:
            return ()
        rows, columns = range(self.rows[0], self.rows[1] + 1), range(self.columns[0], self.columns[1] + 1)
        return tuple(well_name(row, column) for row in rows for column in columns)


def parse_wells(entries: Iterable[str]) -> tuple[WellBlock, ...]:
    """Parse names of wells, each of which may also be a list with commas.

    Args:
        entries: ``A1`` or ``A01``; ``A01-C06``, the rectangle between two wells; ``B`` or ``B-D``, whole rows; ``3``
            or ``3-5``, whole columns. Lower case is the same.

    Returns:
        The blocks of wells, in the given order.

    Raises:
        PipelineError: an entry is none of these.
    """
    texts = [text.strip() for entry in entries for text in entry.split(",")]
    return tuple(_block(text) for text in texts if text)


def parse_sites(text: str) -> tuple[int, ...]:
    """Parse numbers of sites such as ``1,3-5``.

    Raises:
        PipelineError: it is something else.
    """
    sites: dict[int, None] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _SITES.fullmatch(part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise PipelineError(f"{part!r} is not the number of a site; expected a form like 1,2 or 1-4")
        sites.update(dict.fromkeys(range(int(match[1]), int(match[2] or match[1]) + 1)))
    if not sites:
        raise PipelineError("no site is named; give numbers such as 1,2")
    return tuple(sites)


def _block(text: str) -> WellBlock:
    first, dash, last = (part.strip() for part in text.partition("-"))
    begin, end = _place(first, text), _place(last if dash else first, text)
    rows, columns = _span(begin[0], end[0]), _span(begin[1], end[1])
    if (begin[0] is None) is not (end[0] is None) or (begin[1] is None) is not (end[1] is None):
        raise PipelineError(f"{text!r} does not name wells; {_FORMS}")
    return WellBlock(text, rows, columns)


def _place(text: str, whole: str) -> tuple[int | None, int | None]:
    """Return row and column, from 0; None for what is not named."""
    match = _PART.fullmatch(text)
    if match is None or not text:
        raise PipelineError(f"{whole!r} does not name wells; {_FORMS}")
    try:
        row, column = well_position(f"{match[1] or 'A'}{match[2] or '1'}")
    except ValueError:
        last = well_name(MAX_ROWS - 1, MAX_COLUMNS - 1)
        raise PipelineError(f"{whole!r} is outside a 1536-well plate (A01 to {last})") from None
    return (row if match[1] else None), (column if match[2] else None)


def _span(one: int | None, other: int | None) -> tuple[int, int] | None:
    return None if one is None or other is None else (min(one, other), max(one, other))


def _is_within(place: int, span: tuple[int, int] | None) -> bool:
    return span is None or span[0] <= place <= span[1]
