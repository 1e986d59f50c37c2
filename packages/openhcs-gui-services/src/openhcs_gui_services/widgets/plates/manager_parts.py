"""The widgets of the plate manager and their layout."""

from PyQt6.QtCore import QByteArray, QDataStream, QIODevice, Qt
from PyQt6.QtGui import QAction, QFontMetrics, QPalette, QResizeEvent
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSplitter,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.services.connection.status import present_server_status
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.values import PlateRow, ServerState
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.common.frame_pacer import FramePacer
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.plates.actions import PlateActions
from openhcs_gui_services.widgets.plates.map import PlateMap
from openhcs_gui_services.widgets.plates.map_bar import MapBar
from openhcs_gui_services.widgets.plates.table import PlateTable
from openhcs_gui_services.widgets.plates.well_details import WellDetails

__all__ = ["PlateManagerParts"]

_SPARE = 30
_NO_PLATE = "Select a plate to see its wells"


class PlateManagerParts:
    """Creates and lays out the widgets of the manager ``owner``, and updates title, message and run button."""

    def __init__(self, owner: QWidget, actions: PlateActions) -> None:
        self.table = PlateTable()
        self.map = PlateMap()
        self.map_bar = MapBar(self.map)
        self.details = WellDetails()
        self.filter = QLineEdit()
        self.pacer = FramePacer(owner)
        self._buttons = QToolBar()
        self._run_button = QToolButton()
        self._whole = QSplitter(Qt.Orientation.Vertical)
        self._below = QSplitter(Qt.Orientation.Horizontal)
        self._title = QLabel(_NO_PLATE)
        self._message = _ElidedLabel()
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.map.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        layout = QVBoxLayout(owner)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addLayout(self._bar(owner, actions))
        layout.addWidget(self._splitter(), 1)
        layout.addWidget(self._message)

    def fit(self, width: int) -> None:
        """Show only icons on the buttons of a narrow window, so that none of them is hidden."""
        is_wide = width >= self._wide_bar + self.filter.width() + _SPARE
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if is_wide else Qt.ToolButtonStyle.ToolButtonIconOnly
        if self._buttons.toolButtonStyle() != style:
            self._buttons.setToolButtonStyle(style)

    def show_run_button(self, action: QAction) -> None:
        """Show Run, Stop or Force Kill."""
        if self._run_button.defaultAction() is not action:
            for old in self._run_button.actions():
                self._run_button.removeAction(old)
            self._run_button.setDefaultAction(action)

    def show_current(self, row: PlateRow | None) -> None:
        """Show the name of the plate above its map."""
        self._title.setText(_NO_PLATE if row is None else f"Wells of {row.name}")

    def show_message(self, text: str, is_error: bool) -> None:
        """Show a message below everything else."""
        self._message.show_text(text, is_error)

    def show_server(self, state: ServerState, text: str) -> None:
        """Show that the server is lost or not responding; other states are shown in the status bar."""
        if state in (ServerState.LOST, ServerState.SILENT):
            shown = present_server_status(state, text)
            self._message.show_text(shown.sentence, shown.tone is Tone.BAD)

    def save_state(self) -> QByteArray:
        """Return the positions of columns and splitters."""
        saved = QByteArray()
        stream = QDataStream(saved, QIODevice.OpenModeFlag.WriteOnly)
        for part in self._states():
            stream << part.saveState()
        return saved

    def restore_state(self, state: QByteArray) -> None:
        """Restore the positions of columns and splitters."""
        stream = QDataStream(state)
        for part in self._states():
            saved = QByteArray()
            stream >> saved
            part.restoreState(saved)
        self.table.sort_as_shown()

    def _states(self) -> tuple[QSplitter | QHeaderView, ...]:
        header = self.table.horizontalHeader()
        assert header is not None
        return self._whole, self._below, header

    def _bar(self, owner: QWidget, actions: PlateActions) -> QHBoxLayout:
        bar = self._buttons
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        bar.addActions([actions.add, actions.remove])
        bar.addSeparator()
        bar.addActions([actions.initialise, actions.compile])
        self._run_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        metrics = QFontMetrics(self._run_button.font())
        self._run_button.setMinimumWidth(metrics.horizontalAdvance("Force Kill") + 44)  # the same for all texts
        self._run_button.setDefaultAction(actions.run)
        bar.addWidget(self._run_button)
        bar.addAction(actions.resume)
        bar.addSeparator()
        bar.addActions([actions.view, actions.results, actions.report])
        self._wide_bar = bar.sizeHint().width()
        owner.addActions(actions.all)
        self.filter.setPlaceholderText("Filter plates (Ctrl+F)")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(metrics.horizontalAdvance("Filter plates (Ctrl+F)") + 60)
        self.filter.setAccessibleName("Filter plates")
        find = QAction("Filter plates", owner)
        find.setShortcut("Ctrl+F")
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.triggered.connect(self.filter.setFocus)
        owner.addAction(find)
        layout = QHBoxLayout()
        layout.addWidget(bar, 1)
        layout.addWidget(self.filter)
        return layout

    def _splitter(self) -> QSplitter:
        map_side = QWidget()
        layout = QVBoxLayout(map_side)
        layout.setContentsMargins(0, 4, 0, 0)
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout.addWidget(self._title)
        layout.addWidget(self.map_bar)
        layout.addWidget(self.map, 1)
        below = self._below
        below.addWidget(map_side)
        below.addWidget(self.details)
        below.setStretchFactor(0, 1)
        below.setStretchFactor(1, 0)
        below.setSizes([760, 380])
        below.setChildrenCollapsible(False)
        whole = self._whole
        whole.addWidget(self.table)
        whole.addWidget(below)
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 1)
        whole.setSizes([300, 360])
        whole.setChildrenCollapsible(False)
        return whole


class _ElidedLabel(QLabel):
    """One line that is elided to the width of the window; the tooltip has the full text."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)

    def show_text(self, text: str, is_error: bool) -> None:
        self._text = " ".join(text.split())
        palette = QPalette()
        if is_error:
            palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, palette))
        self.setPalette(palette)
        self.setToolTip(plain_tooltip(text))
        self._cut()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        super().resizeEvent(event)
        self._cut()

    def _cut(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width()))
