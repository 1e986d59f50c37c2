"""The steps of a pipeline as a list: order by drag and keys, on and off, names; every edit is a request."""

from typing import Final

from PyQt6.QtCore import QModelIndex, QPoint, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QAction, QDragMoveEvent, QDropEvent, QKeySequence
from PyQt6.QtWidgets import QAbstractItemView, QListView, QMenu, QWidget

from openhcs_gui_services.widgets.pipeline.step_delegate import StepDelegate
from openhcs_gui_services.widgets.pipeline.step_rows import STEP_MIME, RowKind, StepRow, StepRowsModel

__all__ = ["StepList"]

_WIDTH: Final = 180


class StepList(QListView):
    """Shows :class:`StepRow` values. The signals name steps by their numbers."""

    row_chosen = pyqtSignal(object)
    """The current :class:`StepRow` has changed; None if there is none."""
    move_wanted = pyqtSignal(int, int)
    """A step, and the number that it shall have."""
    copy_wanted = pyqtSignal(int)
    delete_wanted = pyqtSignal(int)
    add_wanted = pyqtSignal(int)
    """A step is to be added after this one."""
    text_wanted = pyqtSignal(int)
    """The line of the text to show."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = StepRowsModel()
        self._make_actions()
        self.setModel(self.rows)
        self.setItemDelegate(StepDelegate(self))
        self.setAccessibleName("Steps")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)  # F2 and the menu ask for it
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)

    @property
    def current(self) -> StepRow | None:
        """The current row."""
        row = self.currentIndex().row()
        return self.rows.rows[row] if 0 <= row < len(self.rows.rows) else None

    def choose(self, row: int) -> None:
        """Make a row the current one."""
        row = max(0, min(row, len(self.rows.rows) - 1))
        if row != self.currentIndex().row():
            self.setCurrentIndex(self.rows.index(row))

    def choose_step(self, number: int) -> None:
        """Make a step the current one."""
        row = self.rows.row_of(number)
        if row >= 0:
            self.choose(row)

    @property
    def titles(self) -> list[str]:
        """The titles of the rows."""
        return [row.title for row in self.rows.rows]

    def choose_title(self, title: str) -> None:
        """Make the only row with a title the current one."""
        if self.titles.count(title) == 1:
            self.choose(self.titles.index(title))

    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:
        """Report the current row."""
        super().currentChanged(current, previous)
        self._fit_actions()
        self.row_chosen.emit(self.current)

    def dragMoveEvent(self, event: QDragMoveEvent | None) -> None:
        """Accept a step of this list."""
        super().dragMoveEvent(event)
        if event is not None and event.source() is self and self._place_of(event.position().toPoint()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Ask for the dragged step to be moved to where it was dropped."""
        data = None if event is None else event.mimeData()
        if event is None or data is None or not data.hasFormat(STEP_MIME):
            return
        number = int(data.data(STEP_MIME).data())
        place = self._place_of(event.position().toPoint())
        event.setDropAction(Qt.DropAction.IgnoreAction)  # the model changes with the text, not by the view
        event.accept()
        if number and place is not None and (target := place - (place > number)) != number:
            self.move_wanted.emit(number, target)

    def minimumSizeHint(self) -> QSize:
        """Return room for two rows."""
        return QSize(_WIDTH, 4 * self.fontMetrics().height() + 40)

    def _place_of(self, position: QPoint) -> int | None:
        """Return the number of the step before which a dragged step would be put; past the last one at the end."""
        count = sum(1 for row in self.rows.rows if row.number)
        index = self.indexAt(position)
        if not index.isValid():
            return count + 1 if count else None
        row = self.rows.rows[index.row()]
        if not row.number:
            return 1 if row.kind is RowKind.SETTINGS else count + 1
        return row.number + (position.y() > self.visualRect(index).center().y())

    def _make_actions(self) -> None:
        keys = QKeySequence
        self.move_up = self._action(
            "Move the step up", keys("Alt+Up"), lambda number: self.move_wanted.emit(number, number - 1)
        )
        self.move_down = self._action(
            "Move the step down", keys("Alt+Down"), lambda number: self.move_wanted.emit(number, number + 1)
        )
        self.copy = self._action("Duplicate the step", keys("Ctrl+D"), self.copy_wanted.emit)
        self.delete = self._action("Delete the step", keys(keys.StandardKey.Delete), self.delete_wanted.emit)
        self.rename = self._action("Rename the step", keys("F2"), lambda _: self.edit(self.currentIndex()))
        self.toggle = self._action("Switch the step on or off", keys("Space"), lambda _: self._toggle())
        self.add_after = self._action("Add a step after this one", keys("Ins"), self.add_wanted.emit)
        self.go_to_text = QAction("Show the Python text", self)
        self.go_to_text.triggered.connect(lambda: self.text_wanted.emit(self.current.line if self.current else 1))
        self.addAction(self.go_to_text)
        self._fit_actions()

    def _action(self, text: str, keys: QKeySequence, do: object) -> QAction:
        action = QAction(text, self)
        action.setShortcut(keys)
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        action.setToolTip(f"{text} ({keys.toString(QKeySequence.SequenceFormat.NativeText)})")
        assert callable(do)

        def act() -> None:
            if self.current is not None and self.current.number:
                do(self.current.number)

        action.triggered.connect(act)
        self.addAction(action)
        return action

    def _toggle(self) -> None:
        row = self.current
        if row is not None:
            state = Qt.CheckState.Unchecked if row.is_enabled else Qt.CheckState.Checked
            self.rows.setData(self.currentIndex(), state, Qt.ItemDataRole.CheckStateRole)

    def _fit_actions(self) -> None:
        row = self.current
        number = 0 if row is None else row.number
        last = max((each.number for each in self.rows.rows), default=0)
        for action in (self.copy, self.delete, self.rename, self.toggle, self.add_after):
            action.setEnabled(bool(number))
        self.move_up.setEnabled(number > 1)
        self.move_down.setEnabled(0 < number < last)

    def _show_menu(self, position: QPoint) -> None:
        index = self.indexAt(position)
        viewport = self.viewport()
        if not index.isValid() or viewport is None:
            return
        self.setCurrentIndex(index)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(
            [self.add_after, self.copy, self.rename, self.toggle, self.move_up, self.move_down, self.delete]
        )
        menu.addSeparator()
        menu.addAction(self.go_to_text)
        menu.popup(viewport.mapToGlobal(position))
