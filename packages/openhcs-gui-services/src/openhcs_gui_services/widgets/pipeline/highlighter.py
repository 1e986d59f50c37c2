"""Syntax highlighting for Python source, one line at a time: typing is as fast in a long file as in a short one."""

from types import MappingProxyType

from pygments.lexer import ExtendedRegexLexer, LexerContext
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, _TokenType
from PyQt6.QtGui import QColor, QFont, QPalette, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from openhcs_gui_services.widgets.common.text import utf16_length

__all__ = ["PythonHighlighter"]

_START = ("root",)
_FIRST_STATE = 0
_MAX_STATES = 4096

# For light and dark windows.
_COLOURS = MappingProxyType(
    {
        Keyword: ("#7b2fa0", "#c792ea"),
        Operator.Word: ("#7b2fa0", "#c792ea"),
        Name.Function: ("#0b5cad", "#82aaff"),
        Name.Class: ("#0b5cad", "#ffcb6b"),
        Name.Decorator: ("#8a5a00", "#e0a93b"),
        Name.Builtin: ("#0b6e75", "#89ddff"),
        String: ("#1e7a34", "#a5d6a7"),
        Number: ("#a0500a", "#f78c6c"),
        Comment: ("#6a737d", "#8b949e"),
    }
)


class _LineLexer(ExtendedRegexLexer):
    """Lexer with the rules of the Python lexer and a stack that can be carried from one line to the next."""

    tokens = PythonLexer.tokens
    flags = PythonLexer.flags


class PythonHighlighter(QSyntaxHighlighter):
    """Highlights a document; call :meth:`set_palette` when the window switches between dark and light."""

    def __init__(self, document: QTextDocument, palette: QPalette) -> None:
        super().__init__(document)
        self._lexer = _LineLexer()
        self._stacks: list[tuple[str, ...]] = [_START]
        self._numbers: dict[tuple[str, ...], int] = {_START: _FIRST_STATE}
        self._formats: dict[_TokenType, QTextCharFormat] = {}
        self._is_dark: bool | None = None
        self.set_palette(palette)

    def set_palette(self, palette: QPalette) -> None:
        """Use the colours that suit the background of ``palette``."""
        is_dark = palette.color(QPalette.ColorRole.Base).lightness() < 128
        if is_dark is not self._is_dark:
            self._is_dark = is_dark
            self._formats = {kind: _format(kind, QColor(pair[is_dark])) for kind, pair in _COLOURS.items()}
            self.rehighlight()

    def highlightBlock(self, text: str | None) -> None:
        """Highlight one line, starting in the state in which the previous line ended, such as inside a long string."""
        line = f"{text or ''}\n"
        before = self.previousBlockState()
        stack = self._stacks[before] if 0 <= before < len(self._stacks) else _START
        context = LexerContext(line, 0, list(stack))
        for start, kind, value in self._lexer.get_tokens_unprocessed(context=context):
            found = self._format_of(kind)
            if found is not None:
                # Qt counts in UTF-16 units.
                self.setFormat(utf16_length(line[:start]), utf16_length(value), found)
        self.setCurrentBlockState(self._state_of(tuple(context.stack)))

    def _format_of(self, kind: _TokenType) -> QTextCharFormat | None:
        """Return the format of the token type, or of its nearest ancestor that has one."""
        looked: _TokenType | None = kind
        while looked is not None and looked not in self._formats:
            looked = looked.parent
        return None if looked is None else self._formats[looked]

    def _state_of(self, stack: tuple[str, ...]) -> int:
        if stack not in self._numbers and len(self._stacks) < _MAX_STATES:
            self._numbers[stack] = len(self._stacks)
            self._stacks.append(stack)
        return self._numbers.get(stack, _FIRST_STATE)


def _format(kind: _TokenType, colour: QColor) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setForeground(colour)
    if kind is Keyword:
        made.setFontWeight(QFont.Weight.DemiBold)
    if kind is Comment:
        made.setFontItalic(True)
    return made
