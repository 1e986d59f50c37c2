"""The measurements of the picked object: a list of names and values that can be copied."""

from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.objects import ObjectValues

__all__ = ["ObjectTable"]

_ROWS = 6
"""Rows that are seen at once."""


class ObjectTable(QFrame):
    """Shows one object. Ctrl+C copies the selected rows, or all of them."""

    closed = Signal()
    """The close button was clicked."""
    resized = Signal()
    """It needs another height."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QElidingLabel()
        self._note = QLabel()
        self._note.setWordWrap(True)
        self._note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._table = self._make_table()
        close = QToolButton()
        close.setText("\u00d7")
        close.setAutoRaise(True)
        close.setToolTip("Close (Esc)")
        close.setAccessibleName("Close the measurements of the object")
        close.clicked.connect(self.closed)
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(close)
        box = QVBoxLayout(self)
        box.setContentsMargins(6, 4, 6, 6)
        box.setSpacing(2)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        box.addLayout(head)
        box.addWidget(self._note)
        box.addWidget(self._table)

    def show_object(self, title: str, found: "ObjectValues | None") -> None:
        """Show an object; None while it is being read."""
        self._title.setText(title)
        values = () if found is None else found.values
        self._note.setText("Reading its measurements" if found is None else found.problem)
        self._note.setVisible(bool(self._note.text()))
        self._table.setVisible(bool(values))
        self._table.setRowCount(len(values))
        for row, pair in enumerate(values):
            for column, text in enumerate(pair):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self._table.setItem(row, column, item)
        if values:
            self._table.setMaximumHeight(
                min(_ROWS, len(values)) * self._table.rowHeight(0) + 2 * self._table.frameWidth()
            )
        self.resized.emit()

    def text(self) -> str:
        """Return the selected rows, or all of them, as lines with tabs."""
        picked = sorted({index.row() for index in self._table.selectedIndexes()}) or range(self._table.rowCount())
        return "\n".join("\t".join(self._cell(row, column) for column in (0, 1)) for row in picked)

    def copy(self) -> bool:
        """Put :meth:`text` on the clipboard; return whether there is any."""
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        if text := self.text():
            clipboard.setText(text)
        return bool(text)

    def _cell(self, row: int, column: int) -> str:
        item = self._table.item(row, column)
        return "" if item is None else item.text()

    def _make_table(self) -> QTableWidget:
        table = _Copied(self)
        table.setColumnCount(2)
        table.setAccessibleName("Measurements of the object")
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        for header in (table.verticalHeader(), table.horizontalHeader()):
            assert header is not None
            header.hide()
        rows, columns = table.verticalHeader(), table.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.setDefaultSectionSize(table.fontMetrics().height() + 4)
        columns.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        columns.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        return table


class _Copied(QTableWidget):
    """A table whose rows can be copied."""

    def __init__(self, owner: ObjectTable) -> None:
        super().__init__(owner)
        self._owner = owner

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Copy, or do as any table does."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self._owner.copy()
        elif event is not None and event.key() == Qt.Key.Key_Escape:
            self._owner.closed.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """Offer to copy."""
        if event is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        copy = menu.addAction("&Copy")
        assert copy is not None
        copy.triggered.connect(self._owner.copy)
        menu.popup(event.globalPos())
