"""Link between the welcome and the plates: recent plates are remembered, and the example is made in the background."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from PyQt6.QtCore import QObject, QSettings, QStandardPaths

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.values import PlatesAdded, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.welcome.view import Welcome
from openhcs_runtime.stores.path import is_url

__all__ = ["WelcomeLink", "example_folder"]

_RECENT = "window/recent"
_KEPT, _SHOWN = 20, 3
_NAME = "OpenHCS example plate"
_WELLS, _SITES, _SIZE = 24, 1, 512


class WelcomeLink(QObject):
    """Connects the welcome of a window."""

    def __init__(
        self,
        view: Welcome,
        manager: PlateManagerWidget,
        workspace: PlateWorkspace,
        store: QSettings,
        tasks: BackgroundTasks,
    ) -> None:
        super().__init__(view)
        self._view, self._manager, self._store, self._tasks = view, manager, store, tasks
        view.open_wanted.connect(manager.actions_.add.trigger)
        view.plates_wanted.connect(manager.add_plates)
        view.example_wanted.connect(self._want_example)
        self.destroyed.connect(workspace.subscribe(self._on_event))
        self._show_recent()

    def _on_event(self, event: WorkspaceEvent) -> None:
        if isinstance(event, PlatesAdded):
            self._remember([row.path for row in event.rows])

    def _remember(self, paths: Sequence[str]) -> None:
        kept = list(dict.fromkeys([*reversed(paths), *self._paths()]))[:_KEPT]
        self._store.setValue(_RECENT, kept)
        self._show_recent()

    def _paths(self) -> list[str]:
        known = self._store.value(_RECENT)
        return [known] if isinstance(known, str) else [str(path) for path in known or ()]

    def _show_recent(self) -> None:
        there = (path for path in self._paths() if is_url(path) or os.path.isdir(path))
        self._view.show_recent([path for path, _ in zip(there, range(_SHOWN), strict=False)])

    def _want_example(self) -> None:
        self._tasks.start(self._make_example(), "Making the example plate")

    async def _make_example(self) -> None:
        self._view.show_state(f"Making the example plate in {example_folder()}")
        try:
            folder = await asyncio.to_thread(_example)
        finally:
            self._view.show_state("")
        self._manager.add_plates([str(folder)])


def example_folder() -> Path:
    """Return the folder of the example plate: in the user's documents."""
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents or Path.home()) / _NAME


def _example() -> Path:
    """Make the example plate, unless it is there already; runs in a thread."""
    from openhcs_runtime.plates import make_plate  # noqa: PLC0415 - loads image libraries that a window doesn't need

    folder = example_folder()
    if folder.is_dir() and any(folder.iterdir()):
        return folder
    return make_plate(folder, wells=_WELLS, sites=_SITES, size=_SIZE)
