"""The panes of the window and their connections to the plates; each pane is created when first shown."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QSettings, Qt, QUrl
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services import widgets
from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.log import LogFilter, LogLines
from openhcs_gui_services.services.notice_plates import batch_end_of
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.values import (
    BatchEnded,
    LogLinesAdded,
    PlateRow,
    PlatesAdded,
    PlatesChanged,
    WorkspaceEvent,
)
from openhcs_gui_services.services.report import report_path, write_report
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.services.servers.nodes import ServerAddress
from openhcs_gui_services.services.settings import WindowSettings, apply_keys
from openhcs_gui_services.services.viewing import ImagesViewer, ViewRequest
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.settings.dialog import SettingsDialog, load_settings, save_settings
from openhcs_gui_services.window.docks import PaneSpec
from openhcs_gui_services.window.first_numbers import FirstNumbers
from openhcs_gui_services.window.history_client import WindowHistory
from openhcs_gui_services.window.look_link import LookLink
from openhcs_gui_services.window.look_memory import keep_look, restore_look
from openhcs_gui_services.window.main_window import MainWindow
from openhcs_gui_services.window.map_link import MapLink
from openhcs_gui_services.window.notices_link import NoticesLink
from openhcs_gui_services.window.welcome_link import WelcomeLink
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.security import KeyStore

if TYPE_CHECKING:
    from openhcs_gui_services.services.numbers.places import ObjectPlace
    from openhcs_gui_services.window.images_link import ImagesLink
    from openhcs_gui_services.window.tuning_link import TuningLink

__all__ = ["WindowPanes", "run_settings"]

IMAGES, PIPELINE, NUMBERS, LAYOUT = "images", "pipeline", "numbers", "layout"
LOG, HISTORY, SERVERS = "log", "history", "servers"
_DEFAULT_VIEWER = "napari"


def run_settings(settings: WindowSettings) -> RunSettings:
    """Return those settings of a window that apply to runs."""
    workers = settings.workers
    return RunSettings(
        num_workers="auto" if isinstance(workers, str) else workers,
        view=settings.viewer or None,
        output_dir=settings.output_dir or None,
        pattern=settings.pattern or None,
        plate_format=settings.plate_format or None,
        pages=settings.pages or None,
    )


class WindowPanes:
    """The panes Pipeline, Log, History and Servers, and the settings dialog."""

    def __init__(
        self,
        workspace: PlateWorkspace,
        store: QSettings,
        host: str | None,
        port: int,
        *,
        open_url: Callable[[QUrl], bool] = QDesktopServices.openUrl,
    ) -> None:
        self._workspace = workspace
        self._store = store
        self._host, self._port = host, port
        self._open_url = open_url
        self._reported: set[str] = set()
        """Plates whose report is being written."""
        self._settings = load_settings(store)
        self._tasks = BackgroundTasks(self._show_error)
        self._images_viewer = ImagesViewer(self._say)
        self._lines = LogLines()
        self._names: dict[str, str] = {}
        self._heard: set[str] = set()
        """Executions whose log lines are present, received live or read from the server."""
        self._log: widgets.LogView | None = None
        self._pipeline: widgets.PipelinePane | None = None
        self._images: ImagesLink | None = None
        self._tuning: TuningLink | None = None
        self.layout: widgets.LayoutPane | None = None
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._leave = workspace.subscribe(self._on_event)

    def specs(self) -> Sequence[PaneSpec]:
        """Return the panes, in the order of the menu."""
        right, bottom = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        return [
            PaneSpec(IMAGES, "Images", "Ctrl+5", right, self._make_images, is_open=True),
            PaneSpec(PIPELINE, "Pipeline", "Ctrl+1", right, self._make_pipeline, is_open=True),
            PaneSpec(NUMBERS, "Numbers", "Ctrl+6", right, self._make_numbers, is_open=True),
            PaneSpec(LAYOUT, "Layout", "Ctrl+7", right, self._make_layout, is_open=True),
            PaneSpec(LOG, "Log", "Ctrl+2", bottom, self._make_log),
            PaneSpec(HISTORY, "History", "Ctrl+3", bottom, self._make_history),
            PaneSpec(SERVERS, "Servers", "Ctrl+4", bottom, self._make_servers),
        ]

    def connect(self, window: MainWindow) -> None:
        """Connect to the window; called once, after the plate manager has been created."""
        self._window = window
        manager = window.manager
        self._map = MapLink(manager, self._workspace, self._tasks)
        self._closers.append(self._map.close)
        manager.images_wanted.connect(self._show_images)
        manager.log_wanted.connect(self._show_log)
        manager.report_wanted.connect(self._want_report)
        manager.map.look_changed.connect(self._on_look)
        self._first_numbers = FirstNumbers(manager, self._workspace)
        keep_look(manager.map, self._store)
        window.usable.connect(self._restore_look)
        self._look = LookLink(window, manager, self._workspace, self._tasks)
        WelcomeLink(window.welcome, manager, self._workspace, self._store, self._tasks)
        self.notices = NoticesLink(lambda: self._settings, self._say, self._tasks, window.windowIcon(), window)
        window.settings_action.setVisible(True)
        window.settings_action.triggered.connect(self._ask_settings)

    def close_then(self, go: Callable[[], None]) -> None:
        """Call ``go`` once closing the window would lose nothing.

        The workspace keeps the pipelines of its plates even if they have no file; any other text has to be saved.
        """
        pane, layout = self._pipeline, self.layout
        go_on = go if layout is None else lambda: layout.discard_then(go)
        if pane is None or any(row.pipeline == pane.source() for row in self._workspace.rows()):
            go_on()
        else:
            pane.discard_then(go_on)

    async def close(self) -> None:
        """Stop everything that the panes have started."""
        self._leave()
        self._first_numbers.end()
        self._look.end()
        await self._tasks.close()
        for close in self._closers:
            await close()

    def _show_error(self, text: str) -> None:
        self._window.manager.show_message(text, True)

    # --- panes ---------------------------------------------------------------------------------------------------

    def _make_pipeline(self) -> QWidget:
        # Loads the function library and a parser, which the other panes don't need.
        from openhcs_gui_services.window.pipeline_link import PipelineLink  # noqa: PLC0415

        self._pipeline = widgets.PipelinePane()
        PipelineLink(self._pipeline, self._window.manager, self._workspace, self._tasks)
        if self._tuning is not None:
            self._tuning.set_pipeline_pane(self._pipeline)
        return self._pipeline

    def _make_images(self) -> QWidget:
        from openhcs_gui_services.window.images_link import ImagesLink  # noqa: PLC0415  loads superqt
        from openhcs_gui_services.window.side_by_side import SideBySide  # noqa: PLC0415  as above
        from openhcs_gui_services.window.tuning_link import link_tuning  # noqa: PLC0415  as above

        pane = widgets.ImagesPane()
        self._closers.append(pane.close_reads)
        pane.reread.connect(self._read_again)
        self._images = ImagesLink(pane, self._window.manager, self._workspace, self._open_viewer)
        self._tuning = link_tuning(pane, self._window.manager, self._store)
        SideBySide(self._window, self._window.docks, (IMAGES, PIPELINE), self._tuning.strip)
        self._closers.append(self._tuning.close)
        if self._pipeline is not None:
            self._tuning.set_pipeline_pane(self._pipeline)
        return pane

    def _read_again(self, path: str) -> None:
        """Read the folder of a plate again for its row and its map too, unless a run is at work on it."""
        self._map.read_again()
        if not self._workspace.is_busy(path):
            self._tasks.start(self._workspace.initialise([path]), "Reading the plate")

    def _make_layout(self) -> QWidget:
        from openhcs_gui_services.window.layout_link import LayoutLink  # noqa: PLC0415  as above

        self.layout = widgets.LayoutPane()
        LayoutLink(self.layout, self._window.manager, self._workspace)
        self.layout.map_saved.connect(lambda _: self._map.read_plate_map())
        self._closers.append(self.layout.end)
        return self.layout

    def _make_log(self) -> QWidget:
        self._log = widgets.LogView(self._lines)
        for execution_id, name in self._names.items():
            self._log.set_execution_name(execution_id, name)
        return self._log

    def _make_history(self) -> QWidget:
        view = widgets.HistoryView(WindowHistory(self._workspace.connection))
        view.open_results_requested.connect(lambda folder: QDesktopServices.openUrl(QUrl.fromLocalFile(folder)))
        view.run_again_done.connect(lambda _: self._say("Running again; see the pane Servers for its progress"))
        view.failed.connect(lambda text: self._say(text, True))
        view.load()
        return view

    def _make_servers(self) -> QWidget:
        from openhcs_gui_services.services.servers.browser import ServerBrowser  # noqa: PLC0415  as above

        view = widgets.ServerBrowserWidget()
        given = [ServerAddress(self._port, host=self._host)] if self._host else []
        browser = ServerBrowser(view.show_snapshot, addresses=given, shared=self._shared_connection)
        view.set_browser(browser)
        view.failed.connect(lambda text: self._say(text, True))
        view.logs_requested.connect(lambda address, execution_id: self._show_lines(execution_id))
        self._closers.append(browser.close)
        self._tasks.start(browser.run(), "Looking for servers")
        return view

    def _make_numbers(self) -> QWidget:
        # Loads readers of tables and plots, which the other panes don't need.
        from openhcs_gui_services.widgets.numbers.pane import NumbersPane  # noqa: PLC0415
        from openhcs_gui_services.window.numbers_link import NumbersLink  # noqa: PLC0415

        pane = NumbersPane()
        NumbersLink(pane, self._window.manager, self._workspace, self._show_object)
        self._closers.append(pane.close_work)
        return pane

    def _shared_connection(self, address: ServerAddress) -> AsyncExecutionClient | None:
        """Return the window's own connection if this is the address of its server."""
        is_own = address == ServerAddress(self._port, host=self._host)
        return self._workspace.connection.attached if is_own else None

    # --- requests --------------------------------------------------------------------------------------------------

    def _say(self, text: str, is_error: bool = False) -> None:
        self._window.manager.show_message(text, is_error)

    def _on_event(self, event: WorkspaceEvent) -> None:
        if isinstance(event, PlatesAdded | PlatesChanged):
            for row in event.rows:
                if row.execution_id is not None and row.execution_id not in self._names:
                    self._names[row.execution_id] = row.name
                    if self._log is not None:
                        self._log.set_execution_name(row.execution_id, row.name)
        elif isinstance(event, BatchEnded):
            self.notices.batch_ended(batch_end_of(event.end, self._workspace.rows(), self._workspace.wells))
        elif isinstance(event, LogLinesAdded):
            self._heard |= {line.execution_id for line in event.lines}
            if self._log is None:
                self._lines.add(event.lines)
            else:
                self._log.add_lines(event.lines)

    def _show_log(self, path: str, axis_id: str) -> None:
        row = self._window.manager.table.plates.row_of(path)
        of_disk = "" if row is None or row.found is None else row.found.run.folder.name
        log = "" if row is None else row.execution_id or of_disk
        if row is None or not log:
            self._say("There is no log yet: the plate has not been run")
            return
        self._names.setdefault(log, row.name)
        self._show_lines(log, axis_id or None)
        if self._log is not None:
            self._log.set_execution_name(log, row.name)
        if log not in self._heard:
            self._heard.add(log)
            self._tasks.start(self._read_log(path), "Reading the log")

    def _show_lines(self, execution_id: str, axis_id: str | None = None) -> None:
        self._window.show_pane(LOG)
        if self._log is not None:
            self._log.set_filter(LogFilter(execution_id, axis_id=axis_id))

    async def _read_log(self, path: str) -> None:
        lines = await self._workspace.logs(path)
        if self._log is not None:
            self._log.add_lines(lines)

    def _show_images(self, path: str, axis_id: str) -> None:
        """Show a well in the viewer, or in the image view if no run has finished it."""
        from openhcs_gui_services.window.images_link import has_pictures  # noqa: PLC0415  as above

        row = self._window.manager.table.plates.row_of(path)
        if row is not None and has_pictures(row, axis_id, self._workspace):
            self._open_viewer(path, axis_id)
        elif row is not None:
            self._window.show_pane(IMAGES)
            assert self._images is not None
            self._images.show_well(path, axis_id)

    def _open_viewer(self, path: str, axis_id: str) -> None:
        row = self._window.manager.table.plates.row_of(path)
        if row is not None:
            viewer = self._settings.viewer or _DEFAULT_VIEWER
            settings = self._workspace.settings_of(path)
            source = PlateSource(path, settings.pattern, settings.plate_format, settings.pages)
            request = ViewRequest(source, row.results, axis_id, viewer)
            self._tasks.start(self._images_viewer.show(request), "Showing images")

    def _want_report(self, path: str) -> None:
        row = self._window.manager.table.plates.row_of(path)
        if row is None or row.results is None:
            return
        if path in self._reported:
            self._say(f"The report of {row.name} is being written")
            return
        self._reported.add(path)
        self._tasks.start(self._write_report(row, Path(row.results)), f"The report of {row.name}")

    async def _write_report(self, row: PlateRow, results: Path) -> None:
        try:
            made = await write_report(
                results, report_path(results), lambda what: self._say(f"Report of {row.name}: {what}")
            )
        finally:
            self._reported.discard(row.path)
        self._say(f"The report of {row.name} is in {made.file}")
        if not self._open_url(QUrl.fromLocalFile(made.file)):
            self._say(f"No browser was found; the report of {row.name} is in {made.file}", True)

    def _on_look(self, look: MapLook) -> None:
        """Read the numbers that the map is to show, also while their pane is closed."""
        if look is MapLook.VALUES:
            self._window.pane(NUMBERS)

    def _restore_look(self) -> None:
        """Show in the map what it showed last, once the window can be used: values load readers of tables."""
        if restore_look(self._window.manager.map, self._store):
            self._first_numbers.end()

    def _show_object(self, wanted: "ObjectPlace") -> None:
        """Show an object of the current plate in its image."""
        pane = self._window.show_pane(IMAGES)
        assert isinstance(pane, widgets.ImagesPane)
        pane.show_object(wanted.place, wanted.label_set, wanted.label)

    def _ask_settings(self) -> None:
        in_use = ServerAddress(self._port, host=self._host)
        dialog = SettingsDialog(self._settings, parent=self._window, in_use=in_use)
        self.notices.connect_dialog(dialog)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.settings_accepted.connect(self._take_settings)
        dialog.open()

    def _take_settings(self, settings: WindowSettings) -> None:
        before, self._settings = self._settings, settings
        save_settings(self._store, settings)
        apply_keys(settings, KeyStore(OPENHCS_CONFIG))
        self._tasks.start(self._workspace.set_settings(run_settings(settings)), "Changing the settings")
        if (before.host, before.port) != (settings.host, settings.port):
            self._say("The new server will be used when the window is next opened")
