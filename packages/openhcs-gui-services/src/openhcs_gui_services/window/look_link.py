"""Looks at the current plate again when it is shown, when the window gets the focus, and every half a minute."""

from PyQt6.QtCore import QEvent, QObject, QTimer
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget

__all__ = ["LookLink"]

_EVERY_MS = 30_000
_SERVER_MS = 5_000
"""How old may be what is said of a server that works for other windows."""


class LookLink(QObject):
    """Notices what other programs do with the plates: runs that they start, and folders that come and go.

    Args:
        window: the window with the focus.
        manager: the plates.
        workspace: looks at them.
        tasks: where that is started.
    """

    def __init__(
        self, window: QWidget, manager: PlateManagerWidget, workspace: PlateWorkspace, tasks: BackgroundTasks
    ) -> None:
        super().__init__(manager)
        self._window, self._manager, self._workspace, self._tasks = window, manager, workspace, tasks
        self._busy = ""
        self._is_asking = self._has_ended = False
        manager.current_changed.connect(self._on_current)
        window.installEventFilter(self)
        self._clock = QTimer(self)
        self._clock.setInterval(_EVERY_MS)
        self._clock.timeout.connect(self.look)
        self._clock.start()
        self._server_clock = QTimer(self)
        self._server_clock.setInterval(_SERVER_MS)
        self._server_clock.timeout.connect(self.look_at_server)
        self._server_clock.start()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look when the window gets the focus."""
        if watched is self._window and event is not None and event.type() == QEvent.Type.WindowActivate:
            self.look()
        return False

    def look(self) -> None:
        """Look at the current plate, unless that is going on."""
        current = self._manager.current
        if not self._has_ended and current is not None and current.path != self._busy:
            self._tasks.start(self._look(current.path), "Looking at a plate")

    def end(self) -> None:
        """Stop looking. May be called twice."""
        self._clock.stop()
        self._server_clock.stop()
        self._has_ended = True

    def _on_current(self, _: str) -> None:
        self.look()

    def look_at_server(self) -> None:
        """Look what the server does, unless the window is hidden or that is going on."""
        if self._window.isVisible() and not self._is_asking:
            self._tasks.start(self._look_at_server(), "Looking at the server")

    async def _look_at_server(self) -> None:
        self._is_asking = True
        try:
            await self._workspace.look_at_server()
        finally:
            self._is_asking = False

    async def _look(self, path: str) -> None:
        self._busy = path
        try:
            await self._workspace.look(path)
        finally:
            if self._busy == path:
                self._busy = ""
