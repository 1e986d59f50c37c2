"""Copies the selected cells of a table with the names of their columns, separated by tabs."""

from collections.abc import Callable

from PyQt6.QtCore import QItemSelectionModel, Qt
from PyQt6.QtGui import QGuiApplication, QKeySequence, QShortcut
from PyQt6.QtWidgets import QTableView

__all__ = ["MOST_CELLS", "add_copy_key", "copy_selection"]

MOST_CELLS = 1_000_000
"""Cells that the clipboard takes; a larger part is better exported."""


def add_copy_key(view: QTableView, on_refused: Callable[[str], object]) -> None:
    """Let Ctrl+C copy the selection of a table.

    Args:
        view: the table.
        on_refused: called with a line that says why nothing was copied.
    """
    shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), view)
    shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
    shortcut.activated.connect(lambda: _copy(view, on_refused))


def copy_selection(view: QTableView) -> str:
    """Return the selected cells, row by row, below the names of their columns.

    Raises:
        ValueError: there are too many.
    """
    selection, model = view.selectionModel(), view.model()
    if selection is None or model is None or not selection.hasSelection():
        return ""
    rows, columns = _selected(selection)
    columns = [column for column in columns if not view.isColumnHidden(column)]
    if len(rows) * len(columns) > MOST_CELLS:
        raise ValueError(f"more than {MOST_CELLS:,} cells are selected: export the table instead")
    role = Qt.ItemDataRole.DisplayRole
    lines = ["\t".join(str(model.headerData(column, Qt.Orientation.Horizontal, role)) for column in columns)]
    for row in rows:
        cells = (model.data(model.index(row, column), role) for column in columns)
        lines.append("\t".join("" if cell is None else str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _copy(view: QTableView, on_refused: Callable[[str], object]) -> None:
    clipboard = QGuiApplication.clipboard()
    try:
        text = copy_selection(view)
    except ValueError as error:
        on_refused(str(error))
        return
    if text and clipboard is not None:
        clipboard.setText(text)


def _selected(selection: QItemSelectionModel) -> tuple[list[int], list[int]]:
    """Return the selected rows and columns; ranges are used, as there may be a million rows."""
    rows: set[int] = set()
    columns: set[int] = set()
    ranges = selection.selection()
    for part in (ranges[place] for place in range(len(ranges))):
        rows |= set(range(part.top(), part.bottom() + 1))
        columns |= set(range(part.left(), part.right() + 1))
    return sorted(rows), sorted(columns)
