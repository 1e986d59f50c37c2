"""Combines drawing requests into at most 30 frames per second."""

import time

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

__all__ = ["FRAME_SECONDS", "FramePacer"]

FRAME_SECONDS = 1 / 30
_TIMER_SLACK_MS = 1  # a timer may fire early by this much


class FramePacer(QObject):
    """Emits :attr:`frame` once for all requests since the previous frame: at once if idle, else one frame later."""

    frame = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._emit)

    def request(self) -> None:
        """Request a frame."""
        if not self._timer.isActive():
            rest = self._last + FRAME_SECONDS - time.monotonic()
            self._timer.start(0 if rest <= 0 else int(rest * 1000) + 1 + _TIMER_SLACK_MS)

    def _emit(self) -> None:
        self._last = time.monotonic()
        self.frame.emit()
