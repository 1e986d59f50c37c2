"""The plate manager: table, plate map and actions, from adding a plate to its results."""

import functools
from collections.abc import Callable, Sequence
from typing import assert_never

from PyQt6.QtCore import QByteArray, QEvent, QPoint, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QAction, QCursor, QDragEnterEvent, QDropEvent
from PyQt6.QtWidgets import QMenu, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.batch_text import batch_end_text, batch_text
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import (
    BatchChanged,
    BatchEnd,
    BatchEnded,
    LogLinesAdded,
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    PlatesRemoved,
    ServerState,
    ServerStateChanged,
    StatusMessage,
    WellsChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.widgets.plates.actions import PlateActions
from openhcs_gui_services.widgets.plates.commands import PlateCommands
from openhcs_gui_services.widgets.plates.host import PlateHost
from openhcs_gui_services.widgets.plates.manager_parts import PlateManagerParts
from openhcs_gui_services.widgets.plates.run_phase import BusyTime, RunPhase, run_phase
from openhcs_gui_services.widgets.plates.step_names import StepNames

__all__ = ["PlateManagerWidget"]

ASK_FROM_SECONDS = 300.0
"""Stopping asks first if it would lose more work than this."""


class PlateManagerWidget(QWidget):
    """Shows and controls the plates of a host such as :class:`PlateWorkspace`; the caller closes the host.

    Calls to the host need a running asyncio loop integrated with Qt (qasync); ``close_host_calls()`` cancels pending
    ones.

    Args:
        host: the owner of the plates.
        parent: the parent widget.
        ask_from_seconds: how much work may be lost without asking.
    """

    message = Signal(str, bool)
    """A message, and whether it is an error; the widget shows it as well."""
    server_changed = Signal(ServerState, str)
    """The state of the server, and a description of it, which may be empty."""
    current_changed = Signal(str)
    """The path of the plate with the focus; empty if there is none."""
    well_changed = Signal(str, str)
    """Path and ``axis_id`` of the current well; the latter is empty if there is none."""
    batch_ended = Signal(BatchEnd)
    """The last of the running and waiting plates has ended."""
    batch_changed = Signal(str)
    """The progress of all running and waiting plates in one line; empty if there are none."""
    asking = Signal()
    """A call to the host is about to start."""
    phase_changed = Signal(RunPhase)
    """The new phase of all runs of the window."""
    log_wanted = Signal(str, str)
    """Path and ``axis_id`` (empty for the whole plate) of the log to show."""
    images_wanted = Signal(str, str)
    """Path and ``axis_id`` (empty for the whole plate) of the images to show."""
    report_wanted = Signal(str)
    """Path of the plate whose report to write and open."""

    def __init__(
        self, host: PlateHost, parent: QWidget | None = None, *, ask_from_seconds: float = ASK_FROM_SECONDS
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._tasks = BackgroundTasks(functools.partial(self.show_message, is_error=True))
        self._clock = BusyTime()
        self._shown_phase = RunPhase.IDLE
        self._states: dict[str, PlateStatus] = {}
        self._current = ""
        self._shown_well = "", ""
        self._steps = StepNames()
        self.actions_ = PlateActions(self.palette(), self)
        self._parts = PlateManagerParts(self, self.actions_)
        self.table, self.map, self.details = self._parts.table, self._parts.map, self._parts.details
        self.map_bar = self._parts.map_bar
        self._commands = PlateCommands(
            host, self._parts, self.actions_, self._tasks, self._clock, ask_from_seconds, self
        )
        self.setAcceptDrops(True)
        self.setFocusProxy(self.table)
        self._connect()
        self._unsubscribe: Callable[[], None] | None = host.subscribe(self._on_event)
        self._add_rows(host.rows())
        self._update_actions()

    # --- for the program -----------------------------------------------------------------------------------------

    @property
    def phase(self) -> RunPhase:
        """The phase of all runs of the window."""
        states = (row.snapshot.state for row in self._host.rows())
        return run_phase(states, False, self._commands.kill_asked)

    @property
    def current(self) -> PlateRow | None:
        """The plate with the focus, which the map shows; never one that the filter hides."""
        return self.table.plates.row_of(self._current)

    def selected_rows(self) -> list[PlateRow]:
        """Return the selected plates."""
        plates = self.table.plates
        return [row for path in self.table.selected_paths() if (row := plates.row_of(path)) is not None]

    def select_well(self, path: str, axis_id: str) -> None:
        """Show a plate that is not hidden by the filter, and select one of its wells."""
        if path != self._current:
            self.table.select_paths([path], path)
        if path == self._current:
            self.map.select(axis_id or None)

    def add_plates(self, paths: Sequence[str]) -> None:
        """Add these folders, read them and select them; a folder that has several plates offers them."""
        self._commands.add(paths)

    def show_message(self, text: str, is_error: bool = False) -> None:
        """Show a message below the plates, until another plate is shown or something else is done."""
        self._say(text, is_error, self._current)

    def save_state(self) -> QByteArray:
        """Return the positions of columns and splitters."""
        return self._parts.save_state()

    def restore_state(self, state: object) -> None:
        """Restore columns and splitters; an invalid state is ignored."""
        if isinstance(state, QByteArray):
            self._parts.restore_state(state)

    async def close_host_calls(self) -> None:
        """Unsubscribe from the host and cancel pending calls. May be called twice."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self._tasks.close()

    # --- Qt overrides --------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept folders anywhere."""
        if event is not None and _folders(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Add the dropped folders."""
        if event is not None and (paths := _folders(event)):
            event.acceptProposedAction()
            self.add_plates(paths)

    def changeEvent(self, event: QEvent | None) -> None:
        """Redraw the icons when the palette changes."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.actions_.set_palette(self.palette())
        elif event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._parts.buttons.fit()

    # --- events of the host --------------------------------------------------------------------------------------

    def _on_event(self, event: WorkspaceEvent) -> None:
        match event:
            case PlatesAdded(rows):
                self._add_rows(rows)
                self._on_rows(rows)
            case PlatesChanged(rows):
                self.table.plates.change_rows(rows)
                self._on_rows(rows)
            case PlatesRemoved(paths):
                self.table.plates.remove_rows(paths)
                for path in paths:
                    self._states.pop(path, None)
                self._on_plate_selected()
            case WellsChanged(path, wells):
                self._clock.apply(path, wells)
                if path == self._current:
                    self._steps.apply(wells)
                    self.map.change_wells(wells)
            case StatusMessage(text, is_error, path):
                self._say(text, is_error, path)
            case ServerStateChanged(state, text):
                self._parts.show_server(state, text)
                self.server_changed.emit(state, text)
            case BatchEnded(end):
                self._parts.messages.say_end(batch_end_text(end), bool(end.failed or end.unfinished))
                self.batch_ended.emit(end)
            case BatchChanged(batch):
                self._parts.messages.show_batch(batch_text(batch))
                self.batch_changed.emit(batch_text(batch))
            case LogLinesAdded():
                pass  # for a log window
            case _:
                assert_never(event)

    def _add_rows(self, rows: Sequence[PlateRow]) -> None:
        self.table.plates.add_rows(rows)
        self.table.plates.arrange([row.path for row in self._host.rows()])
        self._states.update((row.path, row.snapshot.state) for row in rows)
        if rows and self.table.current_path() is None:
            self.table.select_paths([], rows[0].path)

    def _say(self, text: str, is_error: bool, path: str) -> None:
        self._parts.messages.say(text, is_error, path)
        self.message.emit(text, is_error)

    def _on_rows(self, rows: Sequence[PlateRow]) -> None:
        for row in rows:
            state = row.snapshot.state
            if self._states.get(row.path, state) is not state:
                self._parts.messages.forget(row.path)  # what it says of the plate is no longer so
            self._states[row.path] = state
            if not state.is_working:
                self._clock.forget(row.path)
            if row.path == self._current:
                self._parts.show_current(row)
                self._show_well()
        self._parts.pacer.request()

    # --- selection -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        actions, parts, commands = self.actions_, self._parts, self._commands
        parts.pacer.frame.connect(self._update_actions)
        commands.asking.connect(self.asking)
        commands.changed.connect(self._update_actions)
        self.table.plates_selected.connect(self._on_plate_selected)
        self.table.plate_activated.connect(lambda _: self.map.setFocus())
        self.table.place_wanted.connect(commands.move)
        self.table.customContextMenuRequested.connect(self._show_table_menu)
        self.map.customContextMenuRequested.connect(self._show_map_menu)
        self.map.selection_changed.connect(self._show_well)
        self.map.selection_changed.connect(parts.pacer.request)
        self.map.well_activated.connect(lambda axis_id: self.log_wanted.emit(self._current, axis_id))
        for source in (self.map, self.details):
            source.cancel_wanted.connect(commands.cancel_well)
        self.details.images_wanted.connect(lambda axis_id: self.images_wanted.emit(self._current, axis_id))
        self.details.log_wanted.connect(lambda axis_id: self.log_wanted.emit(self._current, axis_id))
        actions.view.triggered.connect(lambda: self.images_wanted.emit(self._current, ""))
        actions.report.triggered.connect(lambda: self.report_wanted.emit(self._current))
        parts.filter.textChanged.connect(self.table.plates.set_filter)

    def _on_plate_selected(self) -> None:
        current = self.table.current_path() or ""
        if current != self._current:
            self._current = current
            self._parts.messages.leave(current)
            wells = self._host.wells(current) if current else ()
            self._steps = StepNames(wells)
            self.map.set_wells(wells)
            self._parts.show_current(self.current)
            self.current_changed.emit(current)
        self._update_actions()

    def _show_well(self) -> None:
        place = self._current, self.map.selected or ""
        if place != self._shown_well:
            self._shown_well = place
            self.well_changed.emit(*place)
        well = None if self.map.selected is None else self.map.well(self.map.selected)
        row = self.current
        names = {} if row is None or well is None else self._steps.known(row.steps, well.total_steps)
        self.details.show_well(
            well,
            names,
            has_output=row is not None,  # images can be shown before a run
            has_log=_has_log(row),
        )
        self.details.allow_cancel(row is not None and row.snapshot.state.is_working)

    def _update_actions(self) -> None:
        phase = self.phase
        if phase is RunPhase.IDLE:
            self._commands.settle()
        commands, actions = self._commands, self.actions_
        shown, wells = self.table.plates.shown_rows, self.map.selected_wells
        actions.enable(commands.chosen(), self.current, shown, wells, is_full=commands.is_full)
        actions.undo_remove.setEnabled(commands.can_undo_remove)
        if phase is not self._shown_phase:
            self._shown_phase = phase
            self.phase_changed.emit(phase)

    # --- menus ---------------------------------------------------------------------------------------------------

    def _show_table_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.addActions(self.actions_.all)
        menu.addAction(self._action(menu, "Show lo&g", lambda: self.log_wanted.emit(self._current, ""), True))
        self._popup(menu, self.table.viewport(), point)

    def _show_map_menu(self, point: QPoint) -> None:
        """Offer actions on the wells below the pointer, or on the selected ones if the keyboard asks."""
        if self._current == "":
            return
        by_mouse = self.map.mapFromGlobal(QCursor.pos()) == point
        below = self.map.axis_at(point)
        if by_mouse and below is not None and below not in self.map.selected_wells:
            self.map.select(below)
        axis_id = self.map.selected if below is not None or not by_mouse else None
        if axis_id is not None and not by_mouse:
            point = self.map.rect_of(axis_id).center()
        menu = QMenu(self)
        if axis_id is not None:
            menu.addActions(self._well_actions(menu, axis_id))
            menu.addSeparator()
        actions = self.actions_
        menu.addActions([actions.run_wells, actions.run_rest, actions.choose_wells])
        self._popup(menu, self.map, point)

    def _well_actions(self, menu: QMenu, axis_id: str) -> list[QAction]:
        row, well = self.current, self.map.well(axis_id)
        is_running = row is not None and row.snapshot.state.is_working and well is not None
        can_cancel = is_running and well is not None and not well.state.has_ended
        path = self._current
        images, log = self.images_wanted, self.log_wanted
        return [
            self._action(menu, "Show &images", lambda: images.emit(path, axis_id), row is not None),
            self._action(menu, "Show &log", lambda: log.emit(path, axis_id), _has_log(row)),
            self._action(menu, f"&Cancel well {axis_id}", lambda: self._commands.cancel_well(axis_id), can_cancel),
        ]

    @staticmethod
    def _action(menu: QMenu, text: str, call: Callable[[], object], enabled: bool) -> QAction:
        action = QAction(text, menu)
        action.setEnabled(enabled)
        action.triggered.connect(lambda: call() and None)
        return action

    def _popup(self, menu: QMenu, widget: QWidget | None, point: QPoint) -> None:
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(point if widget is None else widget.mapToGlobal(point))


def _has_log(row: PlateRow | None) -> bool:
    return row is not None and (row.execution_id is not None or row.found is not None)


def _folders(event: QDragEnterEvent | QDropEvent) -> list[str]:
    data = event.mimeData()
    return [] if data is None else [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
