"""The place of the picture, over which the measurements of a picked object are laid, so that nothing else moves."""

from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QVBoxLayout, QWidget

__all__ = ["Stage"]

_MARGIN, _WIDEST = 8, 340


class Stage(QWidget):
    """Holds a widget, and a smaller one in the lower half of it or, if the object is there, in the upper half.

    Args:
        ground: fills the place.
        card: is laid over it while it is not hidden.
    """

    def __init__(self, ground: QWidget, card: QWidget) -> None:
        super().__init__()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(ground)
        self._card, self._object, self._top = card, QPoint(), 0
        card.setParent(self)
        card.setAutoFillBackground(True)

    def keep_free(self, point: QPoint, top: int) -> None:
        """Lay the card so that a point, and all that is above a row of pixels, can be seen."""
        self._object, self._top = point, top
        self.lay_card()

    def lay_card(self) -> None:
        """Lay the card where it belongs, in its present size."""
        width = min(_WIDEST, self.width() - 2 * _MARGIN)
        height = min(self._card.sizeHint().height(), (self.height() - self._top) // 2 - _MARGIN)
        is_low = self._object.y() > (self.height() + self._top) / 2
        top = self._top + _MARGIN if is_low else self.height() - height - _MARGIN
        left = self.width() - width - _MARGIN
        self._card.setGeometry(QRect(left, top, width, height))
        self._card.raise_()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the card in its corner."""
        super().resizeEvent(event)
        self.lay_card()
