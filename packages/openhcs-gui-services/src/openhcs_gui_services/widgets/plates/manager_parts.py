"""The widgets of the plate manager and their layout."""

from PyQt6.QtCore import QByteArray, QDataStream, QIODevice, Qt
from PyQt6.QtGui import QAction, QKeyEvent
from PyQt6.QtWidgets import QHeaderView, QLineEdit, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from openhcs_gui_services.services.connection.status import present_server_status
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.values import PlateRow, ServerState
from openhcs_gui_services.widgets.common.elided_label import ElidedLabel
from openhcs_gui_services.widgets.common.frame_pacer import FramePacer
from openhcs_gui_services.widgets.plates.actions import PlateActions
from openhcs_gui_services.widgets.plates.facts import disk_text, elsewhere_text, run_text
from openhcs_gui_services.widgets.plates.map import PlateMap
from openhcs_gui_services.widgets.plates.map_bar import MapBar
from openhcs_gui_services.widgets.plates.message_bar import MessageBar
from openhcs_gui_services.widgets.plates.table import PlateTable
from openhcs_gui_services.widgets.plates.toolbar import PlateToolBar
from openhcs_gui_services.widgets.plates.well_details import WellDetails

__all__ = ["PlateManagerParts"]

_NO_PLATE = "Select a plate to see its wells"
_STATE_VERSION = 0x504C0002
"""Changes with the columns and dividers that are saved; what an earlier release has saved is left alone."""


class PlateManagerParts:
    """Creates and lays out the widgets of the manager ``owner``, and updates titles and messages."""

    def __init__(self, owner: QWidget, actions: PlateActions) -> None:
        self.table = PlateTable()
        self.map = PlateMap()
        self.map_bar = MapBar(self.map)
        self.details = WellDetails()
        self.filter = FilterBox()
        self.pacer = FramePacer(owner)
        self.buttons = PlateToolBar(actions, self.filter)
        self.messages = MessageBar()
        self._whole = QSplitter(Qt.Orientation.Vertical)
        self._below = QSplitter(Qt.Orientation.Horizontal)
        self._title = ElidedLabel()
        self._facts = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.map.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        owner.addActions(actions.all)
        self._add_find(owner)
        layout = QVBoxLayout(owner)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.buttons)
        layout.addWidget(self._splitter(), 1)
        layout.addWidget(self.messages)
        self.show_current(None)

    def show_current(self, row: PlateRow | None) -> None:
        """Show above the map which plate it shows, what is on disk, and what the run does."""
        self._title.show_text(_NO_PLATE if row is None else row.name)
        facts = (
            "" if row is None else "  \u00b7  ".join(filter(None, [disk_text(row), elsewhere_text(row), run_text(row)]))
        )
        self._facts.show_text(facts)

    def facts_text(self) -> str:
        """Return what is said above the map of results on disk and of the run."""
        return self._facts.whole_text

    def show_server(self, state: ServerState, text: str) -> None:
        """Show that the server is lost or not responding, until it is back; other states are in the status bar."""
        is_away = state in (ServerState.LOST, ServerState.SILENT)
        shown = present_server_status(state, text)
        self.messages.say_server(shown.sentence if is_away else "", shown.tone is Tone.BAD)

    def save_state(self) -> QByteArray:
        """Return the positions of columns and splitters."""
        saved = QByteArray()
        stream = QDataStream(saved, QIODevice.OpenModeFlag.WriteOnly)
        stream.writeUInt32(_STATE_VERSION)
        for part in self._states():
            stream << part.saveState()
        return saved

    def restore_state(self, state: QByteArray) -> None:
        """Restore the positions of columns and splitters."""
        stream = QDataStream(state)
        if stream.readUInt32() != _STATE_VERSION:
            return
        for part in self._states():
            saved = QByteArray()
            stream >> saved
            part.restoreState(saved)
        self.table.sort_as_shown()

    def _states(self) -> tuple[QSplitter | QHeaderView, ...]:
        header = self.table.horizontalHeader()
        assert header is not None
        return self._whole, self._below, header

    def _add_find(self, owner: QWidget) -> None:
        find = QAction("Filter plates", owner)
        find.setShortcut("Ctrl+F")
        find.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.triggered.connect(self.filter.setFocus)
        owner.addAction(find)

    def _splitter(self) -> QSplitter:
        map_side = QWidget()
        layout = QVBoxLayout(map_side)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.map_bar)
        layout.addWidget(self.map, 1)
        below = self._below
        below.addWidget(map_side)
        below.addWidget(self.details)
        below.setStretchFactor(0, 1)
        below.setStretchFactor(1, 0)
        below.setSizes([760, 300])
        below.setChildrenCollapsible(False)
        whole = self._whole
        whole.addWidget(self.table)
        whole.addWidget(self._with_title(below))
        whole.setStretchFactor(0, 1)
        whole.setStretchFactor(1, 1)
        whole.setSizes([260, 400])
        whole.setChildrenCollapsible(False)
        return whole

    def _with_title(self, below: QWidget) -> QWidget:
        """Put the name of the plate, and the two facts about it, above its map and well."""
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        lower = QWidget()
        layout = QVBoxLayout(lower)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self._title)
        layout.addWidget(self._facts)
        layout.addWidget(below, 1)
        return lower


class FilterBox(QLineEdit):
    """Filters the plates; Escape shows all of them again and goes back to the table."""

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText("Filter (Ctrl+F)")
        self.setToolTip("Show only plates whose name, path or state has these words (Ctrl+F); Escape shows all")
        self.setClearButtonEnabled(True)
        self.setAccessibleName("Filter plates")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Clear the filter with Escape; on an empty one, go back to the table."""
        if event is None or event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.text():
            self.clear()
        else:
            self.focusNextPrevChild(True)
