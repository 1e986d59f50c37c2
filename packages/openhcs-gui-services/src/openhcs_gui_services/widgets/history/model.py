"""Past runs as a table model, with a filter."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt
from PyQt6.QtGui import QGuiApplication, QPalette

from openhcs_gui_services.services.history import HistoryRow
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.text import plain_tooltip

__all__ = ["HistoryColumn", "HistoryFilter", "HistoryModel"]


class HistoryColumn(IntEnum):
    """The columns of the table."""

    PLATE = 0
    WHAT = 1
    STATUS = 2
    WELLS = 3
    ENDED = 4
    DURATION = 5
    RESULTS = 6
    ERROR = 7


_HEADERS: Final = ("Plate", "What", "Status", "Wells", "Ended", "Duration", "Results", "Problem")


class HistoryModel(QAbstractTableModel):
    """Table model of executions, newest first."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[HistoryRow] = []

    def set_rows(self, rows: Sequence[HistoryRow]) -> None:
        """Show exactly these rows."""
        self.beginResetModel()
        self._rows = list(rows)
        self.endResetModel()

    def add_rows(self, rows: Sequence[HistoryRow]) -> None:
        """Append rows; those that are already shown are skipped."""
        known = {row.execution_id for row in self._rows}
        new = [row for row in rows if row.execution_id not in known]
        if new:
            self.beginInsertRows(QModelIndex(), len(self._rows), len(self._rows) + len(new) - 1)
            self._rows += new
            self.endInsertRows()

    def row(self, number: int) -> HistoryRow:
        """Return a row by its number, from 0."""
        return self._rows[number]

    @property
    def rows(self) -> tuple[HistoryRow, ...]:
        """All rows."""
        return tuple(self._rows)

    @property
    def oldest(self) -> float | None:
        """End of the last row's execution, in seconds since the epoch; None without rows."""
        return self._rows[-1].ended_at if self._rows else None

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of executions."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of columns: plate, what was done, status, wells, end, duration, results, problem."""
        return 0 if parent.isValid() else len(HistoryColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return _HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, tooltip or colour of a cell, or its sort key for ``UserRole``."""
        row, column = self._rows[index.row()], HistoryColumn(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, column)
        if role == Qt.ItemDataRole.UserRole:
            return _sort_key(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(_tip(row, column))
        if role == Qt.ItemDataRole.ForegroundRole and column is HistoryColumn.STATUS and row.tone is not Tone.NEUTRAL:
            return tone_colour(row.tone, QGuiApplication.palette())
        if role == Qt.ItemDataRole.ForegroundRole and column is HistoryColumn.RESULTS:
            return QGuiApplication.palette().color(QPalette.ColorRole.Link)
        return None


class HistoryFilter(QSortFilterProxyModel):
    """Shows rows that contain a text."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSortRole(Qt.ItemDataRole.UserRole)

    def set_text(self, text: str) -> None:
        """Show only rows with this text."""
        self._text = text
        self.invalidateFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        """Return whether a row contains the text."""
        model = self.sourceModel()
        return not self._text or (isinstance(model, HistoryModel) and model.row(source_row).matches(self._text))


def _text(row: HistoryRow, column: HistoryColumn) -> str:
    match column:
        case HistoryColumn.PLATE:
            return row.name
        case HistoryColumn.WHAT:
            return row.what
        case HistoryColumn.STATUS:
            return row.status.value.capitalize()
        case HistoryColumn.WELLS:
            return row.wells
        case HistoryColumn.ENDED:
            return row.ended_text
        case HistoryColumn.DURATION:
            return row.duration
        case HistoryColumn.RESULTS:
            return row.results_name
        case HistoryColumn.ERROR:
            return row.error


def _tip(row: HistoryRow, column: HistoryColumn) -> str:
    """Return what a cell says at length."""
    match column:
        case HistoryColumn.ERROR:
            return row.error
        case HistoryColumn.RESULTS:
            return f"{row.output}: click to open" if row.output else ""
        case HistoryColumn.PLATE:
            return f"{row.plate_path} (execution {row.execution_id})"
        case _:
            return _text(row, column)


def _sort_key(row: HistoryRow, column: HistoryColumn) -> str | float:
    match column:
        case HistoryColumn.ENDED:
            return row.ended_at
        case HistoryColumn.DURATION:
            return row.duration_seconds or 0.0
        case _:
            return _text(row, column).casefold()
