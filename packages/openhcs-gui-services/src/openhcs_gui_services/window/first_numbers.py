"""After the first run in a window, the map shows what was counted, unless the user has chosen another look."""

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.plates.values import BatchEnded, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.map_look import MapLook

__all__ = ["FirstNumbers"]


class FirstNumbers(QObject):
    """Turns the map of a window to values once, at the end of a run that has results."""

    def __init__(self, manager: PlateManagerWidget, workspace: PlateWorkspace) -> None:
        super().__init__(manager)
        self._manager = manager
        self._leave = workspace.subscribe(self._on_event)
        manager.map.look_changed.connect(lambda _: self.end())

    def end(self) -> None:
        """Leave the look of the map to the user from now on. May be called twice."""
        self._leave()

    def _on_event(self, event: WorkspaceEvent) -> None:
        if isinstance(event, BatchEnded) and event.end.wells_done:
            self._manager.map.set_look(MapLook.VALUES)
