"""A plate in one row: name, state, progress bar, and detail and time below."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import QGridLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from openhcs_gui_services.services import PlatePresentation, Tone
from openhcs_gui_services.widgets.common.colours import tone_colour

__all__ = ["PlateProgressRow"]

_COLOURED = (Tone.GOOD, Tone.BAD)
"""Other tones have the highlight colour of the user's palette."""


class PlateProgressRow(QWidget):
    """Shows a :class:`PlatePresentation` and has no other state.

    With ``percent`` None the bar is indeterminate and animated.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = QLabel(name)
        self._state = QLabel()
        self._detail = QLabel()
        self._timing = QLabel()
        self._bar = QProgressBar()
        self._bar.setRange(0, 100)
        self._bar.setTextVisible(False)
        self._lay_out()

    def show_presentation(self, shown: PlatePresentation) -> None:
        """Show this presentation."""
        self._state.setText(shown.text)
        self._detail.setText(shown.detail)
        self._timing.setText(shown.timing)
        self._bar.setRange(0, 0 if shown.percent is None else 100)
        self._bar.setValue(shown.percent or 0)
        self._bar.setPalette(self._palette(shown.tone))
        self.setAccessibleName(self._name.text())
        self.setAccessibleDescription(", ".join(part for part in (shown.text, shown.detail, shown.timing) if part))

    def _lay_out(self) -> None:
        for label in (self._name, self._state, self._detail, self._timing):
            label.setTextFormat(Qt.TextFormat.PlainText)  # folder names and errors are not markup
        for label in (self._name, self._detail):
            # A long text is clipped and does not widen the window.
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QGridLayout(self)
        layout.addWidget(self._name, 0, 0)
        layout.addWidget(self._state, 0, 1, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self._bar, 1, 0, 1, 2)
        layout.addWidget(self._detail, 2, 0)
        layout.addWidget(self._timing, 2, 1, Qt.AlignmentFlag.AlignRight)
        layout.setColumnStretch(0, 1)

    def _palette(self, tone: Tone) -> QPalette:
        palette = QPalette(self.palette())
        if tone in _COLOURED:
            palette.setColor(QPalette.ColorRole.Highlight, tone_colour(tone, palette))
        return palette
