"""The details of one well: its steps, its error, and buttons for its actions."""

from collections.abc import Mapping

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QFontDatabase
from PyQt6.QtWidgets import QGridLayout, QLabel, QListWidget, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from openhcs_gui_services.widgets.plates.well_texts import state_word, step_lines
from zmqruntime.execution import AxisProgress

__all__ = ["WellDetails"]

_HINT = "Click a well to see its steps."


class WellDetails(QWidget):
    """Shows one well at a time."""

    cancel_wanted = Signal(str)
    """``axis_id`` of the displayed well, to cancel it."""
    images_wanted = Signal(str)
    """``axis_id`` of the displayed well, to show its images."""
    log_wanted = Signal(str)
    """``axis_id`` of the displayed well, to show its log."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis_id = ""
        self._lines: list[str] = []
        self._title = QLabel(_HINT)
        self._steps = QListWidget()
        self._error = QPlainTextEdit()
        self._cancel = self._button("Cancel well", "Cancel this well; the others continue (Delete)")
        self._images = self._button("Show images", "Open the images of this well in the viewer")
        self._log = self._button("Show log", "Show the log of this well")
        self._cancel.clicked.connect(lambda: self.cancel_wanted.emit(self._axis_id))
        self._images.clicked.connect(lambda: self.images_wanted.emit(self._axis_id))
        self._log.clicked.connect(lambda: self.log_wanted.emit(self._axis_id))
        self._lay_out()
        self.show_well(None, {}, has_output=False, has_log=False)

    def show_well(
        self, well: AxisProgress | None, names: Mapping[int, str], *, has_output: bool, has_log: bool
    ) -> None:
        """Show a well.

        Args:
            well: the well; None shows a hint.
            names: known step names by index, from 0.
            has_output: whether its plate has results.
            has_log: whether its plate has an execution.
        """
        self._axis_id = "" if well is None else well.axis_id
        self._title.setText(_HINT if well is None else f"Well {well.axis_id}: {state_word(well.state)}")
        font = self._title.font()
        font.setBold(well is not None)
        self._title.setFont(font)
        lines = [] if well is None else step_lines(well, names)
        if lines != self._lines:
            self._lines = lines
            self._steps.clear()
            self._steps.addItems(lines)
        error = "" if well is None else well.error
        if error != self._error.toPlainText():
            self._error.setPlainText(error)
        self._steps.setVisible(bool(lines))
        self._error.setVisible(bool(error))
        can_stop = well is not None and not well.state.has_ended
        self._cancel.setEnabled(can_stop and has_log)
        self._images.setEnabled(well is not None and has_output)
        self._log.setEnabled(well is not None and has_log)

    def _button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tooltip)
        return button

    def _lay_out(self) -> None:
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setWordWrap(True)
        self._steps.setAccessibleName("Steps of the well")
        self._steps.setAlternatingRowColors(True)
        self._error.setReadOnly(True)
        self._error.setAccessibleName("Error of the well")
        self._error.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self._error.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        buttons = QGridLayout()
        buttons.addWidget(self._cancel, 0, 0)
        buttons.addWidget(self._images, 0, 1)
        buttons.addWidget(self._log, 0, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 4)
        layout.addWidget(self._title)
        layout.addWidget(self._steps, 3)
        layout.addWidget(self._error, 2)
        layout.addStretch(1)
        layout.addLayout(buttons)
