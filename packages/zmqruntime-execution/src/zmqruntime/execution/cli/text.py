"""Sizes and tables as all commands print them."""

from collections.abc import Iterable, Sequence

__all__ = ["one_line", "size", "table"]


def size(number: float) -> str:
    """Bytes as ``950 MB`` or ``3.2 GB``."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def one_line(text: str) -> str:
    """The text without line breaks."""
    return " ".join(text.split())


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table with aligned columns."""
    cells = [list(header), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
