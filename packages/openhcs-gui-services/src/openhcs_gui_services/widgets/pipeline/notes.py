"""Text in forms, readable on light and dark backgrounds: explanations below fields, and problems above them."""

from collections.abc import Sequence

from PyQt6.QtCore import QEvent, Qt
from PyQt6.QtGui import QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import QLabel, QSizePolicy, QWidget

from openhcs_gui_services.services.pipeline.docstrings import inline_html
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import faint_text, tone_colour

__all__ = ["Note", "ProblemLabel"]


class Note(QLabel):
    """An explanation in secondary colour, which follows the palette; marks of code in it become a fixed font."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        self._is_colouring = False
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self._colour()
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show a paragraph as in a docstring."""
        self.setText(inline_html(text))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow a switch between dark and light mode."""
        super().changeEvent(event)
        changes = (QEvent.Type.ParentChange, QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange)
        if event is not None and event.type() in changes and not self._is_colouring:
            self._colour()

    def _colour(self) -> None:
        parent = self.parentWidget()
        palette = QPalette() if parent is None else QPalette(parent.palette())
        own = self.palette()
        colour = faint_text(palette)
        if own.color(QPalette.ColorRole.WindowText) != colour:
            self._is_colouring = True
            own.setColor(QPalette.ColorRole.WindowText, colour)
            self.setPalette(own)
            self._is_colouring = False


class ProblemLabel(QLabel):
    """What is wrong, with a bar at its left."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setContentsMargins(10, 2, 0, 2)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)

    def show_problems(self, problems: Sequence[str]) -> None:
        """Show these messages, one a line."""
        self.setText("\n".join(each[:1].upper() + each[1:] for each in problems))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the bar and the text."""
        painter = QPainter(self)
        painter.fillRect(0, 0, 4, self.height(), tone_colour(Tone.BAD, self.palette()))
        painter.end()
        super().paintEvent(event)
