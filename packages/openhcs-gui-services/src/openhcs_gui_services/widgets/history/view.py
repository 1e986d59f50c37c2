"""Past runs in a table with a filter, and what changed between two of them; runs them again, opens results."""

import asyncio
from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QModelIndex, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QFontDatabase, QResizeEvent
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPlainTextEdit,
    QSplitter,
    QTableView,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.history import HistoryRow, HistorySource, provenance_text
from openhcs_gui_services.services.history_changes import ComparedRuns, compare_runs, runs_to_compare
from openhcs_gui_services.widgets.common.buttons import OWN_RELOAD, push_button
from openhcs_gui_services.widgets.common.elided_label import ElidedLabel
from openhcs_gui_services.widgets.history.changes import RunChanges
from openhcs_gui_services.widgets.history.model import HistoryColumn, HistoryFilter, HistoryModel

__all__ = ["HistoryModel", "HistoryView"]

_PAGE: Final = 200
_WIDE: Final = 1.6
_EMPTY: Final = "No past runs. Runs and checks appear here when they have ended."


class HistoryView(QWidget):
    """Shows the executions of a :class:`HistorySource`, and what changed between two runs of a plate.

    One selected run is compared with the run before it, two selected ones with each other.

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
        self._shown = HistoryFilter(self)
        self._shown.setSourceModel(self._model)
        self._table = QTableView()
        self._search = QLineEdit()
        self._status = ElidedLabel(_EMPTY)
        self._changes, self._origin = RunChanges(), QPlainTextEdit()
        self._details, self._split = QTabWidget(), QSplitter(Qt.Orientation.Vertical)
        self._again = push_button("Run again", "Run the same pipeline on the same plate again", self.run_again)
        self._open = push_button("Open results", "Open the result folder", self.open_results)
        self._more = push_button("Show older", "Load runs that ended earlier", self.load_older)
        self._refresh = push_button("Refresh", "Reload from the server (F5)", self.load)
        self._tasks = BackgroundTasks(self._on_error)
        self.destroyed.connect(self._tasks.cancel)
        self._asked_for = ""
        self._compared = ComparedRuns()
        self._lay_out()
        self._connect()
        self._show_buttons()
        self._show_changes()

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

    @property
    def changes(self) -> RunChanges:
        """The view of what changed."""
        return self._changes

    def selected_rows(self) -> tuple[HistoryRow, ...]:
        """Return all selected rows."""
        selection = self._table.selectionModel()
        indexes = [] if selection is None else selection.selectedRows()
        return tuple(self._model.row(self._shown.mapToSource(index).row()) for index in indexes)

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

    def sizeHint(self) -> QSize:
        """Return a modest size, so that opening the history moves nothing else."""
        return QSize(600, 220)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the details to the right of the table where there is more width than height."""
        super().resizeEvent(event)
        is_wide = self.width() > _WIDE * self.height()
        self._split.setOrientation(Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical)

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

    def _on_current(self) -> None:
        row = self.selected()
        self._asked_for = "" if row is None else row.execution_id
        self._origin.clear()
        self._show_buttons()
        if row is not None:
            self._tasks.start(self._show_origin(row), "Reading the provenance")

    def _show_changes(self) -> None:
        """Compare what is selected, while the comparison is in front."""
        if self._details.currentWidget() is not self._changes:
            return
        compared = runs_to_compare(self.selected_rows(), self._model.rows)
        if compared == self._compared:
            return
        self._compared = compared
        if compared.problem:
            self._changes.show_difference("", compared.problem)
        else:
            self._changes.show_difference("", f"Comparing runs of {compared.plate} ...")
            self._tasks.start(self._compare(compared), "Comparing runs")

    async def _compare(self, compared: ComparedRuns) -> None:
        found = await compare_runs(compared)
        if compared == self._compared:
            self._changes.show_difference(compared.plate, found)

    def _on_click(self, index: QModelIndex) -> None:
        output = self._model.row(self._shown.mapToSource(index).row()).output
        if index.column() == HistoryColumn.RESULTS and output:
            self.open_results_requested.emit(output)

    def _on_error(self, text: str) -> None:
        self._status.show_text(text)
        self.failed.emit(text)

    def _lay_out(self) -> None:
        table = self._table
        table.setModel(self._shown)
        table.setSortingEnabled(True)
        table.sortByColumn(HistoryColumn.ENDED, Qt.SortOrder.DescendingOrder)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setAccessibleName("Past runs")
        rows, columns = table.verticalHeader(), table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(table.fontMetrics().height() + 6)
        columns.setStretchLastSection(True)
        columns.setHighlightSections(False)
        columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        digit = table.fontMetrics().horizontalAdvance("0")
        for column, width in zip(HistoryColumn, (24, 7, 11, 23, 18, 13, 26, 30), strict=True):
            table.setColumnWidth(column, width * digit)
        self._search.setPlaceholderText("Filter by plate, status or problem")
        self._search.setAccessibleName("Filter")
        self._search.setClearButtonEnabled(True)
        self._origin.setReadOnly(True)
        self._origin.setPlaceholderText("Select a run to see where its results came from.")
        self._origin.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._origin.setAccessibleName("Origin of the results")
        self._details.addTab(self._changes, "What changed")
        self._details.addTab(self._origin, "Origin")
        self._details.setDocumentMode(True)
        self._split.addWidget(table)
        self._split.addWidget(self._details)
        self._split.setStretchFactor(0, 3)
        self._split.setStretchFactor(1, 2)
        self._split.setChildrenCollapsible(False)
        for each in (table, self._origin):
            each.setMinimumSize(120, 60)
        top, bottom = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._search, 1)
        top.addWidget(self._refresh)
        for button in (self._again, self._open, self._more):
            bottom.addWidget(button)
        bottom.addWidget(self._status, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self._split, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        self.setProperty(OWN_RELOAD, True)
        reload = QAction("Refresh", self)
        reload.setShortcut("F5")
        reload.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        reload.triggered.connect(lambda _=False: self._refresh.click())
        self.addAction(reload)
        self._search.textChanged.connect(self._on_search)
        self._table.doubleClicked.connect(lambda _: self.open_results())
        selection = self._table.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(lambda *_: self._on_current())
        selection.selectionChanged.connect(lambda *_: self._show_changes())
        self._details.currentChanged.connect(lambda _: self._show_changes())
        self._table.clicked.connect(self._on_click)

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
        counted = f"{_counted(shown)}" if shown == known else f"{shown} of {_counted(known)}"
        self._status.show_text(counted if known else _EMPTY)


def _counted(number: int) -> str:
    return f"{number} entr{'y' if number == 1 else 'ies'}"
