"""Text editor for Python source with line numbers, marked problems and automatic indentation."""

from collections.abc import Iterable
from typing import Final

from PyQt6.QtCore import QEvent, QRect, QSize, Qt
from PyQt6.QtGui import (
    QColor,
    QFontDatabase,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PyQt6.QtWidgets import QPlainTextDocumentLayout, QPlainTextEdit, QTextEdit, QWidget

from openhcs_gui_services.services.pipeline.problems import Problem
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import blend, faint_text, tone_colour
from openhcs_gui_services.widgets.common.text import utf16_length
from openhcs_gui_services.widgets.pipeline.highlighter import PythonHighlighter

__all__ = ["CodeEditor"]

_INDENT: Final = "    "
_MARGIN: Final = 6
_DOT: Final = 8


class CodeEditor(QPlainTextEdit):
    """Editor for Python source with syntax highlighting; :meth:`show_problems` marks lines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setTabStopDistance(self.fontMetrics().horizontalAdvance(_INDENT))
        self.setAccessibleName("Pipeline source")
        document = self.new_document()
        self.setDocument(document)
        self._highlighter = PythonHighlighter(document, self.palette())
        self._highlighter.setParent(self)
        self._problems: dict[int, Problem] = {}
        self._gutter = _Gutter(self)
        self.blockCountChanged.connect(lambda _: self._fit_gutter())
        self.updateRequest.connect(self._on_update)
        self.cursorPositionChanged.connect(self._mark)
        self._fit_gutter()
        self._mark()

    @property
    def current_line(self) -> int:
        """Line of the cursor, from 1."""
        return self.textCursor().blockNumber() + 1

    def new_document(self) -> QTextDocument:
        """Return an empty document of this editor, for :meth:`show_document`."""
        made = QTextDocument(self)
        made.setDocumentLayout(QPlainTextDocumentLayout(made))
        shown = self.document()
        if shown is not None:
            made.setDefaultFont(shown.defaultFont())
            made.setDefaultTextOption(shown.defaultTextOption())
        return made

    def show_document(self, document: QTextDocument) -> None:
        """Edit another document, with its own history."""
        if document is not self.document():
            self._problems = {}
            self._highlighter.setDocument(document)
            self.setDocument(document)
            self._fit_gutter()

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Mark the lines of exactly these problems."""
        self._problems = {problem.line: problem for problem in problems if problem.line is not None}
        self._mark()
        self._gutter.update()

    def problem_at(self, line: int) -> Problem | None:
        """Return the problem marked on a line, from 1; None if there is none."""
        return self._problems.get(line)

    def go_to(self, line: int, column: int | None = None) -> None:
        """Move the cursor to a line and column, both from 1, scroll it into view and give the editor the focus."""
        document = self.document()
        assert document is not None
        block = document.findBlockByNumber(max(0, min(line, document.blockCount()) - 1))
        cursor = QTextCursor(block)
        cursor.movePosition(QTextCursor.MoveOperation.Right, n=min((column or 1) - 1, block.length() - 1))
        self.setTextCursor(cursor)
        self.centerCursor()
        self.setFocus()

    def replace_text(self, text: str, *, joined: bool = False) -> None:
        """Replace the text; only the part that differs is changed, and a single undo reverts it.

        Args:
            text: the new text.
            joined: whether one undo shall revert this change together with the one before.
        """
        old = self.toPlainText()
        if text == old:
            return
        limit = min(len(old), len(text))
        start = next((at for at in range(limit) if old[at] != text[at]), limit)
        tail = next((at for at in range(limit - start) if old[-1 - at] != text[-1 - at]), limit - start)
        cursor = self.textCursor()
        cursor.setPosition(utf16_length(old[:start]))
        cursor.setPosition(utf16_length(old[: len(old) - tail]), QTextCursor.MoveMode.KeepAnchor)
        if joined:
            cursor.joinPreviousEditBlock()
        else:
            cursor.beginEditBlock()
        cursor.insertText(text[start : len(text) - tail])
        cursor.endEditBlock()

    def gutter_width(self) -> int:
        """Return the width of the line numbers in pixels."""
        digits = max(3, len(str(self.blockCount())))
        return 2 * _MARGIN + _DOT + 4 + self.fontMetrics().horizontalAdvance("9") * digits

    def paint_gutter(self, event: QPaintEvent) -> None:
        """Draw line numbers and marks."""
        painter = QPainter(self._gutter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        palette = self.palette()
        painter.fillRect(event.rect(), blend(palette.windowText().color(), palette.base().color(), 0.05))
        block, width = self.firstVisibleBlock(), self._gutter.width()
        top = round(self.blockBoundingGeometry(block).translated(self.contentOffset()).top())
        height = self.fontMetrics().height()
        while block.isValid() and top <= event.rect().bottom():
            line = block.blockNumber() + 1
            painter.setPen(palette.text().color() if line == self.current_line else faint_text(palette))
            box = QRect(0, top, width - _MARGIN, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(line))
            if line in self._problems:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(tone_colour(Tone.BAD, palette))
                painter.drawEllipse(_MARGIN, top + (height - _DOT) // 2, _DOT, _DOT)
            top += round(self.blockBoundingRect(block).height())
            block = block.next()
        painter.end()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the gutter at the left edge."""
        super().resizeEvent(event)
        self._place_gutter()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Insert spaces for Tab; indent a new line like the previous one, and further after a colon or bracket."""
        if event is not None and not self.isReadOnly():
            cursor = self.textCursor()
            if event.key() == Qt.Key.Key_Tab and not cursor.hasSelection():
                cursor.insertText(" " * (4 - cursor.positionInBlock() % 4))
                return
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
                before = cursor.block().text()[: cursor.positionInBlock()]
                indent = before[: len(before) - len(before.lstrip())]
                cursor.insertText("\n" + indent + (_INDENT if before.rstrip().endswith((":", "(", "[", "{")) else ""))
                self.ensureCursorVisible()
                return
        super().keyPressEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow a switch between dark and light mode."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._highlighter.set_palette(self.palette())
            self._mark()

    def viewportEvent(self, event: QEvent | None) -> bool:
        """Show the problem of a line as its tooltip."""
        if event is not None and event.type() == QEvent.Type.ToolTip:
            line = self.cursorForPosition(event.pos()).blockNumber() + 1  # type: ignore[attr-defined]
            problem = self._problems.get(line)
            self.setToolTip(problem.message if problem else "")
        return super().viewportEvent(event)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _on_update(self, rect: QRect, dy: int) -> None:
        if dy:
            self._gutter.scroll(0, dy)
        else:
            self._gutter.update(0, rect.y(), self._gutter.width(), rect.height())

    def _fit_gutter(self) -> None:
        self.setViewportMargins(self.gutter_width(), 0, 0, 0)
        self._place_gutter()

    def _place_gutter(self) -> None:
        inner = self.contentsRect()
        self._gutter.setGeometry(QRect(inner.left(), inner.top(), self.gutter_width(), inner.height()))

    def _mark(self) -> None:
        """Mark the current line and the lines with problems, underlined from the column if it is known."""
        palette = self.palette()
        here = blend(palette.highlight().color(), palette.base().color(), 0.10)
        marks = [_whole_line(self.textCursor(), here)]
        document = self.document()
        assert document is not None
        bad = tone_colour(Tone.BAD, palette)
        for line, problem in self._problems.items():
            block = document.findBlockByNumber(line - 1)
            if not block.isValid():
                continue
            marks.append(_whole_line(QTextCursor(block), blend(bad, palette.base().color(), 0.15)))
            marks.append(_underlined(QTextCursor(block), problem.column, bad))
        self.setExtraSelections(marks)
        self._gutter.update()


class _Gutter(QWidget):
    def __init__(self, editor: CodeEditor) -> None:
        super().__init__(editor)
        self._editor = editor

    def sizeHint(self) -> QSize:
        return QSize(self._editor.gutter_width(), 0)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        if event is not None:
            self._editor.paint_gutter(event)


def _whole_line(cursor: QTextCursor, colour: QColor) -> QTextEdit.ExtraSelection:
    mark = QTextEdit.ExtraSelection()
    look = QTextCharFormat()
    look.setBackground(colour)
    look.setProperty(QTextFormat.Property.FullWidthSelection, True)
    cursor.clearSelection()
    mark.cursor, mark.format = cursor, look
    return mark


def _underlined(cursor: QTextCursor, column: int | None, colour: QColor) -> QTextEdit.ExtraSelection:
    text = cursor.block().text()
    indent = len(text) - len(text.lstrip())
    start = min(column - 1, max(0, len(text) - 1)) if column else indent
    cursor.setPosition(cursor.block().position() + start)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    mark = QTextEdit.ExtraSelection()
    look = QTextCharFormat()
    look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    look.setUnderlineColor(colour)
    mark.cursor, mark.format = cursor, look
    return mark
