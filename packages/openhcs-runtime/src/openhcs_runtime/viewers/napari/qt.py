"""Qt's event loop: calls on its thread, work once per frame, and ending on signals."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from qtpy.QtCore import QCoreApplication, QEvent, QObject, QSocketNotifier, QTimer

__all__ = ["Call", "FramePump", "Timeout", "ends_on_signals", "quit_application"]

_FRAME_SECONDS = 0.016


class Call(QObject):
    """Calls ``function`` on the thread that created the object, soon after :meth:`post`, from any thread."""

    def __init__(self, function: Callable[[], None]) -> None:
        super().__init__()
        self._function = function

    def post(self) -> None:
        """Schedule the call. Does nothing once the application has ended."""
        if QCoreApplication.instance() is not None:
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.User))

    def event(self, event: QEvent | None) -> bool:
        """Handle an event of Qt."""
        if event is None or event.type() != QEvent.Type.User:
            return super().event(event)
        self._function()
        return True


class FramePump:
    """Calls ``on_frame`` on Qt's thread once per frame while there is work, so that the window stays responsive.

    Args:
        on_frame: returns whether there is more to do.
    """

    def __init__(self, on_frame: Callable[[], bool]) -> None:
        self._on_frame = on_frame
        self._call = Call(self.schedule)
        self._timer = Timeout(self._run)
        self._last = 0.0
        self._is_running = True

    def wake(self) -> None:
        """Announce work, from any thread."""
        self._call.post()

    def schedule(self) -> None:
        """Announce work, on Qt's thread."""
        if self._is_running and not self._timer.is_waiting:
            self._timer.start(self._last + _FRAME_SECONDS - time.monotonic())

    def stop(self) -> None:
        """Stop calling ``on_frame``."""
        self._is_running = False
        self._timer.stop()

    def _run(self) -> None:
        try:
            has_more = self._on_frame()
        finally:
            self._last = time.monotonic()
        if has_more:
            self.schedule()


class Timeout:
    """Calls ``function`` once on Qt's thread, some time after :meth:`start`."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(function)

    @property
    def is_waiting(self) -> bool:
        """Whether the timer is running."""
        return self._timer.isActive()

    def start(self, seconds: float) -> None:
        """Start the timer, or restart it."""
        self._timer.start(max(0, round(seconds * 1000)))

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.stop()


def quit_application() -> None:
    """End the event loop of this process."""
    application = QCoreApplication.instance()
    if application is not None:
        application.quit()


@contextmanager
def ends_on_signals(end: Callable[[], None]) -> Iterator[None]:
    """Call ``end`` on SIGINT and SIGTERM during the block.

    Python handles signals only between its own instructions, which a waiting event loop does not execute, so a byte
    on a socket wakes it.
    """
    reading, writing = socket.socketpair()
    reading.setblocking(False)
    writing.setblocking(False)

    def on_signal(signum: int, frame: FrameType | None) -> None:
        end()

    def on_byte() -> None:
        with suppress(BlockingIOError):
            reading.recv(64)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    previous = signal.set_wakeup_fd(writing.fileno())
    notifier = QSocketNotifier(reading.fileno(), QSocketNotifier.Type.Read)  # type: ignore[call-overload]
    notifier.activated.connect(on_byte)
    try:
        yield
    finally:
        notifier.setEnabled(False)
        signal.set_wakeup_fd(previous)
        for number, handler in before.items():
            signal.signal(number, handler)
        reading.close()
        writing.close()
