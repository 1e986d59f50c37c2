"""The bar above a plate map: what its wells show, and the menu that selects wells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PyQt6.QtCore import QEvent, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QAction, QActionGroup, QPaintEvent, QPalette, QResizeEvent
from PyQt6.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import blend
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.plates.map import PlateMap
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.plates.well_icons import look_icon
from openhcs_gui_services.widgets.plates.well_menu import SelectMenu

if TYPE_CHECKING:
    from openhcs_runtime.plate_map import PlateMap as WellContents

__all__ = ["MapBar"]

_TIPS = {
    MapLook.STATES: "Colour the wells by how far they are",
    MapLook.VALUES: "Colour the wells by a measurement",
    MapLook.IMAGES: "Show a small picture in each well",
}
_CHOOSE, _NONE = "Choose a measurement", "No measurements yet"
_ALL_CHANNELS = "All channels"
_NARROWEST_LIST, _WIDEST_LIST = 64, 520  # pixels
_LINE = 0.25  # how dark the line around a button is
_SPARE = 170  # pixels for the list of measurements before the buttons lose their words


class MapBar(QWidget):
    """Switches a plate map between states, values and images, and selects wells.

    It works from 260 pixels of width: then the buttons are icons, and the lists are elided.

    Args:
        plate_map: the map.
        parent: the parent widget.
    """

    look_wanted = Signal(object)
    """The :class:`MapLook` that was chosen; the map shows it already."""
    measure_chosen = Signal(str)
    """Name of the measurement to colour the wells by."""
    channel_chosen = Signal(int)
    """Number of the channel of the pictures; 0 for all channels in their colours."""

    def __init__(self, plate_map: PlateMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._map = plate_map
        self.look_actions = {look: self._make_action(number, look) for number, look in enumerate(MapLook, 1)}
        """The action of each look, for menus of the window."""
        self.menu = SelectMenu(plate_map, self)
        self._buttons = {look: self._make_button(look) for look in MapLook}
        self._measures, self._channels = QComboBox(), _ElidedBox()
        self._choices = QStackedWidget()
        self._select = QToolButton()
        self._prepare_lists()
        self._lay_out()
        self.set_measures(())
        self.set_channels({})
        plate_map.look_changed.connect(self._show_look)
        plate_map.values_changed.connect(self._show_measure)
        self._show_look(plate_map.look)

    @property
    def measure(self) -> str:
        """The chosen measurement; empty if none is."""
        return self._measures.itemText(self._measures.currentIndex())

    @property
    def channel(self) -> int:
        """The chosen channel; 0 for all."""
        return int(self._channels.currentData() or 0)

    def set_look(self, look: MapLook) -> None:
        """Show a look, as if it was chosen."""
        self.look_actions[look].trigger()

    def set_measures(self, names: Sequence[str], chosen: str = "") -> None:
        """Offer these measurements; the chosen one is kept if it is among them, and else none is chosen.

        Args:
            names: the names of the measurements.
            chosen: the one that is chosen elsewhere [default: the one that is chosen here].
        """
        box, before = self._measures, chosen or self.measure
        self._map.set_has_measures(bool(names))
        if [box.itemText(number) for number in range(box.count())] != list(names) or not names:
            _fill(box, names)
            box.setCurrentIndex(box.findText(before) if before else -1)
        box.setEnabled(bool(names))
        line = box.lineEdit()
        assert line is not None
        line.setPlaceholderText(_CHOOSE if names else _NONE)
        if box.currentIndex() < 0:
            line.clear()
        self._choose_first()

    def choose_measure(self, name: str) -> None:
        """Choose an offered measurement, as the user does; one that is not offered is ignored."""
        number = self._measures.findText(name)
        if number >= 0:
            self._measures.setCurrentIndex(number)
            self._on_measure()

    def set_channels(self, names: Mapping[int, str]) -> None:
        """Offer these channels for the pictures, by number; the chosen one is kept if it is among them."""
        box, before = self._channels, self.channel
        wanted = [(_ALL_CHANNELS, 0), *((name, number) for number, name in names.items())]
        if [(box.itemText(number), box.itemData(number)) for number in range(box.count())] != wanted:
            box.clear()
            for name, number in wanted:
                box.addItem(name, number)
            box.setCurrentIndex(max(0, box.findData(before)))
        box.setEnabled(len(names) > 1)

    def set_plate_map(self, contents: "WellContents | None", problem: str = "") -> None:
        """Set what is in the wells, for the menu; see :meth:`SelectMenu.set_plate_map`."""
        self.menu.set_plate_map(contents, problem)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show words on the buttons if there is room for them."""
        super().resizeEvent(event)
        is_wide = self.width() >= self._wide + _SPARE
        style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if is_wide else Qt.ToolButtonStyle.ToolButtonIconOnly
        for button in self._buttons.values():
            button.setToolButtonStyle(style)

    def changeEvent(self, event: QEvent | None) -> None:
        """Draw the icons again when the palette changes."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.PaletteChange:
            self._take_palette()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _make_action(self, number: int, look: MapLook) -> QAction:
        action = QAction(look_icon(look, self.palette()), f"Show {look.value.lower()} in the map", self)
        action.setIconText(look.value)
        action.setShortcut(f"Alt+{number}")
        action.setToolTip(f"{_TIPS[look]} (Alt+{number})")
        action.setCheckable(True)
        action.triggered.connect(lambda: self._want(look))
        self.addAction(action)
        return action

    def _make_button(self, look: MapLook) -> QToolButton:
        button = QToolButton()
        button.setDefaultAction(self.look_actions[look])
        button.setAccessibleName(look.value)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return button

    def _prepare_lists(self) -> None:
        for box, name in ((self._measures, "Measurement in the map"), (self._channels, "Channel in the map")):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(4)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.setAccessibleName(name)
        _make_searchable(self._measures)
        self._measures.textActivated.connect(lambda _: self._on_measure())
        line = self._measures.lineEdit()
        assert line is not None
        line.editingFinished.connect(self._restore_measure)
        self._channels.activated.connect(lambda _: self.channel_chosen.emit(self.channel))

    def _lay_out(self) -> None:
        group = QActionGroup(self)
        group.setExclusive(True)
        for action in self.look_actions.values():
            group.addAction(action)
        for page in (QWidget(), self._measures, self._channels):
            self._choices.addWidget(page)
        self._choices.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._choices.setMinimumWidth(_NARROWEST_LIST)
        self._select.setText("Select \N{BLACK DOWN-POINTING SMALL TRIANGLE}")
        self._select.setAccessibleName("Select wells")
        self._select.setToolTip("Select wells: all, failed, by plate map, a sample")
        self._select.setMenu(self.menu)
        self._select.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._select.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._take_palette()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for button in self._buttons.values():
            layout.addWidget(button)
        layout.addSpacing(4)
        layout.addWidget(self._choices, 1)
        layout.addWidget(self._select)
        self._wide = layout.sizeHint().width()

    def _take_palette(self) -> None:
        """Use the colours of the palette; which button is on is hard to see in the dark colours of some styles."""
        for look, action in self.look_actions.items():
            action.setIcon(look_icon(look, self.palette()))
        for button in (*self._buttons.values(), self._select):
            button.setStyleSheet(_button_style(self.palette()))

    def _want(self, look: MapLook) -> None:
        self._map.set_look(look)
        self.look_wanted.emit(look)
        self._choose_first()

    def _show_look(self, look: MapLook) -> None:
        self.look_actions[look].setChecked(True)
        self._choices.setCurrentIndex(list(MapLook).index(look))

    def _show_measure(self, values: WellColours | None) -> None:
        """Show which measurement colours the wells, also if it was chosen elsewhere."""
        number = -1 if values is None else self._measures.findText(values.title)
        if number >= 0:
            self._measures.setCurrentIndex(number)
            self._measures.setToolTip(plain_tooltip(self.measure))

    def _choose_first(self) -> None:
        """Choose the first measurement if values are to be shown and none is chosen."""
        if self._map.look is MapLook.VALUES and not self.measure and self._measures.count():
            self._measures.setCurrentIndex(0)
            self._on_measure()

    def _on_measure(self) -> None:
        self._measures.setToolTip(plain_tooltip(self.measure))
        line = self._measures.lineEdit()
        assert line is not None
        line.setCursorPosition(0)  # the beginning of the name is seen
        self.measure_chosen.emit(self.measure)

    def _restore_measure(self) -> None:
        """Show the chosen measurement again after something else was typed."""
        box = self._measures
        typed = box.findText(box.currentText(), Qt.MatchFlag.MatchFixedString)
        if typed < 0:
            box.setEditText(box.itemText(box.currentIndex()) if box.currentIndex() >= 0 else "")


def _button_style(palette: QPalette) -> str:
    role = QPalette.ColorRole
    names = {each: palette.color(each).name() for each in (role.Button, role.ButtonText, role.Highlight)}
    text, on = palette.color(role.HighlightedText).name(), names[role.Highlight]
    line = blend(palette.color(role.ButtonText), palette.color(role.Button), _LINE).name()
    return (
        f"QToolButton {{ padding: 3px 6px; border: 1px solid {line}; border-radius: 3px;"
        f" background: {names[role.Button]}; color: {names[role.ButtonText]} }}"
        f" QToolButton:hover, QToolButton:focus {{ border-color: {on} }}"
        f" QToolButton:checked {{ background: {on}; color: {text} }}"
        " QToolButton::menu-indicator { image: none }"
    )


class _ElidedBox(QComboBox):
    """A list whose chosen item is elided to the width; the tooltip has the whole of it."""

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the box with the elided text."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        style = self.style()
        assert style is not None
        field = QStyle.SubControl.SC_ComboBoxEditField
        place = style.subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self)
        text, middle = self.currentText(), Qt.TextElideMode.ElideMiddle
        option.currentText = self.fontMetrics().elidedText(text, middle, place.width() - 4)
        self.setToolTip(plain_tooltip(text))
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()


def _make_searchable(box: QComboBox) -> None:
    """Let the user find an item by any part of its text. superqt has the same, but takes most of a second to import."""
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    completer = QCompleter(box.model(), box)
    completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
    completer.setFilterMode(Qt.MatchFlag.MatchContains)
    completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
    box.setCompleter(completer)


def _fill(box: QComboBox, names: Sequence[str]) -> None:
    """Replace the items; the list may be wider than the box."""
    box.clear()
    box.addItems(names)
    view = box.view()
    assert view is not None
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    widest = max((box.fontMetrics().horizontalAdvance(name) for name in names), default=0) + 40
    view.setMinimumWidth(min(_WIDEST_LIST, widest))
