"""Past executions in a table with a filter, with the provenance of their results; runs them again, opens results."""

import asyncio
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, QSortFilterProxyModel, Qt, pyqtSignal
from PyQt6.QtGui import QFontDatabase, QGuiApplication
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.history import HistoryRow, HistorySource, provenance_text
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import tone_colour

__all__ = ["HistoryModel", "HistoryView"]

_PAGE: Final = 200
_EMPTY: Final = "No past executions. Finished runs appear here."


class _Column(IntEnum):
    PLATE = 0
    WHAT = 1
    STATUS = 2
    WELLS = 3
    ENDED = 4
    DURATION = 5
    ERROR = 6


_HEADERS: Final = ("Plate", "What", "Status", "Wells", "Ended", "Duration", "Error")


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
    def oldest(self) -> float | None:
        """End of the last row's execution, in seconds since the epoch; None without rows."""
        return self._rows[-1].ended_at if self._rows else None

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of executions."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of columns: plate, what was done, status, wells, end, duration, error."""
        return 0 if parent.isValid() else len(_Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation is Qt.Orientation.Horizontal:
            return _HEADERS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text, tooltip or colour of a cell, or its sort key for ``UserRole``."""
        row, column = self._rows[index.row()], _Column(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(row, column)
        if role == Qt.ItemDataRole.UserRole:
            return _sort_key(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.error if column is _Column.ERROR else f"{row.plate_path}\nexecution {row.execution_id}"
        if role == Qt.ItemDataRole.ForegroundRole and column is _Column.STATUS and row.tone is not Tone.NEUTRAL:
            return tone_colour(row.tone, QGuiApplication.palette())
        return None


class HistoryView(QWidget):
    """Shows the executions of a :class:`HistorySource`.

    Except for ``show_rows``, the methods need an asyncio loop that runs on Qt's event loop.

    Args:
        source: where the rows come from; can be set later with :meth:`set_source`.
        parent: the parent widget.
    """

    run_again_done = pyqtSignal(str)
    """An execution was run again: the id of the new execution."""
    open_results_requested = pyqtSignal(str)
    """Results should be opened: their folder."""
    failed = pyqtSignal(str)
    """An action failed: one line for a status bar."""

    def __init__(self, source: HistorySource | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._model = HistoryModel(self)
        self._shown = _Filter(self)
        self._shown.setSourceModel(self._model)
        self._table = QTableView()
        self._search = QLineEdit()
        self._status = QLabel(_EMPTY)
        self._origin = QPlainTextEdit()
        self._again = push_button("Run again", "Run the same pipeline on the same plate again", self.run_again)
        self._open = push_button("Open results", "Open the result folder", self.open_results)
        self._more = push_button("Show older", "Load executions that ended earlier", self.load_older)
        self._refresh = push_button("Refresh", "Reload from the server (F5)", self.load)
        self._tasks = BackgroundTasks(self._on_error)
        self.destroyed.connect(self._tasks.cancel)
        self._asked_for = ""
        self._lay_out()
        self._connect()
        self._show_buttons()

    @property
    def table(self) -> QTableView:
        """The table view."""
        return self._table

    def set_source(self, source: HistorySource) -> None:
        """Set where the rows come from; nothing is loaded before :meth:`load` is called."""
        self._source = source
        self._show_buttons()

    def show_rows(self, rows: Sequence[HistoryRow]) -> None:
        """Show exactly these rows, keeping the selection."""
        selected = self.selected()
        self._model.set_rows(rows)
        if selected is not None:
            self.select(selected.execution_id)
        self._show_buttons()

    def selected(self) -> HistoryRow | None:
        """Return the selected row; None if there is none."""
        index = self._table.currentIndex()
        return self._model.row(self._shown.mapToSource(index).row()) if index.isValid() else None

    def select(self, execution_id: str) -> None:
        """Select an execution, if it is shown."""
        for number in range(self._shown.rowCount()):
            index = self._shown.index(number, 0)
            if self._model.row(self._shown.mapToSource(index).row()).execution_id == execution_id:
                self._table.setCurrentIndex(index)

    def set_filter(self, text: str) -> None:
        """Show only executions that contain this text."""
        self._search.setText(text)

    def origin_text(self) -> str:
        """Return the shown provenance of the selected execution's results."""
        return self._origin.toPlainText()

    def load(self) -> None:
        """Load the latest executions."""
        if self._source is not None:
            self._tasks.start(self._load(self._source, None), "Reading the history")

    def load_older(self) -> None:
        """Load executions that ended before the shown ones."""
        if self._source is not None:
            self._tasks.start(self._load(self._source, self._model.oldest), "Reading the history")

    def run_again(self) -> None:
        """Submit the selected execution again."""
        row = self.selected()
        if row is not None and self._source is not None:
            self._tasks.start(self._run_again(self._source, row.execution_id), "Running again")

    def open_results(self) -> None:
        """Request to open the results of the selected execution, with a signal."""
        row = self.selected()
        if row is not None and row.output:
            self.open_results_requested.emit(row.output)

    # --- parts ---------------------------------------------------------------------------------------------------

    async def _load(self, source: HistorySource, before: float | None) -> None:
        rows = await source.rows(_PAGE, before)
        if before is None:
            self.show_rows(rows)
        else:
            self._model.add_rows(rows)
            self._show_buttons()
        self._more.setEnabled(len(rows) == _PAGE)

    async def _run_again(self, source: HistorySource, execution_id: str) -> None:
        self.run_again_done.emit(await source.run_again(execution_id))

    async def _show_origin(self, row: HistoryRow) -> None:
        text = await asyncio.to_thread(provenance_text, row.output)
        if self._asked_for == row.execution_id:
            self._origin.setPlainText(text)

    def _on_selected(self) -> None:
        row = self.selected()
        self._asked_for = "" if row is None else row.execution_id
        self._origin.clear()
        self._show_buttons()
        if row is not None:
            self._tasks.start(self._show_origin(row), "Reading the provenance")

    def _on_error(self, text: str) -> None:
        self._status.setText(text)
        self.failed.emit(text)

    def _lay_out(self) -> None:
        table = self._table
        table.setModel(self._shown)
        table.setSortingEnabled(True)
        table.sortByColumn(_Column.ENDED, Qt.SortOrder.DescendingOrder)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Past executions")
        rows, columns = table.verticalHeader(), table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(table.fontMetrics().height() + 6)
        columns.setStretchLastSection(True)
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in zip(_Column, (170, 60, 90, 150, 150, 90, 200), strict=True):
            table.setColumnWidth(column, width)
        self._search.setPlaceholderText("Filter by plate, status or error")
        self._search.setAccessibleName("Filter")
        self._search.setClearButtonEnabled(True)
        self._origin.setReadOnly(True)
        self._origin.setPlaceholderText("Select an execution to see where its results came from.")
        self._origin.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._origin.setAccessibleName("Origin of the results")
        self._status.setTextFormat(Qt.TextFormat.PlainText)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(table)
        split.addWidget(self._origin)
        split.setSizes([300, 180])
        split.setChildrenCollapsible(False)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._search, 1)
        top.addWidget(self._refresh)
        for button in (self._again, self._open, self._more):
            bottom.addWidget(button)
        bottom.addWidget(self._status, 1, Qt.AlignmentFlag.AlignRight)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(split, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        self._refresh.setShortcut("F5")
        self._search.textChanged.connect(self._on_search)
        self._table.doubleClicked.connect(lambda _: self.open_results())
        selection = self._table.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(lambda *_: self._on_selected())

    def _on_search(self, text: str) -> None:
        self._shown.set_text(text)
        self._show_buttons()

    def _show_buttons(self) -> None:
        row = self.selected()
        self._again.setEnabled(row is not None and self._source is not None)
        self._open.setEnabled(row is not None and bool(row.output))
        self._refresh.setEnabled(self._source is not None)
        self._more.setEnabled(self._more.isEnabled() and self._source is not None)
        shown, known = self._shown.rowCount(), self._model.rowCount()
        counted = f"{shown} executions" if shown == known else f"{shown} of {known} executions"
        self._status.setText(counted if known else _EMPTY)


class _Filter(QSortFilterProxyModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSortRole(Qt.ItemDataRole.UserRole)

    def set_text(self, text: str) -> None:
        self._text = text
        self.invalidateFilter()

    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex) -> bool:
        model = self.sourceModel()
        return not self._text or (isinstance(model, HistoryModel) and model.row(source_row).matches(self._text))


def _text(row: HistoryRow, column: _Column) -> str:
    match column:
        case _Column.PLATE:
            return row.name
        case _Column.WHAT:
            return row.what
        case _Column.STATUS:
            return row.status.value.capitalize()
        case _Column.WELLS:
            return row.wells
        case _Column.ENDED:
            return row.ended_text
        case _Column.DURATION:
            return row.duration
        case _Column.ERROR:
            return row.error


def _sort_key(row: HistoryRow, column: _Column) -> str | float:
    match column:
        case _Column.ENDED:
            return row.ended_at
        case _Column.DURATION:
            return row.duration_seconds or 0.0
        case _:
            return _text(row, column).casefold()
