"""A tree of servers with their executions and processes, updated in place, with actions to quit and kill servers."""

from collections.abc import Callable, Coroutine
from typing import Final

from PyQt6.QtCore import QModelIndex, QPoint, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFontDatabase, QGuiApplication, QIcon, QPainter, QPixmap, QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QMessageBox,
    QPlainTextEdit,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.servers.browser import ServerBrowser
from openhcs_gui_services.services.servers.nodes import BrowserSnapshot, ServerAddress, ServerNode
from openhcs_gui_services.services.servers.rows import COLUMNS, RowKind, ServerRow, server_rows
from openhcs_gui_services.widgets.common.buttons import push_button
from openhcs_gui_services.widgets.common.colours import tone_colour

__all__ = ["ServerBrowserWidget", "ServerTreeModel"]

_KEY_ROLE: Final = Qt.ItemDataRole.UserRole + 1
_ROW_ROLE: Final = Qt.ItemDataRole.UserRole + 2
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_NUMBERS: Final = (2, 3, 4, 5)
_DOT: Final = 10
_WIDTHS: Final = (300, 260, 70, 90, 100, 80)
_HINT: Final = "No server is running on this machine. Running a plate starts one automatically."


class ServerTreeModel(QStandardItemModel):
    """Model of the rows of :func:`server_rows`; rows with the same key keep their item, selection and expansion."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(COLUMNS), parent)
        self.setHorizontalHeaderLabels(COLUMNS)
        for column in _NUMBERS:
            self.setHeaderData(column, Qt.Orientation.Horizontal, _RIGHT, Qt.ItemDataRole.TextAlignmentRole)

    def show_rows(self, rows: tuple[ServerRow, ...]) -> None:
        """Show exactly these rows."""
        root = self.invisibleRootItem()
        assert root is not None
        self._sync(root, rows)

    def row_at(self, index: QModelIndex) -> ServerRow | None:
        """Return the row at an index of the tree; None if there is none."""
        row = index.siblingAtColumn(0).data(_ROW_ROLE)
        return row if isinstance(row, ServerRow) else None

    def _sync(self, parent: QStandardItem, rows: tuple[ServerRow, ...]) -> None:
        wanted = {row.key for row in rows}
        for number in reversed(range(parent.rowCount())):
            if _key_of(parent, number) not in wanted:
                parent.removeRow(number)
        for number, row in enumerate(rows):
            place = next((at for at in range(number, parent.rowCount()) if _key_of(parent, at) == row.key), None)
            if place is None:
                parent.insertRow(number, [_new_item() for _ in COLUMNS])
            elif place != number:
                parent.insertRow(number, parent.takeRow(place))
            self._fill(parent, number, row)

    def _fill(self, parent: QStandardItem, number: int, row: ServerRow) -> None:
        first = parent.child(number, 0)
        assert first is not None
        known = first.data(_ROW_ROLE)
        if known == row:
            return
        for column, text in enumerate(row.cells):
            cell = parent.child(number, column)
            assert cell is not None
            if cell.text() != text:
                cell.setText(text)
            if column in _NUMBERS:
                cell.setTextAlignment(_RIGHT)
        first.setData(row.key, _KEY_ROLE)
        first.setData(row, _ROW_ROLE)
        first.setToolTip(row.tip)
        if row.kind is RowKind.SERVER and (not isinstance(known, ServerRow) or known.tone is not row.tone):
            first.setIcon(_dot(row.tone))
        self._sync(first, row.children)


class ServerBrowserWidget(QWidget):
    """Shows the servers found by a :class:`ServerBrowser`; users can quit and kill them and read their logs.

    Pass the browser's snapshots to :meth:`show_snapshot`, as ``ServerBrowser(on_change=widget.show_snapshot)`` does.
    The browser and all actions need an asyncio loop that runs on Qt's event loop.

    Args:
        browser: quits and kills servers and reads their logs; can be set later with :meth:`set_browser`.
        parent: the parent widget.
    """

    logs_requested = pyqtSignal(object, str)
    """The log of an execution is wanted: the :class:`ServerAddress` and the id of the execution."""
    failed = pyqtSignal(str)
    """An action failed: one line for a status bar. The widget also shows a message box."""

    def __init__(self, browser: ServerBrowser | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._browser = browser
        self._model = ServerTreeModel(self)
        self._tree = QTreeView()
        self._hint = QLabel(_HINT)
        self._quit = push_button("Quit", "Shut the server down; running plates are interrupted", self.ask_and_quit)
        self._kill = push_button("Force kill...", "Kill the server's process and all its workers", self.ask_and_kill)
        self._log = push_button(
            "Log", "Show the end of the server's log, or follow the log of the plate", self.show_log
        )
        self._snapshot = BrowserSnapshot()
        self._seen: set[str] = set()
        self._tasks = BackgroundTasks(self._on_error)
        self.destroyed.connect(self._tasks.cancel)
        self._lay_out()
        self._show_buttons()

    def set_browser(self, browser: ServerBrowser) -> None:
        """Use ``browser`` to quit and kill servers and to read their logs."""
        self._browser = browser
        self._show_buttons()

    @property
    def tree(self) -> QTreeView:
        """The tree view."""
        return self._tree

    def show_snapshot(self, snapshot: BrowserSnapshot) -> None:
        """Show ``snapshot``, keeping the selection and the expanded rows."""
        is_first = not self._snapshot.servers
        self._snapshot = snapshot
        self._model.show_rows(server_rows(snapshot))
        self._open_new()
        if is_first:
            self._tree.resizeColumnToContents(0)
            self._tree.setColumnWidth(0, max(_WIDTHS[0], self._tree.columnWidth(0)))
        self._hint.setVisible(not snapshot.servers)
        self._tree.setVisible(bool(snapshot.servers))
        self._show_buttons()

    def selected(self) -> ServerRow | None:
        """Return the selected row; None if there is none."""
        return self._model.row_at(self._tree.currentIndex())

    def select(self, key: str) -> None:
        """Select the row with this key, if it exists."""
        start = self._model.index(0, 0)
        flags = Qt.MatchFlag.MatchExactly | Qt.MatchFlag.MatchRecursive
        for index in self._model.match(start, _KEY_ROLE, key, 1, flags):
            self._tree.setCurrentIndex(index)

    def _open_new(self) -> None:
        """Expand new rows, except idle workers; rows that were collapsed stay collapsed."""
        seen, self._seen = self._seen, set()
        waiting = [self._model.index(number, 0) for number in range(self._model.rowCount())]
        while waiting:
            index = waiting.pop()
            row = self._model.row_at(index)
            if row is None:
                continue
            self._seen.add(row.key)
            if row.key not in seen and row.kind is not RowKind.WORKERS:
                self._tree.setExpanded(index, True)
            waiting += [self._model.index(number, 0, index) for number in range(self._model.rowCount(index))]

    # --- actions -------------------------------------------------------------------------------------------------

    def ask_and_quit(self) -> None:
        """Shut the selected server down; ask first if that interrupts running plates."""
        node = self._selected_node()
        if node is None or self._browser is None or not node.can_quit:
            return
        browser = self._browser
        if not node.running:
            self._tasks.start(browser.quit(node.address), "Quitting the server")
            return
        question = (
            f"{_plates(node.running)} on {node.address} will be interrupted. Finished wells are kept, and the runs "
            "can be resumed."
        )
        self._ask(
            "Quit server",
            question,
            "Quit",
            lambda: browser.quit(node.address),
        )

    def ask_and_kill(self) -> None:
        """Kill the selected server after confirmation."""
        node = self._selected_node()
        if node is None or self._browser is None or node.pong is None or not node.can_kill:
            return
        browser = self._browser
        running = f" {_plates(node.running)} will be interrupted in the middle of their wells." if node.running else ""
        question = f"Process {node.pong.pid} on {node.address} and all its workers will be killed at once.{running}"
        self._ask(
            "Force kill",
            question,
            "Force kill",
            lambda: browser.force_kill(node.address),
        )

    def show_log(self) -> None:
        """Request the log of the selected execution, or show the end of the server's log."""
        row = self.selected()
        if row is None:
            return
        if row.execution_id is not None:
            self.logs_requested.emit(row.address, row.execution_id)
        elif self._browser is not None:
            self._tasks.start(self._show_server_log(self._browser, row.address), "Reading the log")

    # --- parts ---------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        tree = self._tree
        tree.setModel(self._model)
        tree.setUniformRowHeights(True)
        tree.setAlternatingRowColors(True)
        tree.setIconSize(QSize(_DOT, _DOT))
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        tree.setAccessibleName("Servers")
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(self._show_menu)
        header = tree.header()
        assert header is not None
        header.setStretchLastSection(False)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column, width in enumerate(_WIDTHS):
            tree.setColumnWidth(column, width)
        selection = tree.selectionModel()
        assert selection is not None
        selection.currentChanged.connect(lambda *_: self._show_buttons())
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._hint.setWordWrap(True)
        tree.hide()
        buttons = QHBoxLayout()
        for button in (self._log, self._quit, self._kill):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(tree, 1)
        layout.addWidget(self._hint, 1)
        layout.addLayout(buttons)

    def _show_buttons(self) -> None:
        node, row = self._selected_node(), self.selected()
        can_act = self._browser is not None and node is not None
        self._quit.setEnabled(can_act and node is not None and node.can_quit)
        self._kill.setEnabled(can_act and node is not None and node.can_kill)
        is_of_plate = row is not None and row.execution_id is not None
        self._log.setEnabled(is_of_plate or (can_act and node is not None and node.address.is_local))

    def _show_menu(self, place: QPoint) -> None:
        viewport = self._tree.viewport()
        if self.selected() is None or viewport is None:
            return
        menu = QMenu(self)
        for button, call in (
            (self._log, self.show_log),
            (self._quit, self.ask_and_quit),
            (self._kill, self.ask_and_kill),
        ):
            action = menu.addAction(button.text())
            assert action is not None
            action.setEnabled(button.isEnabled())
            action.triggered.connect(lambda _=False, call=call: call())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(viewport.mapToGlobal(place))

    def _selected_node(self) -> ServerNode | None:
        row = self.selected()
        return None if row is None else next((n for n in self._snapshot.servers if n.address == row.address), None)

    def _ask(self, title: str, text: str, verb: str, act: Callable[[], Coroutine[object, object, None]]) -> None:
        """Ask without blocking the event loop; ``act`` is started if the answer is ``verb``."""
        box = QMessageBox(QMessageBox.Icon.Warning, title, text, QMessageBox.StandardButton.Cancel, self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        yes = box.addButton(verb, QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.buttonClicked.connect(lambda button: self._tasks.start(act(), title) if button is yes else None)
        box.open()

    def _on_error(self, text: str) -> None:
        self.failed.emit(text)
        box = QMessageBox(QMessageBox.Icon.Warning, "Servers", text, QMessageBox.StandardButton.Ok, self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    async def _show_server_log(self, browser: ServerBrowser, address: ServerAddress) -> None:
        text = await browser.log_tail(address)
        dialog = _LogDialog(f"Log of the server on {address}", text or "This server has not written a log.", self)
        dialog.open()


class _LogDialog(QDialog):
    def __init__(self, title: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        shown = QPlainTextEdit(text)
        shown.setReadOnly(True)
        shown.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        shown.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(shown)
        layout.addWidget(buttons)
        self.resize(900, 500)
        bar = shown.verticalScrollBar()
        assert bar is not None
        bar.setValue(bar.maximum())


def _key_of(parent: QStandardItem, number: int) -> object:
    child = parent.child(number, 0)
    return None if child is None else child.data(_KEY_ROLE)


def _new_item() -> QStandardItem:
    item = QStandardItem()
    item.setEditable(False)
    return item


def _dot(tone: Tone) -> QIcon:
    pixmap = QPixmap(2 * _DOT, 2 * _DOT)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tone_colour(tone, QGuiApplication.palette()))
    painter.drawEllipse(1, 1, 2 * _DOT - 2, 2 * _DOT - 2)
    painter.end()
    return QIcon(pixmap)


def _plates(count: int) -> str:
    return "1 running plate" if count == 1 else f"{count} running plates"
