"""The table model of a mapped table: only the cells in view are read, in the order and choice of rows that is given."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt

from openhcs_gui_services.services.numbers.mapped_table import Cell, MappedTable

__all__ = ["MappedTableModel", "cell_text"]

_KEPT: Final = 20_000
"""Texts of cells that are kept."""
_NONE: Final = np.empty(0, dtype=np.int64)
_NUMBER = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TEXT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


def cell_text(value: Cell) -> str:
    """Return what a cell shows: numbers in six digits, nothing for a missing value."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class MappedTableModel(QAbstractTableModel):
    """Rows and columns of a mapped table."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._table: MappedTable | None = None
        self._rows: NDArray[np.int64] = _NONE
        self._columns: tuple[str, ...] = ()
        self._alignments: tuple[Qt.AlignmentFlag, ...] = ()
        self._texts: dict[tuple[int, int], str] = {}

    @property
    def table(self) -> MappedTable | None:
        """The table; None if there is none."""
        return self._table

    @property
    def rows(self) -> NDArray[np.int64]:
        """The numbers of the rows in the table, in the order that is shown."""
        return self._rows

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are shown."""
        return self._columns

    def show_table(self, table: MappedTable | None, rows: NDArray[np.int64], columns: Sequence[str]) -> None:
        """Show these rows and columns of a table."""
        self.beginResetModel()
        self._table, self._rows, self._columns = table, rows, tuple(columns)
        self._alignments = tuple(
            _NUMBER if table is not None and table.is_numeric(column) else _TEXT for column in columns
        )
        self._texts.clear()
        self.endResetModel()

    def show_rows(self, rows: NDArray[np.int64]) -> None:
        """Show these rows; the table and its columns stay."""
        self.beginResetModel()
        self._rows = rows
        self._texts.clear()
        self.endResetModel()

    def row_at(self, index: QModelIndex) -> int | None:
        """Return the number of a shown row in the table; None without a row."""
        return int(self._rows[index.row()]) if index.isValid() and index.row() < len(self._rows) else None

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of rows that are shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of columns that are shown."""
        return 0 if parent.isValid() else len(self._columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the names of columns, and the positions of rows from 1."""
        if orientation is Qt.Orientation.Vertical:
            return str(section + 1) if role == Qt.ItemDataRole.DisplayRole else None
        if section >= len(self._columns):
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return self._columns[section]
        return self._alignments[section] if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text or the alignment of a cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(index.row(), index.column())
        return self._alignments[index.column()] if role == Qt.ItemDataRole.TextAlignmentRole else None

    def is_numeric(self, column: int) -> bool:
        """Return whether a shown column has numbers."""
        return self._alignments[column] is _NUMBER

    def text(self, row: int, column: int) -> str:
        """Return the text of a cell."""
        key = (row, column)
        known = self._texts.get(key)
        if known is None:
            assert self._table is not None
            known = cell_text(self._table.cell(int(self._rows[row]), self._columns[column]))
            if len(self._texts) >= _KEPT:
                self._texts.clear()
            self._texts[key] = known
        return known
