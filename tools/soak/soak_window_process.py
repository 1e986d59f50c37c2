"""The program of the soak's window: openhcs-gui as it is, steered by the lines of its standard input.

    python soak_window_process.py PORT PLATE VIEW WORKERS

Each line is a `Press` and is answered by one line, a `Shown`. At the end of the input the window is closed.
"""

import os
import sys
import threading
from collections.abc import Callable

import msgspec
from PyQt6.QtCore import QModelIndex, QObject, QSettings, pyqtSignal as Signal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QApplication, QMessageBox
from soak_window import Press, Shown

from openhcs_gui_services import MainWindow, ServerBrowserWidget
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.services.servers.rows import RowKind
from openhcs_gui_services.services.settings import WindowSettings
from openhcs_gui_services.widgets.plates.stop_question import StopQuestion
from openhcs_gui_services.widgets.servers.browser import ServerTreeModel
from openhcs_gui_services.widgets.settings.dialog import save_settings
from openhcs_gui_services.window.cli import Options
from openhcs_gui_services.window.panes import SERVERS
from openhcs_gui_services.window.window import show_window

AT_REST = frozenset({PlateStatus.READY, PlateStatus.COMPLETE, PlateStatus.FAILED, PlateStatus.CANCELLED})
"""Not `INTERRUPTED`: the next server goes on with what was."""
BEGUN = frozenset(PlateStatus) - {PlateStatus.CREATED, PlateStatus.READY, PlateStatus.COMPILED, PlateStatus.QUEUED}
"""With a new execution, these tell that the server has taken it."""


def main() -> int:
    """Show the window until the input ends; gives its exit code."""
    port, plate, view, workers = sys.argv[1:]
    save_settings(
        QSettings("OpenHCS", "openhcs-gui"), WindowSettings(port=int(port), workers=int(workers), viewer=view)
    )
    hands = Hands(os.path.abspath(plate))
    return show_window(Options(plates=(plate,), port=int(port)), on_usable=hands.begin)


class Hands(QObject):
    """Presses buttons of the window and looks at what it shows of the plate at `path`."""

    told = Signal(str)
    ended = Signal()

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._window: MainWindow
        self._servers: ServerTreeModel
        self._changes = 0
        self._others = 0
        self._at_work: set[str] = set()
        self._answer_when: Callable[[PlateRow], bool] | None = None
        self._awaited: QAction | None = None
        self.told.connect(self._press)
        self.ended.connect(self._close)

    def begin(self) -> None:
        """The window can be used: open its pane of servers, and listen."""
        self._window = next(each for each in QApplication.topLevelWidgets() if isinstance(each, MainWindow))
        pane = self._window.show_pane(SERVERS)
        assert isinstance(pane, ServerBrowserWidget)
        servers = pane.tree.model()
        assert isinstance(servers, ServerTreeModel)
        self._servers = servers
        servers.dataChanged.connect(self._look_at_servers)
        plates = self._window.manager.table.plates
        plates.dataChanged.connect(self._look_at_plate)
        plates.rowsInserted.connect(self._look_at_plate)
        for action in (self._window.manager.actions_.run, self._window.manager.actions_.resume):
            action.changed.connect(self._press_awaited)
        threading.Thread(target=self._listen, name="input", daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self.told.emit(line.strip())
        self.ended.emit()

    def _press(self, line: str) -> None:
        press, actions = Press(line), self._window.manager.actions_
        row = self._row()
        before = None if row is None else row.execution_id
        self._answer_when = lambda now: now.execution_id != before and now.snapshot.state in BEGUN
        match press:
            case Press.RUN:
                self._awaited = actions.run
            case Press.RESUME:
                self._awaited = actions.resume
            case Press.STOP | Press.KILL:
                (actions.stop if press is Press.STOP else actions.kill).trigger()
                self._confirm_kill()
                self._answer_when = lambda now: True
            case Press.LOOK:
                self._answer_when = lambda now: now.snapshot.state in AT_REST
        self._press_awaited()
        self._answer()

    def _confirm_kill(self) -> None:
        """Force stop asks first."""
        question = self._window.manager.findChild(StopQuestion)
        if not isinstance(question, StopQuestion):
            return
        for button in question.buttons():
            if question.buttonRole(button) == QMessageBox.ButtonRole.DestructiveRole:
                button.click()

    def _press_awaited(self) -> None:
        """A button can be pressed a frame after the end of a run is shown."""
        action = self._awaited
        if action is not None and action.isEnabled():
            self._awaited = None
            action.trigger()

    def _close(self) -> None:
        self._window.close()

    def _row(self) -> PlateRow | None:
        return self._window.manager.table.plates.row_of(self._path)

    def _look_at_plate(self) -> None:
        self._changes += 1
        self._answer()

    def _answer(self) -> None:
        """Say what is shown, once that is what was waited for."""
        row = self._row()
        if row is None or self._answer_when is None or not self._answer_when(row):
            return
        self._answer_when = None
        shown = Shown(row.execution_id, row.snapshot.state.value, row.output, self._changes, self._others)
        print(msgspec.json.encode(shown).decode(), flush=True)

    def _look_at_servers(self) -> None:
        row, at_work = self._row(), set()
        for number in range(self._servers.rowCount()):
            server = self._servers.index(number, 0)
            at_work |= {found for found in map(self._execution_at, self._children(server)) if found is not None}
        own = None if row is None else row.execution_id
        self._others += len(at_work - self._at_work - {own})
        self._at_work = at_work

    def _children(self, server: QModelIndex) -> list[QModelIndex]:
        return [self._servers.index(number, 0, server) for number in range(self._servers.rowCount(server))]

    def _execution_at(self, index: QModelIndex) -> str | None:
        row = self._servers.row_at(index)
        return row.execution_id if row is not None and row.kind is RowKind.EXECUTION else None


if __name__ == "__main__":
    sys.exit(main())
