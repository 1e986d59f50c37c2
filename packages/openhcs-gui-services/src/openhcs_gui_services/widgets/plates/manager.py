"""The plate manager: table, plate map and actions, from adding a plate to its results."""

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import assert_never

from PyQt6.QtCore import QByteArray, QEvent, QPoint, Qt, QUrl, pyqtSignal as Signal
from PyQt6.QtGui import QAction, QDesktopServices, QDragEnterEvent, QDropEvent, QResizeEvent
from PyQt6.QtWidgets import QFileDialog, QMenu, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
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
from openhcs_gui_services.widgets.plates.host import PlateHost
from openhcs_gui_services.widgets.plates.manager_parts import PlateManagerParts
from openhcs_gui_services.widgets.plates.run_phase import BusyTime, PlateAction, RunPhase, plates_for, run_phase
from openhcs_gui_services.widgets.plates.step_names import StepNames
from openhcs_gui_services.widgets.plates.stop_question import StopAnswer, StopQuestion

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
    asking = Signal()
    """A call to the host is about to start."""
    phase_changed = Signal(RunPhase)
    """The new phase of Run, Stop and Force Kill."""
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
        self._ask_from = ask_from_seconds
        self._tasks = BackgroundTasks(functools.partial(self.show_message, is_error=True))
        self._clock = BusyTime()
        self._stop_asked = self._kill_asked = False
        self._shown_phase = RunPhase.IDLE
        self._question: StopQuestion | None = None
        self._current = ""
        self._shown_well = "", ""
        self._steps = StepNames()
        self.actions_ = PlateActions(self.palette(), self)
        self._parts = PlateManagerParts(self, self.actions_)
        self.table, self.map, self.details = self._parts.table, self._parts.map, self._parts.details
        self.map_bar = self._parts.map_bar
        self.setAcceptDrops(True)
        self.setFocusProxy(self.table)
        self._connect()
        self._unsubscribe: Callable[[], None] | None = host.subscribe(self._on_event)
        self._add_rows(host.rows())
        self._update_actions()

    # --- for the program -----------------------------------------------------------------------------------------

    @property
    def phase(self) -> RunPhase:
        """The phase of Run, Stop and Force Kill."""
        states = (row.snapshot.state for row in self._host.rows())
        return run_phase(states, self._stop_asked, self._kill_asked)

    @property
    def current(self) -> PlateRow | None:
        """The plate with the focus."""
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
        """Add these folders and read them."""
        if paths:
            self._start(self._add(list(paths)), "Adding plates")

    def show_message(self, text: str, is_error: bool = False) -> None:
        """Show a message below the table."""
        self._parts.show_message(text, is_error)
        self.message.emit(text, is_error)

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

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the buttons to the width."""
        super().resizeEvent(event)
        self._parts.fit(self.width())

    def changeEvent(self, event: QEvent | None) -> None:
        """Redraw the icons when the palette changes."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self.actions_.set_palette(self.palette())

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
                self._on_plate_selected()
            case WellsChanged(path, wells):
                self._clock.apply(path, wells)
                if path == self._current:
                    self._steps.apply(wells)
                    self.map.change_wells(wells)
            case StatusMessage(text, is_error):
                self.show_message(text, is_error)
            case ServerStateChanged(state, text):
                self._parts.show_server(state, text)
                self.server_changed.emit(state, text)
            case BatchEnded(end):
                self.batch_ended.emit(end)
            case LogLinesAdded() | BatchChanged():
                pass  # for a log window
            case _:
                assert_never(event)

    def _add_rows(self, rows: Sequence[PlateRow]) -> None:
        self.table.plates.add_rows(rows)
        if rows and self.table.current_path() is None:
            self.table.select_paths([], rows[0].path)

    def _on_rows(self, rows: Sequence[PlateRow]) -> None:
        for row in rows:
            if not row.snapshot.state.is_working:
                self._clock.forget(row.path)
            if row.path == self._current:
                self._show_well()
        self._parts.pacer.request()

    # --- selection -----------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        actions, parts = self.actions_, self._parts
        parts.pacer.frame.connect(self._update_actions)
        self.table.plates_selected.connect(self._on_plate_selected)
        self.table.plate_activated.connect(lambda _: self.map.setFocus())
        self.table.customContextMenuRequested.connect(self._show_table_menu)
        self.map.customContextMenuRequested.connect(self._show_map_menu)
        self.map.selection_changed.connect(self._show_well)
        self.map.well_activated.connect(lambda axis_id: self.log_wanted.emit(self._current, axis_id))
        for source in (self.map, self.details):
            source.cancel_wanted.connect(self._cancel_well)
        self.details.images_wanted.connect(lambda axis_id: self.images_wanted.emit(self._current, axis_id))
        self.details.log_wanted.connect(lambda axis_id: self.log_wanted.emit(self._current, axis_id))
        actions.add.triggered.connect(self._choose_folder)
        actions.remove.triggered.connect(self._remove)
        actions.initialise.triggered.connect(lambda: self._do(PlateAction.INIT, self._host.initialise, "Init"))
        actions.compile.triggered.connect(lambda: self._do(PlateAction.COMPILE, self._host.compile, "Compile"))
        actions.run.triggered.connect(self._run)
        actions.resume.triggered.connect(lambda: self._do(PlateAction.RESUME, self._host.resume, "Resume"))
        actions.stop.triggered.connect(self._ask_to_stop)
        actions.kill.triggered.connect(self._ask_to_kill)
        actions.view.triggered.connect(lambda: self.images_wanted.emit(self._current, ""))
        actions.results.triggered.connect(self._open_results)
        actions.report.triggered.connect(lambda: self.report_wanted.emit(self._current))
        parts.filter.textChanged.connect(self.table.plates.set_filter)

    def _on_plate_selected(self) -> None:
        current = self.table.current_path() or ""
        if current != self._current:
            self._current = current
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
        has_output = row is not None  # images can be shown before a run
        has_log = row is not None and row.execution_id is not None
        names = {} if row is None or well is None else self._steps.known(row.pipeline, well.total_steps)
        self.details.show_well(well, names, has_output=has_output, has_log=has_log)

    def _chosen(self) -> list[PlateRow]:
        """The selected plates, or all if none are selected."""
        return self.selected_rows() or self.table.plates.rows

    def _update_actions(self) -> None:
        phase = self.phase
        if phase is RunPhase.IDLE:
            self._stop_asked = self._kill_asked = False
            if self._question is not None:
                self._question.reject()  # there is nothing left to stop
        self.actions_.enable(self._chosen(), self.current, phase)
        self.actions_.remove.setEnabled(bool(plates_for(PlateAction.REMOVE, self.selected_rows())))
        self._parts.show_run_button(self.actions_.button_of(phase))
        if phase is not self._shown_phase:
            self._shown_phase = phase
            self.phase_changed.emit(phase)

    # --- user actions --------------------------------------------------------------------------------------------

    def _start(self, work: Coroutine[object, object, None], purpose: str) -> None:
        self.asking.emit()
        self._tasks.start(work, purpose)

    def _do(
        self, action: PlateAction, call: Callable[[Sequence[str]], Coroutine[object, object, object]], purpose: str
    ) -> None:
        paths = plates_for(action, self._chosen())
        if paths:
            self._start(_awaited(call(paths)), purpose)

    def _choose_folder(self) -> None:
        dialog = QFileDialog(self, "Add a plate folder")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.filesSelected.connect(self.add_plates)
        dialog.open()

    async def _add(self, paths: list[str]) -> None:
        known = {row.path for row in self._host.rows()}
        await self._host.add(paths)
        await self._host.initialise([row.path for row in self._host.rows() if row.path not in known])

    def _remove(self) -> None:
        paths = plates_for(PlateAction.REMOVE, self.selected_rows())
        if paths:
            self._start(_awaited(self._host.remove(paths)), "Removing plates")

    def _run(self) -> None:
        self._stop_asked = self._kill_asked = False
        self._do(PlateAction.RUN, self._host.run, "Run")

    def _ask_to_stop(self) -> None:
        if self._clock.seconds <= self._ask_from:
            self._take_answer(StopAnswer.NOW)
        else:
            self._ask(kills=False)

    def _ask_to_kill(self) -> None:
        if self._clock.seconds <= self._ask_from:
            self._take_answer(StopAnswer.KILL)
        else:
            self._ask(kills=True)

    def _ask(self, *, kills: bool) -> None:
        if self._question is None:
            self._question = StopQuestion(self._clock.wells, self._clock.seconds, kills=kills, parent=self)
            self._question.answered.connect(self._on_answer)
            self._question.open()

    def _on_answer(self, answer: StopAnswer) -> None:
        self._question = None
        self._take_answer(answer)

    def _take_answer(self, answer: StopAnswer) -> None:
        match answer:
            case StopAnswer.KEEP_RUNNING:
                return
            case StopAnswer.KILL:
                self._kill_asked = True
                self.show_message("Killing the processes")
                self._start(_awaited(self._host.stop(graceful=False)), "Force Kill")
            case StopAnswer.NOW:
                self.show_message("Stopping")
                self._start(_awaited(self._host.stop(graceful=True)), "Stopping")
            case StopAnswer.AFTER_WELLS:
                self.show_message("Stopping after the wells that are being worked on")
                self._start(_awaited(self._host.stop_after_wells()), "Stopping")
        self._stop_asked = True
        self._update_actions()

    def _cancel_well(self, axis_id: str) -> None:
        if self._current:
            self.show_message(f"Stopping well {axis_id}")
            self._start(_awaited(self._host.cancel_well(self._current, axis_id)), f"Stopping well {axis_id}")

    def _open_results(self) -> None:
        row = self.current
        if row is not None and row.output is not None and not QDesktopServices.openUrl(QUrl.fromLocalFile(row.output)):
            self.show_message(f"No program found to open folders; the results are in {row.output}", True)

    def _show_table_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        menu.addActions(self.actions_.all)
        log = menu.addAction("Show &log")
        assert log is not None
        log.setEnabled(bool(self._current))
        log.triggered.connect(lambda: self.log_wanted.emit(self._current, ""))
        self._popup(menu, self.table.viewport(), point)

    def _show_map_menu(self, point: QPoint) -> None:
        axis_id = self.map.selected
        if axis_id is None:
            return
        menu = QMenu(self)
        row = self.current
        for text, call, enabled in (
            (f"&Cancel well {axis_id}", lambda: self._cancel_well(axis_id), self.phase is not RunPhase.IDLE),
            ("Show &images", lambda: self.images_wanted.emit(self._current, axis_id), row is not None),
            ("Show &log", lambda: self.log_wanted.emit(self._current, axis_id), bool(row and row.execution_id)),
        ):
            action = QAction(text, menu)
            action.setEnabled(enabled)
            action.triggered.connect(call)
            menu.addAction(action)
        self._popup(menu, self.map, point)

    def _popup(self, menu: QMenu, widget: QWidget | None, point: QPoint) -> None:
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(point if widget is None else widget.mapToGlobal(point))


async def _awaited(call: Coroutine[object, object, object]) -> None:
    await call


def _folders(event: QDragEnterEvent | QDropEvent) -> list[str]:
    data = event.mimeData()
    return [] if data is None else [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
