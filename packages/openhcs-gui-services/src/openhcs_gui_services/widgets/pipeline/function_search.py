"""A dialog to find a function by name, by what it does or by what it is for, with its documentation."""

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.pipeline.docstrings import plain, to_html
from openhcs_gui_services.services.pipeline.function_search import FunctionIndex
from openhcs_gui_services.services.pipeline.step_form import FunctionInfo
from openhcs_gui_services.widgets.pipeline.function_delegate import FunctionDelegate

__all__ = ["FunctionSearch"]

_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_WIDE_FROM = 30
"""Width, in lines of text, from which list and documentation are side by side."""


class FunctionSearch(QDialog):
    """Lists functions; the chosen one is emitted, and the dialog closes.

    Args:
        functions: the functions.
        title: what is done with the chosen one, such as "Add step".
        parent: the parent widget.
    """

    chosen = pyqtSignal(object)
    """The :class:`FunctionInfo`."""

    def __init__(self, functions: Sequence[FunctionInfo], title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._index = FunctionIndex(functions)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.typed = QLineEdit()
        self.typed.setPlaceholderText("Type what it should do: nuclei, count, blur, background, track …")
        self.typed.setAccessibleName("Find a function")
        self.typed.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Functions")
        self.list.setItemDelegate(FunctionDelegate(self.list))
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMinimumWidth(160)
        self.docs = QTextBrowser()
        self.docs.setAccessibleName("Documentation of the function")
        self._split = QSplitter()
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self.list)
        self._split.addWidget(self.docs)
        layout = QVBoxLayout(self)
        layout.addWidget(self.typed)
        layout.addWidget(self._split, 1)
        layout.addWidget(self._buttons(title))
        self._connect()
        self._show()
        height = self.fontMetrics().height()
        screen = self.screen()
        room = QSize(1000, 700) if screen is None else screen.availableSize()
        self.resize(min(height * 42, room.width() - 80), min(height * 28, room.height() - 120))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Move in the list with the arrow keys while typing."""
        is_press = isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress
        if watched is self.typed and isinstance(event, QKeyEvent) and is_press and event.key() in _MOVES:
            QApplication.sendEvent(self.list, event)
            return True
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Put the documentation below the list if there is little room."""
        super().resizeEvent(event)
        is_wide = self.width() >= self.fontMetrics().height() * _WIDE_FROM
        self._split.setOrientation(Qt.Orientation.Horizontal if is_wide else Qt.Orientation.Vertical)

    def _buttons(self, title: str) -> QDialogButtonBox:
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._add = buttons.addButton(title, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        return buttons

    def _connect(self) -> None:
        self.typed.installEventFilter(self)
        self.typed.textChanged.connect(lambda _: self._show())
        self.list.itemActivated.connect(lambda _: self._choose())
        self.list.currentItemChanged.connect(lambda *_: self._show_docs())

    def _show(self) -> None:
        self.list.clear()
        for info in self._index.find(self.typed.text()):
            item = QListWidgetItem(info.title)
            item.setData(Qt.ItemDataRole.UserRole, info)
            item.setToolTip(plain(info.summary))
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self._show_docs()

    def _current(self) -> FunctionInfo | None:
        item = self.list.currentItem()
        info = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        return info if isinstance(info, FunctionInfo) else None

    def _show_docs(self) -> None:
        info = self._current()
        if self._add is not None:
            self._add.setEnabled(info is not None)
        if info is None:
            self.docs.setHtml("<p>No function fits all of these words. Try fewer, or others.</p>")
            return
        place = info.module or "this file"
        body = to_html(info.help, [each.name for each in info.parameters]) or "<p>It has no documentation.</p>"
        self.docs.setHtml(f"<h3>{info.title}</h3><p><code>{info.name}</code> in {place}</p>{body}")

    def _choose(self) -> None:
        info = self._current()
        if info is not None:
            self.chosen.emit(info)
            self.accept()
