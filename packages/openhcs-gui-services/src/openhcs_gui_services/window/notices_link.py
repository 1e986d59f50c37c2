"""Tells about the end of a batch, and sends the test notice of the settings dialog."""

import asyncio
from collections.abc import Callable

from PyQt6.QtCore import QObject
from PyQt6.QtGui import QIcon

from openhcs_gui_services.exceptions import NoticeError
from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.notice_password import store_password
from openhcs_gui_services.services.notices import BatchEnd
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.services.settings import WindowSettings
from openhcs_gui_services.widgets.common.desktop_notice import DesktopNotices
from openhcs_gui_services.widgets.settings.dialog import SettingsDialog

__all__ = ["NoticesLink"]


class NoticesLink(QObject):
    """Sends notices as the settings say; a failure is a message of the window.

    Args:
        settings: returns the settings of the window.
        say: shows a message: the text, and whether it is an error.
        tasks: runs the sending.
        icon: the icon of the application.
        parent: its owner.
    """

    def __init__(
        self,
        settings: Callable[[], WindowSettings],
        say: Callable[[str, bool], None],
        tasks: BackgroundTasks,
        icon: QIcon,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._settings, self._say, self._tasks = settings, say, tasks
        self._desktop = DesktopNotices(icon, self)

    def batch_ended(self, end: BatchEnd) -> None:
        """Tell about the end of a batch, in the background."""
        self._tasks.start(self._tell(end), "The notice about the end of the run")

    def connect_dialog(self, dialog: SettingsDialog) -> None:
        """Send test notices and store passwords for a settings dialog."""
        dialog.test_wanted.connect(lambda settings: self._tasks.start(self._test(settings, dialog), "The test notice"))
        dialog.password_given.connect(
            lambda *given: self._tasks.start(self._store(given, dialog), "Storing the password")
        )

    async def _tell(self, end: BatchEnd) -> None:
        from openhcs_gui_services.services.notice_sending import send_notices  # noqa: PLC0415  loads mail libraries

        for problem in await send_notices(self._settings(), end, self._desktop.show):
            self._say(window_text(f"Not all notices were sent: {problem}"), True)

    async def _test(self, settings: WindowSettings, dialog: SettingsDialog) -> None:
        from openhcs_gui_services.services.notice_sending import EXAMPLE_END, send_notices  # noqa: PLC0415  as above

        # Tried once: the user is waiting.
        problems = await send_notices(settings, EXAMPLE_END, self._desktop.show, pauses=(), is_test=True)
        _show(dialog, "\n".join(map(_sentence, problems)) or "The test notice was sent", bool(problems))

    async def _store(self, given: tuple[str, str, str], dialog: SettingsDialog) -> None:
        try:
            await asyncio.to_thread(store_password, *given)
        except NoticeError as error:
            _show(dialog, _sentence(str(error)), True)
        else:
            _show(dialog, "The password is in the system's keyring")


def _show(dialog: SettingsDialog, text: str, is_error: bool = False) -> None:
    """Show an outcome, if the dialog is still open."""
    try:
        dialog.show_test(text, is_error)
    except RuntimeError:  # it was closed, and deleted with its widgets
        return


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
