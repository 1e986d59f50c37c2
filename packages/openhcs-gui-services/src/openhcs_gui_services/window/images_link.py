"""Link between image view and plates: the view shows the current well, and its arrow keys move in the plate map."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.plates.values import PlateRow, PlatesChanged, WellsChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.images.pane import ImagesPane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from zmqruntime.execution import AxisState

__all__ = ["ImagesLink", "has_pictures"]


class ImagesLink(QObject):
    """Shows the current plate and well in the image view, with the outlines of the plate's results.

    Args:
        pane: the image view.
        manager: the plates.
        workspace: what is known of them.
        open_viewer: shows a well of a plate in the viewer.
    """

    def __init__(
        self,
        pane: ImagesPane,
        manager: PlateManagerWidget,
        workspace: PlateWorkspace,
        open_viewer: Callable[[str, str], None],
    ) -> None:
        super().__init__(pane)
        self._pane, self._manager, self._workspace = pane, manager, workspace
        self._shown: tuple[PlateSource, str | None, str | None] | None = None
        """The plate, its results, and its last run that has ended, with which the list of its runs changes."""
        manager.current_changed.connect(lambda _: self.show_current())
        manager.well_changed.connect(self._show_well)
        pane.well_wanted.connect(lambda axis_id: manager.select_well(self._path, axis_id))
        pane.viewer_wanted.connect(lambda axis_id: open_viewer(self._path, axis_id))
        self.destroyed.connect(workspace.subscribe(self._on_event))
        self.show_current()

    def show_current(self) -> None:
        """Show the current plate, and its selected well if there is one."""
        row = self._manager.current
        if row is None:
            self._shown = None
            self._pane.show_plate(None, None)
            return
        self._show_plate(row)
        if self._manager.map.selected:
            self._pane.show_well(self._manager.map.selected)

    def show_well(self, path: str, axis_id: str) -> None:
        """Make a well the current one and show it, also if the map does not have it yet; empty for its plate."""
        self._manager.select_well(path, axis_id)
        self.show_current()
        if axis_id and path == self._path:
            self._pane.show_well(axis_id)

    @property
    def _path(self) -> str:
        return "" if self._manager.current is None else self._manager.current.path

    def _show_plate(self, row: PlateRow) -> None:
        settings = self._workspace.settings_of(row.path)
        source = PlateSource(row.path, settings.pattern, settings.plate_format, settings.pages)
        shown = source, row.results, row.execution_id if row.snapshot.state.has_ended else None
        if self._shown != shown:
            self._shown = shown
            self._pane.show_plate(source, None if row.results is None else Path(row.results))

    def _show_well(self, path: str, axis_id: str) -> None:
        if axis_id and path == self._path:
            self.show_current()

    def _on_event(self, event: WorkspaceEvent) -> None:
        """Follow new results of the current plate, and show the outlines of the shown well once it is done."""
        if isinstance(event, PlatesChanged):
            for row in event.rows:
                if row.path == self._path:
                    self._show_plate(row)
        elif isinstance(event, WellsChanged) and event.path == self._path and self._pane.place is not None:
            done = {well.axis_id for well in event.wells if well.state is AxisState.COMPLETE}
            if self._pane.place.well in done:
                self._pane.reload_labels()


def has_pictures(row: PlateRow, axis_id: str, workspace: PlateWorkspace) -> bool:
    """Return whether a run has finished a well, or any well if ``axis_id`` is empty, so that a viewer can show it."""
    if row.results is None or not axis_id:
        return row.results is not None
    done = {well.axis_id for well in workspace.wells(row.path) if well.state is AxisState.COMPLETE}
    return axis_id in done or (row.on_disk is not None and axis_id in row.on_disk.done)
