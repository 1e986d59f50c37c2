"""Prints tables for people: Markdown with a heading and the load of the machine."""

import os
from collections.abc import Iterable, Sequence

__all__ = ["tell", "tell_table"]

Cell = str | int | float


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


def tell_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table under a title that gives the load average of the last minute."""
    load = f" (load {os.getloadavg()[0]:.1f})" if hasattr(os, "getloadavg") else ""
    tell(f"\n### {title}{load}\n")
    tell(f"| {' | '.join(head)} |")
    tell(f"|{'--|' * len(head)}")
    for row in rows:
        tell(f"| {' | '.join(_text(cell) for cell in row)} |")


def _text(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell.replace("|", "\\|")
