"""The window of ``openhcs-gui``: the plate manager, surrounded by panes that are created when first shown."""

import html
from collections.abc import Callable, Sequence
from typing import Protocol

from PyQt6.QtCore import QEvent, QSettings, QSize, Qt, QTimer, pyqtSignal as Signal
from PyQt6.QtGui import QAction, QActionGroup, QCloseEvent, QKeySequence, QPaintEvent
from PyQt6.QtWidgets import QApplication, QLabel, QMainWindow, QMenu, QMessageBox, QStackedWidget, QWidget

from openhcs_gui_services.services.connection.status import present_server_status
from openhcs_gui_services.services.plates.values import ServerState
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.icons import application_icon
from openhcs_gui_services.widgets.common.theme import Theme, apply_theme
from openhcs_gui_services.widgets.plates.host import PlateHost
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.run_phase import RunPhase
from openhcs_gui_services.widgets.welcome.view import Welcome
from openhcs_gui_services.window.command_palette import Command, CommandPalette, commands_in, commands_of
from openhcs_gui_services.window.docks import Docks, PaneSpec
from openhcs_gui_services.window.keys_dialog import KeysDialog

__all__ = ["MainWindow", "PaneSpec", "Panes"]

_SIZE = QSize(1280, 860)
_FRAME = QSize(12, 52)
"""Room for title bar and borders, whose size is known only after the window is shown."""
_STATE_VERSION = 2
_THEME = "window/colours"
_THEMES = {Theme.SYSTEM: "As the &desktop", Theme.LIGHT: "&Light", Theme.DARK: "D&ark"}


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
        self.manager = PlateManagerWidget(host)
        self.welcome = Welcome()
        self._server = QLabel()
        self.setWindowTitle("OpenHCS")
        self.setWindowIcon(application_icon(self.palette()))
        self._add_centre()
        self.setDockNestingEnabled(True)
        for corner in (Qt.Corner.TopRightCorner, Qt.Corner.BottomRightCorner):
            self.setCorner(corner, Qt.DockWidgetArea.RightDockWidgetArea)
        self._docks = Docks(self, [] if panes is None else panes.specs())
        self._add_menus()
        self._add_status_bar()
        self._restore()
        self.manager.server_changed.connect(self.show_server)
        self.manager.phase_changed.connect(self._on_phase)
        self.usable.connect(lambda: QTimer.singleShot(0, self._docks.fill_shown))
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
        return self._docks.show(name)

    def pane(self, name: str) -> QWidget:
        """Return the content of a pane, creating it if necessary."""
        return self._docks.content(name)

    @property
    def docks(self) -> Docks:
        """The panes."""
        return self._docks

    @property
    def pane_actions(self) -> list[QAction]:
        """An action for each pane, in the order of the menu."""
        return self._docks.actions

    def set_theme(self, theme: Theme) -> None:
        """Use the colours of the desktop, or light or dark ones, from now on."""
        self._settings.setValue(_THEME, theme.value)
        self._themes[theme].setChecked(True)
        if isinstance(application := QApplication.instance(), QApplication):
            apply_theme(application, theme)

    def show_commands(self) -> CommandPalette:
        """List everything that can be done."""
        palette = CommandPalette(self._commands(), self)
        palette.open()
        return palette

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

    def _add_centre(self) -> None:
        """Show the plates, or the welcome while there are none."""
        centre = QStackedWidget()
        centre.addWidget(self.welcome)
        centre.addWidget(self.manager)
        self.welcome.addAction(self.manager.actions_.add)
        self.setCentralWidget(centre)
        plates = self.manager.table.plates
        for changed in (plates.rowsInserted, plates.rowsRemoved, plates.modelReset):
            changed.connect(self._show_centre)
        self._show_centre()

    def _show_centre(self) -> None:
        centre = self.centralWidget()
        assert isinstance(centre, QStackedWidget)
        shown = self.manager if self.manager.table.plates.rows else self.welcome
        if centre.currentWidget() is not shown or not self._is_painted:
            centre.setCurrentWidget(shown)
            shown.setFocus()

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
        for each in (actions.compile, actions.run, actions.run_all, actions.stop, actions.kill, actions.resume):
            each.setShortcutContext(Qt.ShortcutContext.WindowShortcut)  # also from the panes
        plate = self._menu("&Plate")
        plate.addActions([action for action in actions.all if action is not actions.add])
        view = self._menu("&View")
        view.addActions(self._docks.actions)
        view.addSeparator()
        looks = view.addMenu("&Wells as")
        assert looks is not None
        looks.addActions(list(self.manager.map_bar.look_actions.values()))
        view.addSeparator()
        self._add_themes(view)
        help_ = self._menu("&Help")
        for text, keys, tip, call in (
            ("&Find a command", "Ctrl+K", "List everything that can be done", self.show_commands),
            ("&Keys and commands", "F1", "Show all commands and their keys", self._show_keys),
            ("&About", "", "Show what this program is", self._show_about),
        ):
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.setStatusTip(tip)
            action.triggered.connect(lambda _=False, call=call: call() and None)
            help_.addAction(action)

    def _add_themes(self, view: QMenu) -> None:
        menu = view.addMenu("&Colours")
        assert menu is not None
        group = QActionGroup(self)
        self._themes: dict[Theme, QAction] = {}
        for theme, text in _THEMES.items():
            action = group.addAction(text)
            assert action is not None
            action.setCheckable(True)
            action.setStatusTip("Choose the colours of the window")
            action.triggered.connect(lambda _=False, theme=theme: self.set_theme(theme))
            menu.addAction(action)
            self._themes[theme] = action

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
        saved = str(self._settings.value(_THEME, ""))
        theme = Theme(saved) if saved in list(Theme) else Theme.SYSTEM
        self._themes[theme].setChecked(True)
        if theme is not Theme.SYSTEM:
            self.set_theme(theme)
        screen = self.screen()
        there = _SIZE if screen is None else screen.availableSize() - _FRAME
        self.resize(_SIZE.boundedTo(there))
        geometry, state = self._settings.value("window/geometry"), self._settings.value("window/state")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if state is not None:
            self.restoreState(state, _STATE_VERSION)
        self.manager.restore_state(self._settings.value("window/manager"))

    def _commands(self) -> tuple[Command, ...]:
        """Everything in the menus, then what the panes that were shown can do."""
        bar = self.menuBar()
        assert bar is not None
        found = {command.action: command for command in commands_of(bar)}
        for title, content in self._docks.contents.items():
            for command in commands_in(title, content):
                found.setdefault(command.action, command)
        return tuple(found.values())

    def _show_keys(self) -> KeysDialog:
        dialog = KeysDialog(self._commands(), self)
        dialog.open()
        return dialog

    def _show_about(self) -> None:
        box = QMessageBox(self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setWindowTitle("About OpenHCS")
        box.setIconPixmap(application_icon(self.palette()).pixmap(64, 64))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText("Runs image pipelines over microscopy plates on a background server.")
        box.setInformativeText("Runs continue after the window is closed. Open it again to see their progress.")
        box.open()
