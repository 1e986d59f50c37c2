"""Model of the lines in a log view; lines are added and filtered a few milliseconds at a time."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PyQt6.QtGui import QColor, QGuiApplication, QPalette

from openhcs_gui_services.services.log import LogEntry, LogFilter, LogLines
from zmqruntime.messages import LogLevel, LogLine

__all__ = ["LogColumn", "LogModel"]

_CHUNK: Final = 500
_SHOWN_CHARACTERS: Final = 2_000
_DARK: Final = {LogLevel.WARNING: "#e0a93b", LogLevel.ERROR: "#ff7b72", LogLevel.CRITICAL: "#ff7b72"}
_LIGHT: Final = {LogLevel.WARNING: "#8a5a00", LogLevel.ERROR: "#b3261e", LogLevel.CRITICAL: "#b3261e"}


class LogColumn(IntEnum):
    """Columns of the table."""

    TIME = 0
    LEVEL = 1
    EXECUTION = 2
    WELL = 3
    TEXT = 4


_HEADERS: Final = {
    LogColumn.TIME: "Time",
    LogColumn.LEVEL: "Level",
    LogColumn.EXECUTION: "Execution",
    LogColumn.WELL: "Well",
    LogColumn.TEXT: "Message",
}


class LogModel(QAbstractTableModel):
    """Table model with one row for each line of a :class:`LogLines` that matches the filter.

    New lines wait until :meth:`work` adds them, a few milliseconds' worth at a time.

    Args:
        lines: where lines are kept.
        max_waiting: maximum number of waiting lines; beyond it the oldest ones are lost.
        parent: the parent object.
    """

    def __init__(self, lines: LogLines, max_waiting: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.lines = lines
        self.names: Mapping[str, str] = {}
        self._waiting: deque[LogLine] = deque(maxlen=max_waiting)
        self._rows = 0
        self._looked_up: LogEntry | None = None

    @property
    def has_work(self) -> bool:
        """Whether there are lines that have not been added or filtered yet."""
        return bool(self._waiting) or not self.lines.is_scanned

    def give(self, lines: Iterable[LogLine]) -> None:
        """Queue lines for :meth:`work`; beyond ``max_waiting`` the oldest ones are lost."""
        self._waiting.extend(lines)

    def work(self, seconds: float) -> int:
        """Add and filter waiting lines for up to ``seconds`` and show the matches.

        Returns:
            The number of rows that were removed at the start.
        """
        gone = 0
        deadline = time.perf_counter() + seconds
        while self.has_work and time.perf_counter() < deadline:
            taken = min(_CHUNK, len(self._waiting))
            self.lines.add(self._waiting.popleft() for _ in range(taken))
            dropped = self.lines.found_dropped
            if dropped:
                # Removed rows must be gone from the model before the view is notified.
                self.beginRemoveRows(QModelIndex(), 0, dropped - 1)
                self._rows -= dropped
                gone += dropped
            before = self._rows
            self.lines.scan(4 * _CHUNK)
            if dropped:
                self.endRemoveRows()
            self._show_found(before)
        return gone

    def set_filter(self, wanted: LogFilter) -> None:
        """Show only lines that match ``wanted``, as :meth:`work` finds them."""
        self.beginResetModel()
        self.lines.set_filter(wanted)
        self._rows = 0
        self.endResetModel()

    def clear(self) -> None:
        """Remove all lines."""
        self.beginResetModel()
        self._waiting.clear()
        self.lines.clear()
        self._rows = 0
        self.endResetModel()

    def entry(self, row: int) -> LogEntry | None:
        """Return the line of a row; None if it is no longer kept."""
        try:
            number = self.lines.found_number(row)
            if self._looked_up is None or self._looked_up.number != number:
                self._looked_up = self.lines.entry(number)  # a view asks a dozen times for the same row
        except (IndexError, KeyError):
            return None
        return self._looked_up

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of shown lines."""
        return 0 if parent.isValid() else self._rows

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of columns: time, level, execution, well, message."""
        return 0 if parent.isValid() else len(LogColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return _HEADERS[LogColumn(section)]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, its colour, or the whole line as its tooltip."""
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ForegroundRole, Qt.ItemDataRole.ToolTipRole):
            return None
        entry = self.entry(index.row())
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(entry, LogColumn(index.column()))
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.text[:_SHOWN_CHARACTERS] if index.column() == LogColumn.TEXT else entry.execution_id
        return _colour(entry.level)

    def _text(self, entry: LogEntry, column: LogColumn) -> str:
        match column:
            case LogColumn.TIME:
                return datetime.fromtimestamp(entry.timestamp).strftime("%H:%M:%S.%f")[:-3]
            case LogColumn.LEVEL:
                return entry.level.upper()
            case LogColumn.EXECUTION:
                return self.names.get(entry.execution_id, entry.execution_id[:8])
            case LogColumn.WELL:
                return entry.axis_id
            case LogColumn.TEXT:
                return entry.text[:_SHOWN_CHARACTERS]

    def _show_found(self, before: int) -> None:
        after = self.lines.found
        if after > before:
            self.beginInsertRows(QModelIndex(), before, after - 1)
            self._rows = after
            self.endInsertRows()


def _colour(level: LogLevel) -> QColor | None:
    """Return a colour for the level that is readable on the palette's background; None for the normal one."""
    is_dark = QGuiApplication.palette().color(QPalette.ColorRole.Base).lightness() < 128
    name = (_DARK if is_dark else _LIGHT).get(level)
    if level is LogLevel.DEBUG:
        return QGuiApplication.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    return None if name is None else QColor(name)
