"""The menu that selects wells of a plate map: all, none, by state, by what is in them, or a sample."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QWidget

from openhcs_gui_services.widgets.plates.map import PlateMap
from openhcs_gui_services.widgets.plates.well_choice import offered_columns
from openhcs_gui_services.widgets.plates.well_dialogs import SampleDialog, WhereDialog
from zmqruntime.execution import AxisState

if TYPE_CHECKING:
    from openhcs_runtime.plate_map import PlateMap as WellContents

__all__ = ["SelectMenu"]

_NO_MAP = "The plate has no plate map"


class SelectMenu(QMenu):
    """Selects wells of a map. Its actions are also for menus of the window; they are up to date when it opens."""

    def __init__(self, plate_map: PlateMap, parent: QWidget | None = None) -> None:
        super().__init__("Se&lect wells", parent)
        self._map = plate_map
        self._contents: WellContents | None = None
        self._problem = ""
        self.all_wells = self._add("&All", lambda: self._names, "Ctrl+A in the map")
        self.no_wells = self._add("&None", lambda: [], "Run then works on the whole plate")
        self.other_wells = self._add("&Others", self._others, "The wells that are not selected now")
        self.addSeparator()
        self.failed = self._add("&Failed", lambda: self._in(AxisState.FAILED))
        self.open = self._add("Not &complete", self._not_complete, "Waiting, running, failed and cancelled wells")
        self.addSeparator()
        self._by_map = QMenu("By plate &map", self)
        self.addMenu(self._by_map)
        self.sample = QAction("&Sample...", self)
        self.sample.triggered.connect(self._ask_sample)
        self.addAction(self.sample)
        self.aboutToShow.connect(self._update)

    def set_plate_map(self, contents: "WellContents | None", problem: str = "") -> None:
        """Set what is in the wells.

        Args:
            contents: the plate map of the plate; None if there is none.
            problem: why it can't be read, if there is one.
        """
        self._contents, self._problem = contents, problem
        self._update()

    @property
    def _names(self) -> list[str]:
        return [well.axis_id for well in self._map.wells()]

    def _add(self, text: str, names: Callable[[], Sequence[str]], tip: str = "") -> QAction:
        action = QAction(text, self)
        action.setToolTip(tip or text.replace("&", ""))
        action.triggered.connect(lambda: self._map.select_wells(names()))
        self.addAction(action)
        return action

    def _others(self) -> list[str]:
        selected = set(self._map.selected_wells)
        return [name for name in self._names if name not in selected]

    def _in(self, state: AxisState) -> list[str]:
        return [well.axis_id for well in self._map.wells() if well.state is state]

    def _not_complete(self) -> list[str]:
        return [well.axis_id for well in self._map.wells() if well.state is not AxisState.COMPLETE]

    def _update(self) -> None:
        names, failed, unfinished = self._names, self._in(AxisState.FAILED), self._not_complete()
        self.failed.setText(f"&Failed ({len(failed)})" if failed else "&Failed")
        self.open.setText(f"Not &complete ({len(unfinished)})" if unfinished else "Not &complete")
        for action, is_useful in (
            (self.all_wells, names),
            (self.no_wells, self._map.selected_wells),
            (self.other_wells, self._map.selected_wells),
            (self.failed, failed),
            (self.open, unfinished),
            (self.sample, names),
        ):
            action.setEnabled(bool(is_useful))
        self._fill_by_map(names)

    def _fill_by_map(self, names: list[str]) -> None:
        menu = self._by_map
        for submenu in menu.findChildren(QMenu):
            submenu.deleteLater()
        menu.clear()
        contents = self._contents
        if contents is None:
            hint = menu.addAction(self._problem or _NO_MAP)
            assert hint is not None
            hint.setEnabled(False)
            return
        for column, groups in offered_columns(contents, names).items():
            submenu = QMenu(column.replace("&", "&&"), menu)
            menu.addMenu(submenu)
            for value, wells in groups.items():
                action = QAction(f"{value} ({len(wells)})".replace("&", "&&"), submenu)
                action.triggered.connect(lambda _=False, chosen=wells: self._map.select_wells(chosen))
                submenu.addAction(action)
        where = QAction("&Where...", menu)
        where.triggered.connect(self._ask_where)
        menu.addAction(where)

    def _ask_where(self) -> None:
        if self._contents is not None:
            dialog = WhereDialog(self._contents, self._names, self._map)
            dialog.chosen.connect(self._map.select_wells)
            dialog.open()

    def _ask_sample(self) -> None:
        dialog = SampleDialog(self._contents, self._names, self._map)
        dialog.chosen.connect(self._map.select_wells)
        dialog.open()
