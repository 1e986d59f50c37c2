"""The actions of the plate manager: texts, shortcuts, icons, and when each is enabled."""

from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QKeySequence, QPalette

from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.widgets.common.icons import Icon, make_icon
from openhcs_gui_services.widgets.plates.run_phase import PlateAction, RunPhase, plates_for

__all__ = ["PlateActions"]

_SCOPE = "the selected plates, or all if none are selected"


@dataclass(frozen=True)
class _Look:
    icon: Icon
    text: str
    keys: str
    tooltip: str


_LOOKS = MappingProxyType(
    {
        Icon.ADD: _Look(Icon.ADD, "&Add", "Ctrl+O", "Add plate folders"),
        Icon.REMOVE: _Look(
            Icon.REMOVE, "Re&move", "Ctrl+Backspace", "Remove the selected plates from the list; files are kept"
        ),
        Icon.INIT: _Look(Icon.INIT, "&Init", "Ctrl+I", f"Read {_SCOPE}"),
        Icon.COMPILE: _Look(Icon.COMPILE, "&Compile", "Ctrl+B", f"Check the pipelines of {_SCOPE}"),
        Icon.RUN: _Look(Icon.RUN, "&Run", "Ctrl+R", f"Run {_SCOPE}"),
        Icon.STOP: _Look(Icon.STOP, "&Stop", "Ctrl+.", "Stop the runs of this window; finished wells are kept"),
        Icon.KILL: _Look(Icon.KILL, "Force &Kill", "Ctrl+Shift+K", "Kill the processes of this window's runs at once"),
        Icon.RESUME: _Look(Icon.RESUME, "R&esume", "Ctrl+Shift+R", "Run the wells that earlier runs have not finished"),
        Icon.VIEW: _Look(Icon.VIEW, "&View", "Ctrl+E", "Show the results of the current plate in the viewer"),
        Icon.RESULTS: _Look(Icon.RESULTS, "&Open results", "Ctrl+Shift+O", "Open the result folder"),
        Icon.REPORT: _Look(
            Icon.REPORT, "Re&port", "Ctrl+Shift+P", "Write a report of the current plate and open it in the browser"
        ),
    }
)


class PlateActions(QObject):
    """A :class:`QAction` for each action; the owner connects ``triggered``."""

    def __init__(self, palette: QPalette, parent: QObject) -> None:
        super().__init__(parent)
        self._made = {icon: self._make(look) for icon, look in _LOOKS.items()}
        self.add, self.remove = self._made[Icon.ADD], self._made[Icon.REMOVE]
        self.initialise, self.compile = self._made[Icon.INIT], self._made[Icon.COMPILE]
        self.run, self.stop, self.kill = self._made[Icon.RUN], self._made[Icon.STOP], self._made[Icon.KILL]
        self.resume, self.view = self._made[Icon.RESUME], self._made[Icon.VIEW]
        self.results, self.report = self._made[Icon.RESULTS], self._made[Icon.REPORT]
        self.set_palette(palette)

    @property
    def all(self) -> list[QAction]:
        """All actions, in the order of the buttons."""
        return list(self._made.values())

    def set_palette(self, palette: QPalette) -> None:
        """Draw the icons in these colours."""
        for icon, action in self._made.items():
            action.setIcon(make_icon(icon, palette))

    def button_of(self, phase: RunPhase) -> QAction:
        """Return the action of the run button in this phase."""
        return {RunPhase.IDLE: self.run, RunPhase.AT_WORK: self.stop}.get(phase, self.kill)

    def enable(self, chosen: Collection[PlateRow], current: PlateRow | None, phase: RunPhase) -> None:
        """Enable the actions that apply now.

        Args:
            chosen: the selected plates, or all if none are selected.
            current: the plate with the focus.
            phase: the phase of the run button.
        """
        self.initialise.setEnabled(bool(plates_for(PlateAction.INIT, chosen)))
        self.compile.setEnabled(bool(plates_for(PlateAction.COMPILE, chosen)))
        self.run.setEnabled(bool(plates_for(PlateAction.RUN, chosen)))
        self.resume.setEnabled(bool(plates_for(PlateAction.RESUME, chosen)))
        self.stop.setEnabled(phase is RunPhase.AT_WORK)
        self.kill.setEnabled(phase is RunPhase.STOPPING)
        has_output = current is not None and bool(plates_for(PlateAction.RESULTS, [current]))
        self.view.setEnabled(current is not None)  # images can be shown before a run
        self.results.setEnabled(has_output)
        self.report.setEnabled(current is not None and bool(plates_for(PlateAction.REPORT, [current])))

    def _make(self, look: _Look) -> QAction:
        action = QAction(look.text, self)
        keys = QKeySequence(look.keys)
        action.setShortcut(keys)
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        written = keys.toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{look.tooltip} ({written})")
        action.setStatusTip(look.tooltip)
        return action
