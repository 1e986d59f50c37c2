"""A bar to find and replace text in an editor."""

from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QKeyEvent, QTextCursor, QTextDocument
from PyQt6.QtWidgets import QGridLayout, QLineEdit, QPlainTextEdit, QToolButton, QWidget

from openhcs_gui_services.widgets.pipeline.notes import Note

__all__ = ["FindBar"]


class FindBar(QWidget):
    """Finds text in an editor, ignoring case, and replaces it; hidden until :meth:`open`."""

    def __init__(self, editor: QPlainTextEdit, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._editor = editor
        self.wanted, self.replacement = QLineEdit(), QLineEdit()
        self.wanted.setAccessibleName("Find")
        self.wanted.setPlaceholderText("Find")
        self.wanted.setClearButtonEnabled(True)
        self.replacement.setAccessibleName("Replace with")
        self.replacement.setPlaceholderText("Replace with")
        self.count = Note()
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.wanted, 0, 0)
        layout.addWidget(_button("▲", "Previous (Shift+Return)", lambda: self.next(backwards=True)), 0, 1)
        layout.addWidget(_button("▼", "Next (Return, F3)", self.next), 0, 2)
        layout.addWidget(_button("✕", "Close (Escape)", self.close_bar), 0, 3)
        layout.addWidget(self.replacement, 1, 0)
        layout.addWidget(_button("Replace", "Replace this one and go to the next", self.replace), 1, 1, 1, 2)
        layout.addWidget(_button("All", "Replace all", self.replace_all), 1, 3)
        layout.addWidget(self.count, 2, 0, 1, 4)
        self.wanted.textChanged.connect(lambda _: self._search_again())
        self.hide()

    def open(self) -> None:
        """Show the bar, with the selected text if there is some."""
        selected = self._editor.textCursor().selectedText()
        if selected and "\u2029" not in selected:
            self.wanted.setText(selected)
        self.show()
        self.wanted.selectAll()
        self.wanted.setFocus()
        self._show_count()

    def close_bar(self) -> None:
        """Hide the bar and go back to the text."""
        self.hide()
        self._editor.setFocus()

    def next(self, *, backwards: bool = False) -> bool:
        """Select the next match, from the start again after the last one; return whether there is one."""
        text = self.wanted.text()
        if not text:
            return False
        flags = QTextDocument.FindFlag.FindBackward if backwards else QTextDocument.FindFlag(0)
        if self._editor.find(text, flags):
            return True
        cursor = self._editor.textCursor()
        operation = QTextCursor.MoveOperation
        cursor.movePosition(operation.End if backwards else operation.Start)
        before = self._editor.textCursor()
        self._editor.setTextCursor(cursor)
        if self._editor.find(text, flags):
            return True
        self._editor.setTextCursor(before)
        return False

    def replace(self) -> None:
        """Replace the selected match and go to the next one."""
        cursor = self._editor.textCursor()
        if self.wanted.text() and cursor.selectedText().casefold() == self.wanted.text().casefold():
            cursor.insertText(self.replacement.text())
        self.next()
        self._show_count()

    def replace_all(self) -> None:
        """Replace all matches, as one edit."""
        document = self._editor.document()
        text = self.wanted.text()
        if document is None or not text:
            return
        edit = QTextCursor(document)
        edit.beginEditBlock()
        found = document.find(text, 0)
        while not found.isNull():
            found.insertText(self.replacement.text())
            found = document.find(text, found.position())
        edit.endEditBlock()
        self._show_count()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Go to the next or previous match with Return, close with Escape."""
        if event is None:
            return
        if event.key() == Qt.Key.Key_Escape:
            self.close_bar()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self.replacement.hasFocus():
                self.replace()
            else:
                self.next(backwards=bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        else:
            super().keyPressEvent(event)

    def _search_again(self) -> None:
        """Select the first match from where the current one begins, so that typing on keeps it."""
        cursor = self._editor.textCursor()
        cursor.setPosition(cursor.selectionStart())
        self._editor.setTextCursor(cursor)
        self.next()
        self._show_count()

    def _show_count(self) -> None:
        text = self.wanted.text().casefold()
        count = self._editor.toPlainText().casefold().count(text) if text else 0
        self.count.setText(("1 match" if count == 1 else f"{count} matches") if text else "")


def _button(text: str, tip: str, call: Callable[[], object]) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(tip)
    button.clicked.connect(lambda _=False: call() and None)
    return button
