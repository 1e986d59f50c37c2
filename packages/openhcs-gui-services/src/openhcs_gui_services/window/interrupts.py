"""Lets Python hear of Ctrl-C while Qt's loop sleeps."""

import signal
import socket

from PyQt6.QtCore import QObject, QSocketNotifier
from PyQt6.sip import voidptr

__all__ = ["InterruptListener"]


class InterruptListener(QObject):
    """While it is there, signals wake Qt's loop, so that Python's handlers run at once. For the main thread only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._heard, self._written = socket.socketpair()
        self._heard.setblocking(False)
        self._written.setblocking(False)
        self._notifier = QSocketNotifier(voidptr(self._heard.fileno()), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._drain)
        self._before = signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Leave signals as they were."""
        signal.set_wakeup_fd(self._before)
        self._notifier.setEnabled(False)
        self._heard.close()
        self._written.close()

    def _drain(self) -> None:
        """That this runs is enough: Python calls its signal handlers before it."""
        self._heard.recv(64)
