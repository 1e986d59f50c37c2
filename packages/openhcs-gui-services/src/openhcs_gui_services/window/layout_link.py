"""Link between layout pane and plates: the pane shows the layout of the current plate."""

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.plates.values import PlatesChanged, WellsChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.layout.pane import LayoutPane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget

__all__ = ["LayoutLink"]


class LayoutLink(QObject):
    """Shows the layout of the current plate, with the wells that have images once they are known."""

    def __init__(self, pane: LayoutPane, manager: PlateManagerWidget, workspace: PlateWorkspace) -> None:
        super().__init__(pane)
        self._pane, self._manager, self._workspace = pane, manager, workspace
        self._shown: tuple[str, int] = ("", 0)
        """The plate that is shown, and the number of its wells."""
        manager.current_changed.connect(lambda _: self.show_current())
        pane.failed.connect(lambda text: manager.show_message(text, True))
        pane.said.connect(lambda text: manager.show_message(text, False))
        self.destroyed.connect(workspace.subscribe(self._on_event))
        self.show_current()

    def show_current(self) -> None:
        """Show the layout of the current plate."""
        row = self._manager.current
        wells = () if row is None else tuple(well.axis_id for well in self._workspace.wells(row.path))
        self._shown = ("" if row is None else row.path, len(wells))
        self._pane.show_plate(self._shown[0], "" if row is None else row.name, wells)

    def _on_event(self, event: WorkspaceEvent) -> None:
        plate, count = self._shown
        changed = isinstance(event, PlatesChanged) and any(row.path == plate for row in event.rows)
        changed = changed or (isinstance(event, WellsChanged) and event.path == plate)
        if changed and len(self._workspace.wells(plate)) != count:
            self.show_current()
