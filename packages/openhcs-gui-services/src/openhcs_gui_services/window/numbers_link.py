"""Link between numbers pane, plates and map: the pane follows the current plate and its runs, and colours the map."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject

from openhcs_gui_services.services.numbers.places import ObjectPlace
from openhcs_gui_services.services.plates.values import PlateRow, PlatesAdded, PlatesChanged, WorkspaceEvent
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.widgets.numbers.pane import NumbersPane
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.map_bar import MapBar
from openhcs_gui_services.widgets.plates.map_look import MapLook

__all__ = ["NumbersLink"]


class NumbersLink(QObject):
    """Shows the results of the current plate in the pane, read again when a run of it ends.

    Args:
        pane: the numbers pane.
        manager: the plates.
        workspace: what is known of them.
        show_object: shows an object of the current plate in its image.
    """

    def __init__(
        self,
        pane: NumbersPane,
        manager: PlateManagerWidget,
        workspace: PlateWorkspace,
        show_object: Callable[[ObjectPlace], None],
    ) -> None:
        super().__init__(pane)
        self._pane, self._manager, self._show_object = pane, manager, show_object
        self._shown: tuple[object, ...] = ()
        """What decided about the numbers that were shown last."""
        manager.current_changed.connect(lambda _: self.show_current())
        manager.map.selection_changed.connect(self._note_wells)
        pane.colours_changed.connect(manager.map.show_values)
        pane.map_wanted.connect(lambda: manager.map.set_look(MapLook.VALUES))
        pane.well_wanted.connect(self._select_well)
        pane.object_wanted.connect(self._on_object)
        pane.report_wanted.connect(manager.actions_.report.trigger)
        pane.message.connect(manager.show_message)
        self._connect_bar(manager.map_bar)
        self.destroyed.connect(workspace.subscribe(self._on_event))
        self.show_current()

    def show_current(self) -> None:
        """Show the results of the current plate, unless they are shown already."""
        row = self._manager.current
        state = _state_of(row)
        results = None if row is None or row.results is None else Path(row.results)
        if state != self._shown or results != self._pane.run:
            self._shown = state
            self._pane.show_run(results, "" if row is None else row.name)

    def _connect_bar(self, bar: MapBar) -> None:
        self._pane.measures_changed.connect(lambda names: bar.set_measures(names, self._chosen_name()))
        self._pane.measure_changed.connect(bar.choose_measure)
        bar.measure_chosen.connect(self._pane.choose_measure)

    def _chosen_name(self) -> str:
        choice = self._pane.bar.choice()
        return "" if choice is None else choice.name

    def _on_event(self, event: WorkspaceEvent) -> None:
        if isinstance(event, PlatesAdded | PlatesChanged):
            current = self._manager.current
            if current is not None and any(row.path == current.path for row in event.rows):
                self.show_current()

    def _note_wells(self) -> None:
        self._pane.select_wells(self._manager.map.selected_wells)

    def _select_well(self, axis_id: str) -> None:
        if self._manager.current is not None:
            self._manager.select_well(self._manager.current.path, axis_id)

    def _on_object(self, wanted: ObjectPlace) -> None:
        self._select_well(wanted.place.well)
        self._show_object(wanted)


def _state_of(row: PlateRow | None) -> tuple[object, ...]:
    """Return what decides which numbers are shown: the plate, its results, and whether a run of it has ended."""
    if row is None:
        return ()
    disk = row.on_disk
    of_disk = () if disk is None else (disk.folder, disk.status, disk.ended_at, len(disk.done))
    ended = row.execution_id if row.snapshot.state.has_ended else None
    return row.path, row.results, of_disk, ended
