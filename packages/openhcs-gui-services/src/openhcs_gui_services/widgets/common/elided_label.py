"""A label of one line that is elided to its width; its tooltip has the whole text."""

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPalette, QResizeEvent
from PyQt6.QtWidgets import QLabel, QSizePolicy

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.text import plain_tooltip

__all__ = ["ElidedLabel"]


class ElidedLabel(QLabel):
    """Shows as much of its text as fits, as plain text.

    Args:
        text: the text.
        mode: where to elide it.
    """

    def __init__(self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle) -> None:
        super().__init__()
        self._whole, self._mode = "", mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.show_text(text)

    @property
    def whole_text(self) -> str:
        """The text as it was given, in one line."""
        return self._whole

    def show_text(self, text: str, is_error: bool = False) -> None:
        """Show another text in one line, in the colour of errors if it is one."""
        self._whole = " ".join(text.split())
        palette = QPalette()
        if is_error:
            palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, palette))
        self.setPalette(palette)
        self.setToolTip(plain_tooltip(text))
        self.setAccessibleName(self._whole)
        self._elide()

    def minimumSizeHint(self) -> QSize:
        """Return the height of a line."""
        return QSize(0, self.fontMetrics().height() + 2)

    def sizeHint(self) -> QSize:
        """Return the size of the whole text."""
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, self.fontMetrics().height() + 2)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Elide for the new width."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, self._mode, self.width()))
