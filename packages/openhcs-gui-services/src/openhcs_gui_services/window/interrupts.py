"""Delivers Ctrl-C to Python while Qt's event loop is sleeping."""

import signal
import socket

from PyQt6.QtCore import QObject, QSocketNotifier
from PyQt6.sip import voidptr

__all__ = ["InterruptListener"]


class InterruptListener(QObject):
    """Wakes Qt's event loop on signals, so that Python's handlers run at once. For the main thread only."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._heard, self._written = socket.socketpair()
        self._heard.setblocking(False)
        self._written.setblocking(False)
        self._notifier = QSocketNotifier(voidptr(self._heard.fileno()), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._drain)
        self._before = signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)

    def close(self) -> None:
        """Restore the previous signal wake-up."""
        signal.set_wakeup_fd(self._before)
        self._notifier.setEnabled(False)
        self._heard.close()
        self._written.close()

    def _drain(self) -> None:
        """Discard the bytes; Python has already called its signal handlers before running this."""
        self._heard.recv(64)
