"""Shows a notice on the desktop: through its notification service, or else from the tray."""

import asyncio
import html
from typing import Final

from PyQt6.QtCore import QMetaType, QObject
from PyQt6.QtDBus import QDBusArgument, QDBusConnection, QDBusMessage, QDBusPendingCallWatcher, QDBusPendingReply
from PyQt6.QtGui import QIcon
from PyQt6.QtWidgets import QSystemTrayIcon

from openhcs_gui_services.services.notices import Notice

__all__ = ["DesktopNotices"]

_SERVICE: Final = "org.freedesktop.Notifications"
_PATH: Final = "/org/freedesktop/Notifications"
_MILLISECONDS: Final = 20_000
_BY_SYSTEM: Final = -1
"""How long a notice stays: as long as those of other programs."""
_NORMAL, _CRITICAL = 1, 2
_UINT, _STRING, _UCHAR = 3, 10, 37
"""Numbers of ``QMetaType.Type``, of which the stubs of PyQt know no values."""
_MOST_LINES: Final = 8
"""Lines of a notice; services cut longer ones without saying so."""


class DesktopNotices(QObject):
    """Shows notices without waiting for the desktop.

    On Linux and other systems with a session bus it calls ``org.freedesktop.Notifications`` (Desktop Notifications
    Specification 1.2); elsewhere, or without that service, a tray icon shows the notice while it is there.

    Args:
        icon: the icon of the application, for the tray.
        parent: its owner.
    """

    def __init__(self, icon: QIcon, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self._tray: QSystemTrayIcon | None = None

    async def show(self, notice: Notice) -> bool:
        """Show a notice; return whether the desktop has shown it."""
        return await self._send(notice) or self._show_in_tray(notice)

    async def _send(self, notice: Notice) -> bool:
        """Pass the notice to the notification service, which may take its time to answer."""
        bus = session_bus()
        if not bus.isConnected():
            return False
        answered = asyncio.get_running_loop().create_future()
        call = bus.asyncCall(_message(notice), _MILLISECONDS)
        watcher = QDBusPendingCallWatcher(call, self)
        watcher.finished.connect(lambda: None if answered.done() else answered.set_result(None))
        try:
            await answered
            return not QDBusPendingReply(call).isError()
        finally:
            watcher.deleteLater()

    def _show_in_tray(self, notice: Notice) -> bool:
        if not QSystemTrayIcon.isSystemTrayAvailable() or not QSystemTrayIcon.supportsMessages():
            return False
        if self._tray is None:
            self._tray = QSystemTrayIcon(self._icon, self)
            self._tray.messageClicked.connect(self._tray.hide)
        kind = QSystemTrayIcon.MessageIcon
        self._tray.show()
        self._tray.showMessage(
            notice.title, _body(notice), kind.Information if notice.is_good else kind.Warning, _MILLISECONDS
        )
        return True


def session_bus() -> QDBusConnection:
    """Return the connection to the session bus; it may not be connected."""
    return QDBusConnection.sessionBus()


def _message(notice: Notice) -> QDBusMessage:
    message = QDBusMessage.createMethodCall(_SERVICE, _PATH, _SERVICE, "Notify")
    message.setArguments(
        [
            "OpenHCS",
            _unsigned(0),  # takes the place of no earlier notice
            "",
            notice.title,
            html.escape(_body(notice), quote=False),
            _no_actions(),
            {"urgency": _byte(_NORMAL if notice.is_good else _CRITICAL), "desktop-entry": "openhcs-gui"},
            _BY_SYSTEM,
        ]
    )
    return message


def _body(notice: Notice) -> str:
    lines = notice.lines
    if len(lines) > _MOST_LINES:
        lines = (*lines[: _MOST_LINES - 2], f"and {len(lines) - _MOST_LINES + 1} more plates", lines[-1])
    return "\n".join(lines)


def _unsigned(number: int) -> QDBusArgument:
    argument = QDBusArgument()
    argument.add(number, _UINT)
    return argument


def _byte(number: int) -> QDBusArgument:
    argument = QDBusArgument()
    argument.add(number, _UCHAR)
    return argument


def _no_actions() -> QDBusArgument:
    argument = QDBusArgument()
    argument.beginArray(QMetaType(_STRING))
    argument.endArray()
    return argument
