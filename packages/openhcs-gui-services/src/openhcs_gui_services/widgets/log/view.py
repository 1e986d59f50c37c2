"""A log view: live lines of many executions with search and level filter, responsive with a million lines."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from PyQt6.QtCore import Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QAction, QFont, QFontDatabase, QFontMetrics, QGuiApplication, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMessageBox,
    QScrollBar,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.log import LogFilter, LogLines, entry_text
from openhcs_gui_services.widgets.log.model import LogColumn, LogModel
from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.exceptions import OutputError
from zmqruntime.messages import LogLevel, LogLine

__all__ = ["LogView"]

_FRAME_MS: Final = 33
_BUDGET_SECONDS: Final = 0.004
_LEVEL_NAMES: Final = {
    LogLevel.DEBUG: "All levels",
    LogLevel.INFO: "Info and above",
    LogLevel.WARNING: "Warnings and above",
    LogLevel.ERROR: "Errors and above",
    LogLevel.CRITICAL: "Critical only",
}


class LogView(QWidget):
    """Shows the log lines of executions as they arrive.

    Pass lines to :meth:`add_line` or :meth:`add_lines` on Qt's thread; they appear within a frame or two. The view
    follows the end until the user scrolls up, and again once the user scrolls back to the end. Ctrl+F searches, Ctrl+C
    copies the selected lines.

    Args:
        lines: storage for the lines, with its limits; lines that it already has are shown [default: a new one]. From
            then on only the view may add lines to it.
        parent: the parent widget.
    """

    filter_changed = pyqtSignal(object)
    """The new :class:`LogFilter`."""

    def __init__(self, lines: LogLines | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        kept = LogLines() if lines is None else lines
        self._model = LogModel(kept, max_waiting=1_000_000, parent=self)
        self._names: dict[str, str] = {}
        self._known: tuple[str, ...] = ()
        self._follows = True
        self._moves_itself = False
        self._scrolled_at = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._on_frame)
        self._execution = QComboBox()
        self._level = QComboBox()
        self._axis_id: str | None = None
        self._axis = _button("", "Show lines of all wells again", lambda: self.show_axis(None))
        self._search = QLineEdit()
        self._count = QLabel()
        self._table = _make_table(self._model, self)
        self._bar = _scroll_bar(self._table)
        self._end = _button("To the end", "Go to the newest lines and follow them (Ctrl+End)", self.follow)
        self._lay_out()
        self._connect()
        self._model.set_filter(LogFilter())
        self._work_later(0)
        self._show_count()

    # --- contents ------------------------------------------------------------------------------------------------

    @property
    def model(self) -> LogModel:
        """The model of the rows."""
        return self._model

    def add_line(self, line: LogLine) -> None:
        """Add one line."""
        self.add_lines((line,))

    def add_lines(self, lines: Iterable[LogLine]) -> None:
        """Add lines. Returns quickly: they are only queued and added to the table in small portions."""
        self._model.give(lines)
        self._work_later(_FRAME_MS)

    def set_execution_name(self, execution_id: str, name: str) -> None:
        """Set the shown name of an execution, such as the name of its plate."""
        self._names[execution_id] = name
        self._model.names = self._names
        self._known = ()
        self._show_executions()
        viewport = self._table.viewport()
        assert viewport is not None
        viewport.update()

    def show_execution(self, execution_id: str | None) -> None:
        """Show only lines of one execution, or of all if None."""
        if execution_id is not None and self._execution.findData(execution_id) < 0:
            self._execution.addItem(self._names.get(execution_id, execution_id[:8]), execution_id)
        self._execution.setCurrentIndex(self._execution.findData(execution_id))

    def show_axis(self, axis_id: str | None) -> None:
        """Show only lines of one axis, that is a well, or of all if None."""
        self._axis_id = axis_id
        self._axis.setText(f"Well {axis_id}  \N{MULTIPLICATION SIGN}")
        self._axis.setVisible(axis_id is not None)
        self._apply_filter()

    def set_filter(self, wanted: LogFilter) -> None:
        """Show only lines that match ``wanted``."""
        self.show_execution(wanted.execution_id)
        self.show_axis(wanted.axis_id)
        self._level.setCurrentIndex(self._level.findData(wanted.level))
        self._search.setText(wanted.text)

    def clear(self) -> None:
        """Remove all lines."""
        self._model.clear()
        self._show_executions()
        self._show_count()

    @property
    def follows_end(self) -> bool:
        """Whether the view keeps showing the newest line."""
        return self._follows

    def follow(self) -> None:
        """Show the newest line and follow the end."""
        self._follows = True
        self._table.scrollToBottom()
        self._show_count()

    def selected_text(self) -> str:
        """Return the selected lines as text."""
        selection = self._table.selectionModel()
        assert selection is not None
        rows = sorted(index.row() for index in selection.selectedRows())
        return "\n".join(entry_text(entry) for row in rows if (entry := self._model.entry(row)))

    def copy(self) -> None:
        """Copy the selected lines to the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None and (text := self.selected_text()):
            clipboard.setText(text)

    def save(self, path: Path) -> None:
        """Write the shown lines to a file, atomically.

        Raises:
            OutputError: the file can't be written.
        """
        with atomic_file(path) as file:
            for line in self._shown_lines():
                file.write(f"{line}\n".encode())

    def ask_and_save(self) -> None:
        """Ask for a file and write the shown lines to it."""
        name, _ = QFileDialog.getSaveFileName(self, "Save log", "log.txt", "Text (*.txt *.log);;All files (*)")
        if not name:
            return
        try:
            self.save(Path(name))
        except OutputError as error:
            QMessageBox.warning(self, "Save log", f"The log was not saved: {error}")

    # --- parts ---------------------------------------------------------------------------------------------------

    def _shown_lines(self) -> Iterator[str]:
        for row in range(self._model.rowCount()):
            entry = self._model.entry(row)
            if entry is not None:
                yield entry_text(entry)

    def _lay_out(self) -> None:
        self._execution.addItem("All executions", None)
        self._execution.setAccessibleName("Execution")
        self._execution.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._execution.setMinimumContentsLength(14)
        for level, name in _LEVEL_NAMES.items():
            self._level.addItem(name, level)
        self._level.setAccessibleName("Level")
        self._search.setPlaceholderText("Search (Ctrl+F)")
        self._search.setAccessibleName("Search")
        self._search.setClearButtonEnabled(True)
        top = QHBoxLayout()
        self._axis.hide()
        for widget in (self._execution, self._axis, self._level):
            top.addWidget(widget)
        top.addWidget(self._search, 1)
        top.addWidget(_button("Save...", "Save the shown lines to a file (Ctrl+S)", self.ask_and_save))
        top.addWidget(_button("Clear", "Remove all lines from this view; the server keeps its log", self.clear))
        bottom = QHBoxLayout()
        bottom.addWidget(self._count, 1)
        bottom.addWidget(self._end)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(top)
        layout.addWidget(self._table, 1)
        layout.addLayout(bottom)

    def _connect(self) -> None:
        for box in (self._execution, self._level):
            box.currentIndexChanged.connect(self._apply_filter)
        self._search.textChanged.connect(self._apply_filter)
        self._bar.valueChanged.connect(lambda _: self._note_scrolling())
        standard = QKeySequence.StandardKey
        keys: tuple[tuple[QKeySequence.StandardKey, Callable[[], object]], ...] = (
            (standard.Find, self._search.setFocus),
            (standard.Copy, self.copy),
            (standard.Save, self.ask_and_save),
        )
        for key, call in keys:
            action = QAction(self)
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, call=call: call())
            self.addAction(action)

    def _work_later(self, milliseconds: int) -> None:
        if not self._timer.isActive():
            self._timer.start(milliseconds)

    def _on_frame(self) -> None:
        self._moves_itself = True
        gone = self._model.work(_BUDGET_SECONDS)
        is_due = time.perf_counter() - self._scrolled_at > _FRAME_MS / 1000
        if self._follows and (is_due or not self._model.has_work):
            self._table.scrollToBottom()
            self._scrolled_at = time.perf_counter()
        elif gone and not self._follows:
            self._bar.setValue(self._bar.value() - gone)  # keep the visible lines in place
        self._moves_itself = False
        self._show_executions()
        self._show_count()
        if self._model.has_work:
            self._work_later(4)

    def _apply_filter(self) -> None:
        wanted = LogFilter(self._execution.currentData(), self._level.currentData(), self._search.text(), self._axis_id)
        if wanted == self._model.lines.filter:
            return
        self._model.set_filter(wanted)
        self._work_later(0)
        self.filter_changed.emit(wanted)

    def _note_scrolling(self) -> None:
        """Stop following the end when the user scrolls up; resume when the user scrolls back to it."""
        if not self._moves_itself:
            self._follows = self._bar.value() >= self._bar.maximum()
            self._end.setEnabled(not self._follows)

    def _show_executions(self) -> None:
        known = self._model.lines.executions
        if known == self._known:
            return
        self._known = known
        chosen = self._execution.currentData()
        self._execution.blockSignals(True)
        self._execution.clear()
        self._execution.addItem("All executions", None)
        for execution_id in dict.fromkeys((*known, *([chosen] if chosen else []))):
            self._execution.addItem(self._names.get(execution_id, execution_id[:8]), execution_id)
        self._execution.setCurrentIndex(max(0, self._execution.findData(chosen)))
        self._execution.blockSignals(False)

    def _show_count(self) -> None:
        shown, kept = self._model.rowCount(), len(self._model.lines)
        text = f"{shown:,} lines" if shown == kept else f"{shown:,} of {kept:,} lines"
        if kept == 0:
            text = "No lines yet. They appear here while plates are running."
        elif self._model.lines.first_number:
            text += ", older lines were discarded"
        self._count.setText(text)
        self._end.setEnabled(not self._follows)


def _make_table(model: LogModel, parent: QWidget) -> QTableView:
    table = QTableView(parent)
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    table.setFont(font)
    table.setModel(model)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTabKeyNavigation(False)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setAccessibleName("Log lines")
    rows, columns = table.verticalHeader(), table.horizontalHeader()
    assert rows is not None
    assert columns is not None
    rows.hide()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setDefaultSectionSize(QFontMetrics(font).height() + 2)
    columns.setStretchLastSection(True)
    columns.setHighlightSections(False)
    columns.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for column, sample in (
        (LogColumn.TIME, "00:00:00.000"),
        (LogColumn.LEVEL, "CRITICAL"),
        (LogColumn.EXECUTION, "M" * 14),
        (LogColumn.WELL, "AF48"),
    ):
        table.setColumnWidth(column, _width(font, sample))
    return table


def _scroll_bar(table: QTableView) -> QScrollBar:
    bar = table.verticalScrollBar()
    assert bar is not None
    return bar


def _width(font: QFont, sample: str) -> int:
    return QFontMetrics(font).horizontalAdvance(sample) + 16


def _button(text: str, tip: str, call: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.clicked.connect(lambda _=False: call())
    return button
