"""The window of ``openhcs-gui``: the plate manager, surrounded by panes that are created when first shown."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from PyQt6.QtCore import QEvent, QSettings, QSize, Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtGui import QAction, QCloseEvent, QKeySequence, QPaintEvent
from PyQt6.QtWidgets import QDockWidget, QLabel, QMainWindow, QMenu, QMessageBox, QWidget

from openhcs_gui_services.services.connection.status import present_server_status
from openhcs_gui_services.services.plates.values import ServerState
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.icons import application_icon
from openhcs_gui_services.widgets.plates.host import PlateHost
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.run_phase import RunPhase

__all__ = ["MainWindow", "PaneSpec", "Panes"]

_SIZE = QSize(1280, 860)
_STATE_VERSION = 1


@dataclass(frozen=True)
class PaneSpec:
    """A pane next to the plates.

    Attributes:
        name: key under which its position is saved.
        title: text in its title bar and in the menu.
        keys: shortcut that shows or hides it.
        area: where it is docked at first.
        make: creates the content; called when the pane is first shown.
        is_open: whether it is shown when the window is opened for the first time.
    """

    name: str
    title: str
    keys: str
    area: Qt.DockWidgetArea
    make: Callable[[], QWidget]
    is_open: bool = False


class Panes(Protocol):
    """Creates the panes and manages their contents."""

    def specs(self) -> Sequence[PaneSpec]:
        """Return the panes, in the order of the menu."""
        ...

    def connect(self, window: "MainWindow", /) -> None:
        """Connect to the window; called once, after the plate manager has been created."""
        ...

    def close_then(self, go: Callable[[], None], /) -> None:
        """Call ``go`` once closing the window would lose nothing: immediately, or after a question was answered."""
        ...

    async def close(self) -> None:
        """Stop everything that the panes have started."""
        ...


class MainWindow(QMainWindow):
    """The main window: a :class:`PlateManagerWidget` and panes.

    The window does not own the host or its runs: runs continue after the window is closed.

    Args:
        host: has the plates, usually a ``PlateWorkspace``; the caller closes it.
        settings: where the layout of the window is saved.
        panes: creates the panes [default: no panes].
    """

    closed = Signal()
    """The window was closed and will not be shown again."""
    usable = Signal()
    """Emitted once, after the first paint: the window responds to input."""

    def __init__(self, host: PlateHost, settings: QSettings, panes: Panes | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._panes = panes
        self._is_painted = self._may_close = False
        self._docks: dict[str, QDockWidget] = {}
        self._makers: dict[str, Callable[[], QWidget]] = {}
        self.manager = PlateManagerWidget(host)
        self._server = QLabel()
        self.setWindowTitle("OpenHCS")
        self.setWindowIcon(application_icon(self.palette()))
        self.setCentralWidget(self.manager)
        self.setDockNestingEnabled(True)
        self._add_docks([] if panes is None else panes.specs())
        self._add_menus()
        self._add_status_bar()
        self._restore()
        self.manager.server_changed.connect(self.show_server)
        self.manager.phase_changed.connect(self._on_phase)
        self.manager.setFocus()
        self.usable.connect(lambda: QTimer.singleShot(0, self._fill_docks))
        if panes is not None:
            panes.connect(self)

    def show_server(self, state: ServerState, text: str) -> None:
        """Show the state of the connection to the server in the status bar."""
        shown = present_server_status(state, text)
        colour = tone_colour(shown.tone, self.palette()).name()
        words = html.escape(shown.sentence)
        self._server.setText(f'<span style="color:{colour}">&#9679;</span> {words}')
        self._server_shown = state, text

    def show_pane(self, name: str) -> QWidget:
        """Bring a pane to the front and return its content."""
        dock = self._docks[name]
        dock.show()
        dock.raise_()
        return self.pane(name)

    def pane(self, name: str) -> QWidget:
        """Return the content of a pane, creating it if necessary."""
        dock = self._docks[name]
        held = dock.widget()
        if held is None:
            held = self._makers[name]()
            dock.setWidget(held)
        return held

    async def end(self) -> None:
        """Finish the pending calls of the widgets; the caller closes the host."""
        await self.manager.close_host_calls()
        if self._panes is not None:
            await self._panes.close()

    # --- Qt event handlers ---------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Ask about unsaved changes, save the layout, and close."""
        if event is None:
            return
        if self._panes is not None and not self._may_close:
            event.ignore()
            self._panes.close_then(self._close_now)
            return
        self._settings.setValue("window/geometry", self.saveGeometry())
        self._settings.setValue("window/state", self.saveState(_STATE_VERSION))
        self._settings.setValue("window/manager", self.manager.save_state())
        self._settings.sync()
        super().closeEvent(event)
        self.closed.emit()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Emit ``usable`` after the first paint."""
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            QTimer.singleShot(0, self.usable.emit)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow a change of the system's colours."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange and hasattr(self, "_server_shown"):
            self.show_server(*self._server_shown)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _on_phase(self, phase: RunPhase) -> None:
        """Drop the numbers once no plate of this window is running: they are no longer updated and would get stale."""
        state, _ = self._server_shown
        if phase is RunPhase.IDLE and state is ServerState.CONNECTED:
            self.show_server(state, "")

    def _close_now(self) -> None:
        self._may_close = True
        QTimer.singleShot(0, self.close)  # Qt can't close the window from within closeEvent

    def _add_docks(self, specs: Sequence[PaneSpec]) -> None:
        last: dict[Qt.DockWidgetArea, QDockWidget] = {}
        for spec in specs:
            dock = QDockWidget(spec.title, self)
            dock.setObjectName(spec.name)
            dock.visibilityChanged.connect(lambda shown, name=spec.name: self._fill_soon(name) if shown else None)
            self.addDockWidget(spec.area, dock)
            if spec.area in last:
                self.tabifyDockWidget(last[spec.area], dock)
            last[spec.area] = dock
            dock.setVisible(spec.is_open)
            toggle = dock.toggleViewAction()
            assert toggle is not None
            toggle.setShortcut(QKeySequence(spec.keys))
            self._docks[spec.name], self._makers[spec.name] = dock, spec.make

    def _fill_soon(self, name: str) -> None:
        """Create the content of a pane, but not before the window can be used."""
        if self._is_painted:
            QTimer.singleShot(0, lambda: self.pane(name))

    def _fill_docks(self) -> None:
        for name, dock in self._docks.items():
            if dock.isVisible() and not dock.visibleRegion().isEmpty():
                self.pane(name)

    def _add_menus(self) -> None:
        actions = self.manager.actions_
        file = self._menu("&File")
        file.addAction(actions.add)
        file.addSeparator()
        self.settings_action = QAction("&Settings", self)
        self.settings_action.setShortcut(QKeySequence("Ctrl+,"))
        self.settings_action.setVisible(False)
        file.addAction(self.settings_action)
        file.addSeparator()
        leave = QAction("&Quit", self)
        leave.setShortcut(QKeySequence("Ctrl+Q"))
        leave.setStatusTip("Close the window; runs continue")
        leave.triggered.connect(self.close)
        file.addAction(leave)
        for each in (actions.compile, actions.run, actions.stop, actions.kill, actions.resume):
            each.setShortcutContext(Qt.ShortcutContext.WindowShortcut)  # also from the panes
        plate = self._menu("&Plate")
        plate.addActions([action for action in actions.all if action is not actions.add])
        view = self._menu("&View")
        view.addActions([action for dock in self._docks.values() if (action := dock.toggleViewAction())])
        about = QAction("&About", self)
        about.triggered.connect(self._show_about)
        self._menu("&Help").addAction(about)

    def _menu(self, title: str) -> QMenu:
        bar = self.menuBar()
        assert bar is not None
        menu = bar.addMenu(title)
        assert menu is not None
        return menu

    def _add_status_bar(self) -> None:
        bar = self.statusBar()
        assert bar is not None
        self._server.setTextFormat(Qt.TextFormat.RichText)
        self._server.setContentsMargins(4, 0, 8, 0)
        bar.addPermanentWidget(self._server)
        self.show_server(ServerState.DISCONNECTED, "")

    def _restore(self) -> None:
        self.resize(_SIZE)
        geometry, state = self._settings.value("window/geometry"), self._settings.value("window/state")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if state is not None:
            self.restoreState(state, _STATE_VERSION)
        self.manager.restore_state(self._settings.value("window/manager"))

    def _show_about(self) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("About OpenHCS")
        box.setIconPixmap(application_icon(self.palette()).pixmap(64, 64))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText("Runs image pipelines over microscopy plates on a background server.")
        box.setInformativeText("Runs continue after the window is closed. Open it again to see their progress.")
        box.open()
