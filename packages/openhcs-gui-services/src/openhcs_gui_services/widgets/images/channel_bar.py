"""The channels of the shown plate: on or off, colour, contrast."""

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPixmap
from PyQt6.QtWidgets import QCheckBox, QColorDialog, QGridLayout, QLabel, QMenu, QToolButton, QWidget
from superqt import QDoubleRangeSlider

from openhcs_gui_services.widgets.images.looks import ChannelLook, ChannelLooks

__all__ = ["ChannelBar", "colour_icon", "shortened"]

_COLOURS = (
    ("Blue", 0x0000FF),
    ("Light blue", 0x4080FF),
    ("Cyan", 0x00FFFF),
    ("Green", 0x00FF00),
    ("Yellow", 0xFFFF00),
    ("Orange", 0xFF8000),
    ("Red", 0xFF0000),
    ("Magenta", 0xFF00FF),
    ("White", 0xFFFFFF),
)
_KEYS = 9
_ICON = 14
_LONGEST_NAME = 18


class ChannelBar(QWidget):
    """A row for each channel: a check box with its name, its colour, a slider with two handles for its contrast.

    Args:
        looks: the looks, which the rows follow and change.
        parent: the parent widget.
    """

    def __init__(self, looks: ChannelLooks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._looks = looks
        self._rows: dict[int, _Row] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(2, 1)
        looks.plate_changed.connect(self._make_rows)
        looks.changed.connect(self._show)

    def _make_rows(self) -> None:
        for row in self._rows.values():
            row.remove(self._grid)
        self._rows = {}
        for place, look in enumerate(self._looks.all):
            row = _Row(self._looks, look, place, self)
            for column, widget in enumerate(row.widgets):
                self._grid.addWidget(widget, place, column)
            self._rows[look.channel.number] = row
        self._show()

    def _show(self) -> None:
        for look in self._looks.all:
            if look.channel.number in self._rows:
                self._rows[look.channel.number].show_look(look)


class _Row:
    """The widgets of a channel."""

    def __init__(self, looks: ChannelLooks, look: ChannelLook, place: int, parent: QWidget) -> None:
        number, name = look.channel.number, look.channel.name
        key = f" ({place + 1})" if place < _KEYS else ""
        self._looks, self._number = looks, number
        self._check = QCheckBox(shortened(name), parent)
        self._check.setToolTip(f"Show {name}{key}")
        self._check.setAccessibleName(f"Show channel {name}")
        self._check.toggled.connect(lambda on: looks.set_on(number, on))
        self._colour = QToolButton(parent)
        self._colour.setAutoRaise(True)
        self._colour.setIconSize(QSize(_ICON, _ICON))
        self._colour.setToolTip(f"Colour of {name}")
        self._colour.setAccessibleName(f"Colour of {name}")
        self._colour.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._colour.setMenu(self._colours(self._colour))
        self._slider = QDoubleRangeSlider(Qt.Orientation.Horizontal, parent)  # type: ignore[no-untyped-call]
        self._slider.setToolTip(f"Contrast of {name}: values shown as black and in full colour")
        self._slider.setAccessibleName(f"Contrast of {name}")
        self._slider.setMinimumWidth(60)
        self._slider.valueChanged.connect(lambda ends: looks.set_limits(number, (float(ends[0]), float(ends[1]))))
        self._values = QLabel(parent)
        self._values.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._auto = QToolButton(parent)
        self._auto.setText("Auto")
        self._auto.setAutoRaise(True)
        self._auto.setToolTip(f"Set the contrast of {name} by its pixels (A: of all channels)")
        self._auto.clicked.connect(lambda: looks.set_auto(number))
        self.widgets: tuple[QWidget, ...] = (self._check, self._colour, self._slider, self._values, self._auto)

    def show_look(self, look: ChannelLook) -> None:
        """Show this look."""
        self._check.blockSignals(True)
        self._check.setChecked(look.is_on)
        self._check.blockSignals(False)
        self._colour.setIcon(colour_icon(look.colour))
        for widget in (self._slider, self._auto):
            widget.setEnabled(look.limits is not None and look.is_on)
        if look.limits is not None:
            self._slider.blockSignals(True)
            self._slider.setRange(*look.ends)
            self._slider.setValue(look.limits)
            self._slider.blockSignals(False)
            self._values.setText(f"{_short(look.limits[0])} \u2013 {_short(look.limits[1])}")

    def remove(self, grid: QGridLayout) -> None:
        """Delete the widgets."""
        for widget in self.widgets:
            grid.removeWidget(widget)
            widget.deleteLater()

    def _colours(self, parent: QWidget) -> QMenu:
        menu = QMenu(parent)
        for name, colour in _COLOURS:
            action = menu.addAction(colour_icon(colour), name)
            assert action is not None
            action.triggered.connect(lambda _=False, chosen=colour: self._looks.set_colour(self._number, chosen))
        other = menu.addAction("Other...")
        assert other is not None
        other.triggered.connect(lambda: self._ask(parent))
        return menu

    def _ask(self, parent: QWidget) -> None:
        dialog = QColorDialog(parent)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda colour: self._looks.set_colour(self._number, colour.rgb() & 0xFFFFFF))
        dialog.open()


def colour_icon(colour: int) -> QIcon:
    """Return a disc of a colour, 0xRRGGBB."""
    pixmap = QPixmap(2 * _ICON, 2 * _ICON)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QColor(0x80, 0x80, 0x80))
    painter.setBrush(QColor(colour))
    painter.drawEllipse(1, 1, _ICON - 3, _ICON - 3)
    painter.end()
    return QIcon(pixmap)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def shortened(name: str) -> str:
    """Return a name without its middle if it is long; an ampersand is shown as such."""
    half = _LONGEST_NAME // 2
    text = name if len(name) <= _LONGEST_NAME else f"{name[:half]}\u2026{name[-half + 1 :]}"
    return text.replace("&", "&&")
