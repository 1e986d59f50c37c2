"""The actions of the plate manager: texts, shortcuts, icons, and when each is enabled."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from PyQt6.QtCore import QObject, Qt
from PyQt6.QtGui import QAction, QKeySequence, QPalette

from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.widgets.common.icons import Icon, make_icon
from openhcs_gui_services.widgets.plates.run_phase import PlateAction, RunPhase, plates_for, scope_text

__all__ = ["PlateActions"]

_NAMING: Final = (PlateAction.RUN, PlateAction.STOP)
"""The actions whose buttons have room for a name."""
_SHORT: Final = 18
"""Longest name of a plate on a button; the menus have the whole name."""


@dataclass(frozen=True)
class _Look:
    """``text`` is the text while the action applies to nothing; ``kind`` decides which plates it applies to."""

    text: str
    keys: str
    tooltip: str
    icon: Icon | None = None
    kind: PlateAction | None = None


_LOOKS: Final = MappingProxyType(
    {
        "add": _Look("&Add", "Ctrl+O", "Add plate folders, or a folder that has several", Icon.ADD),
        "remove": _Look("Re&move", "Ctrl+Backspace", "Remove {} from the list; files are kept", Icon.REMOVE,
                        PlateAction.REMOVE),
        "undo_remove": _Look("&Undo remove", "Ctrl+Z", "Add the plates again that were removed last"),
        "initialise": _Look("Rea&d", "Ctrl+I", "Read the folder of {} again", Icon.INIT, PlateAction.INIT),
        "compile": _Look("&Check", "Ctrl+B", "Check the pipeline of {}; nothing is written", Icon.COMPILE,
                         PlateAction.COMPILE),
        "run": _Look("&Run", "Ctrl+R", "Run {}", Icon.RUN, PlateAction.RUN),
        "run_wells": _Look("Run the selected &wells", "Ctrl+Shift+E", "Run only the wells selected in the map"),
        "run_rest": _Look("Run the res&t", "Ctrl+Alt+R", "Run the wells that are not done; the others are taken over"),
        "choose_wells": _Look("C&hoose wells...", "Ctrl+Shift+W",
                              "Choose wells by name, by plate map or as a sample, and run them"),
        "run_all": _Look("Run a&ll", "Ctrl+Shift+L", "Run all plates that are shown"),
        "stop": _Look("&Stop", "Ctrl+.", "Stop {}; finished wells are kept", Icon.STOP, PlateAction.STOP),
        "stop_all": _Look("Stop all &of them", "Ctrl+Shift+.", "Stop all runs of this window, and empty its queue"),
        "kill": _Look("&Force stop...", "Ctrl+Shift+K", "End the processes of {}, which does not stop by itself",
                      Icon.KILL, PlateAction.KILL),
        "resume": _Look("R&esume", "Ctrl+Shift+R", "Run the wells of {} that its last run has left", Icon.RESUME,
                        PlateAction.RESUME),
        "move_up": _Look("Move u&p in the queue", "Alt+Up", "Run the waiting plate earlier"),
        "move_down": _Look("Move dow&n in the queue", "Alt+Down", "Run the waiting plate later"),
        "view": _Look("&View", "Ctrl+E", "Show the images of the current plate in the viewer", Icon.VIEW),
        "results": _Look("Open resu&lts", "Ctrl+Shift+O", "Open the result folder of the current plate", Icon.RESULTS),
        "report": _Look("Repor&t", "Ctrl+Shift+P", "Write a report of the current plate and open it in the browser",
                        Icon.REPORT),
    }
)  # fmt: skip


class PlateActions(QObject):
    """A :class:`QAction` for each action; the owner connects ``triggered``.

    Run, Check, Stop and the others name the plates that they act on: the selected ones, or else the current one, never
    a plate that the filter hides.
    """

    def __init__(self, palette: QPalette, parent: QObject) -> None:
        super().__init__(parent)
        self._made = {name: self._make(look) for name, look in _LOOKS.items()}
        made = self._made
        self.add, self.remove, self.undo_remove = made["add"], made["remove"], made["undo_remove"]
        self.initialise, self.compile = made["initialise"], made["compile"]
        self.run, self.run_wells, self.run_rest = made["run"], made["run_wells"], made["run_rest"]
        self.choose_wells, self.run_all = made["choose_wells"], made["run_all"]
        self.stop, self.stop_all, self.kill = made["stop"], made["stop_all"], made["kill"]
        self.resume, self.move_up, self.move_down = made["resume"], made["move_up"], made["move_down"]
        self.view, self.results, self.report = made["view"], made["results"], made["report"]
        self.set_palette(palette)

    @property
    def all(self) -> list[QAction]:
        """All actions, in the order of a menu."""
        return list(self._made.values())

    def set_palette(self, palette: QPalette) -> None:
        """Draw the icons in these colours."""
        for name, action in self._made.items():
            icon = _LOOKS[name].icon
            if icon is not None:
                action.setIcon(make_icon(icon, palette))

    def button_of(self, phase: RunPhase) -> QAction:
        """Return the action that is most likely wanted in this phase."""
        return {RunPhase.IDLE: self.run, RunPhase.AT_WORK: self.stop}.get(phase, self.kill)

    def enable(
        self,
        chosen: Collection[PlateRow],
        current: PlateRow | None,
        shown: Sequence[PlateRow] = (),
        wells: Sequence[str] = (),
        *,
        is_full: bool = True,
    ) -> None:
        """Enable the actions that apply now, and name what they apply to.

        Args:
            chosen: the selected plates, or else the current one.
            current: the plate with the focus.
            shown: all plates that the filter shows.
            wells: the wells that are selected in the map of the current plate.
            is_full: whether the owner of the plates can run chosen wells, order the queue and undo a removal.
        """
        for name, look in _LOOKS.items():
            if look.kind is not None:
                self._scope(self._made[name], look, plates_for(look.kind, chosen), chosen)
        has_results = current is not None and bool(plates_for(PlateAction.RESULTS, [current]))
        self.view.setEnabled(current is not None)  # images can be shown before a run
        for action in (self.results, self.report):
            action.setEnabled(has_results)
        self._enable_all(shown)
        self._enable_wells(current, wells, is_full=is_full)
        self._enable_queue(chosen, is_full=is_full)

    def _enable_all(self, shown: Sequence[PlateRow]) -> None:
        idle = plates_for(PlateAction.RUN, shown)
        self.run_all.setEnabled(bool(idle))
        self.run_all.setText(f"Run a&ll {len(idle)} plates..." if len(idle) > 1 else "Run a&ll")
        self.stop_all.setEnabled(bool(plates_for(PlateAction.STOP, shown)))

    def _enable_wells(self, current: PlateRow | None, wells: Sequence[str], *, is_full: bool) -> None:
        is_idle = is_full and current is not None and bool(plates_for(PlateAction.RUN, [current]))
        name = "" if current is None else _escaped(current.name)
        self.choose_wells.setEnabled(is_idle)
        self.run_wells.setEnabled(is_idle and bool(wells))
        count = "1 &well" if len(wells) == 1 else f"{len(wells)} &wells"
        self.run_wells.setText(f"Run {count} of {name}" if wells and name else "Run the selected &wells")
        rest = 0 if current is None or not is_idle else current.rest
        self.run_rest.setEnabled(bool(rest))
        left = "1 well" if rest == 1 else f"{rest} wells"
        self.run_rest.setText(f"Run the res&t of {name} ({left})" if rest else "Run the res&t")

    def _enable_queue(self, chosen: Collection[PlateRow], *, is_full: bool) -> None:
        waiting = [row.snapshot.queue_position for row in chosen if row.snapshot.queue_position is not None]
        is_one = is_full and len(chosen) == 1 and len(waiting) == 1
        self.move_up.setEnabled(is_one and waiting[0] > 1)
        self.move_down.setEnabled(is_one)

    def _scope(self, action: QAction, look: _Look, paths: Sequence[str], chosen: Collection[PlateRow]) -> None:
        rows = [row for row in chosen if row.path in set(paths)]
        action.setEnabled(bool(rows))
        verb, dots = look.text.removesuffix("..."), "..." if look.text.endswith("...") else ""
        is_waiting = look.kind is PlateAction.STOP and all(row.snapshot.queue_position is not None for row in rows)
        verb = "Take out of the queue: &" if rows and is_waiting else f"{verb} "
        action.setText(f"{verb}{_escaped(scope_text(rows))}{dots}" if rows else look.text)
        short = "Take out" if rows and is_waiting else look.text.replace("&", "").removesuffix("...")
        names_plates = rows and look.kind in _NAMING
        action.setIconText(f"{short} {scope_text(rows, _SHORT)}" if names_plates else short)
        self._describe(action, look.tooltip.format(scope_text(rows) or "the selected plates"))

    def _make(self, look: _Look) -> QAction:
        action = QAction(look.text, self)
        action.setShortcut(QKeySequence(look.keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._describe(action, look.tooltip.format("the selected plates"))
        return action

    @staticmethod
    def _describe(action: QAction, text: str) -> None:
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{text} ({keys})")
        action.setStatusTip(text)


def _escaped(name: str) -> str:
    """Return a name for the text of an action, where an ampersand marks a key."""
    return name.replace("&", "&&")
