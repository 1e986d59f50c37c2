"""The question how to stop, asked when stopping at once would lose work."""

import enum

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QMessageBox, QPushButton, QWidget

from openhcs_gui_services.services.durations import duration_text

__all__ = ["StopAnswer", "StopQuestion"]


class StopAnswer(enum.Enum):
    """The chosen answer."""

    AFTER_WELLS = "after_wells"
    """Finish the running wells first."""
    NOW = "now"
    KILL = "kill"
    KEEP_RUNNING = "keep_running"


class StopQuestion(QMessageBox):
    """Asks how to stop. Open it with ``open()``, which does not block; it emits :attr:`answered` once."""

    answered = Signal(StopAnswer)

    def __init__(
        self, wells: int, seconds: float, *, kills: bool, scope: str = "the runs", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setIcon(QMessageBox.Icon.Warning)
        self.setTextFormat(Qt.TextFormat.PlainText)
        count = "1 well is" if wells == 1 else f"{wells} wells are"
        lost = f"{count} being worked on; this loses {duration_text(seconds)} of work."
        self._answers: dict[QPushButton, StopAnswer] = {}
        if kills:
            self.setWindowTitle("Force stop")
            lose = "1 well" if wells == 1 else f"{wells} wells"
            self.setText(f"Force stop {scope} and lose the work on {lose}?" if wells else f"Force stop {scope}?")
            self._offer("Force stop", StopAnswer.KILL, QMessageBox.ButtonRole.DestructiveRole)
            default = self._offer("Wait", StopAnswer.KEEP_RUNNING, QMessageBox.ButtonRole.RejectRole)
        else:
            self.setWindowTitle("Stop")
            self.setText(f"Stop {scope}?")
            after = "Stop after this well" if wells == 1 else "Stop after these wells"
            default = self._offer(after, StopAnswer.AFTER_WELLS, QMessageBox.ButtonRole.AcceptRole)
            self._offer("Stop now", StopAnswer.NOW, QMessageBox.ButtonRole.DestructiveRole)
            self._offer("Keep running", StopAnswer.KEEP_RUNNING, QMessageBox.ButtonRole.RejectRole)
        nothing = "No well is being worked on, so no work is lost."
        self.setInformativeText(f"{lost if wells else nothing} Finished wells are kept; Resume runs the rest.")
        self.setDefaultButton(default)
        self.finished.connect(self._answer)

    def _offer(self, text: str, answer: StopAnswer, role: QMessageBox.ButtonRole) -> QPushButton:
        button = self.addButton(text, role)
        assert isinstance(button, QPushButton)
        self._answers[button] = answer
        return button

    def _answer(self, _: int) -> None:
        button = self.clickedButton()
        chosen = self._answers.get(button) if isinstance(button, QPushButton) else None
        self.answered.emit(chosen or StopAnswer.KEEP_RUNNING)
