"""Rows whose last column is long, such as a path: beside the others if it fits, or else on a line of its own."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

__all__ = ["middle_elided", "print_rows"]

_GAP = "  "


def print_rows(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[int] = ()
) -> None:
    """Print a table.

    Where the last column does not fit, each of its values is on the line below the others. In a terminal it is then
    shortened in the middle if even that is too narrow; in a file or a pipe it is written out.

    Args:
        console: where to print.
        headings: one for each column.
        rows: the values of each row.
        right: numbers of the columns that are aligned to the right.
    """
    texts = [[value if isinstance(value, Text) else Text(value) for value in row] for row in rows]
    widths = [
        max(cell_len(heading), *(row[number].cell_len for row in texts)) for number, heading in enumerate(headings)
    ]
    fits = sum(widths) + len(_GAP) * (len(widths) - 1) <= console.width
    shown = len(headings) if fits else len(headings) - 1
    _print_line(console, [Text(heading, "bold") for heading in headings[:shown]], widths, right)
    for row in texts:
        _print_line(console, row[:shown], widths, right)
        if not fits:
            room = console.width - len(_GAP)
            last = middle_elided(row[-1].plain, room) if console.is_terminal else row[-1].plain
            _print_line(console, [Text(_GAP + last, "dim")], [0], ())


def middle_elided(text: str, width: int) -> str:
    """Return a text of at most this width in a terminal, shortened in the middle: the end of a path is its name."""
    if cell_len(text) <= width:
        return text
    end = (width - 1) * 2 // 3
    return f"{set_cell_size(text, width - 1 - end)}…{_last(text, end)}"


def _last(text: str, width: int) -> str:
    while cell_len(text) > width:
        text = text[1:]
    return text


def _print_line(console: Console, cells: Sequence[Text], widths: Sequence[int], right: Sequence[int]) -> None:
    line = Text()
    for number, (cell, width) in enumerate(zip(cells, widths, strict=False)):
        space = " " * max(0, width - cell.cell_len)
        line.append_text(Text(space) + cell if number in right else cell + Text(space))
        line.append(_GAP)
    line.rstrip()
    console.print(line, soft_wrap=True)
