"""Which sets of objects are drawn as outlines, and in which colours; the same for all views."""

from collections.abc import Iterable

from PyQt6.QtCore import QObject, pyqtSignal as Signal
from PyQt6.QtWidgets import QCheckBox, QLabel, QWidget
from superqt import QFlowLayout

from openhcs_gui_services.widgets.images.channel_bar import colour_icon, shortened

__all__ = ["OutlineBar", "OutlineLooks"]

_COLOURS = (0xFFD600, 0x00E5FF, 0xFF8A3D, 0xFF6BD6, 0xB2FF59, 0xE0E0E0)
_MOST = 64
"""Names of sets whose state is remembered."""


class OutlineLooks(QObject):
    """Colours of sets by the order in which they were first seen, and which sets are hidden."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._colours: dict[str, int] = {}
        self._hidden: set[str] = set()
        self.are_on = True
        """Whether any outlines are drawn."""

    def colour(self, name: str) -> int:
        """Return the colour of a set, 0xRRGGBB."""
        if name not in self._colours:
            if len(self._colours) >= _MOST:
                self._colours.clear()
                self._hidden.clear()
            self._colours[name] = _COLOURS[len(self._colours) % len(_COLOURS)]
        return self._colours[name]

    def is_shown(self, name: str) -> bool:
        """Return whether the outlines of a set are drawn."""
        return self.are_on and name not in self._hidden

    def is_chosen(self, name: str) -> bool:
        """Return whether the outlines of a set are drawn while outlines are on."""
        return name not in self._hidden

    def choose(self, name: str, is_shown: bool) -> None:
        """Draw the outlines of a set, or don't."""
        (self._hidden.discard if is_shown else self._hidden.add)(name)
        self.changed.emit()

    def set_on(self, are_on: bool) -> None:
        """Draw outlines, or none at all."""
        self.are_on = are_on
        self.changed.emit()


class OutlineBar(QWidget):
    """A check box for each set of objects that is there.

    Args:
        looks: which sets are drawn, which the check boxes follow and change.
        parent: the parent widget.
    """

    def __init__(self, looks: OutlineLooks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._looks = looks
        self._names: tuple[str, ...] = ()
        self._checks: dict[str, QCheckBox] = {}
        self._box = QFlowLayout(self)  # several sets need several lines in a narrow pane
        self._box.setContentsMargins(0, 0, 0, 0)
        title = QLabel("Outlines")
        title.setMinimumHeight(QCheckBox("O").sizeHint().height())
        self._box.addWidget(title)
        looks.changed.connect(self._show)
        self.hide()

    def show_sets(self, names: Iterable[str]) -> None:
        """Offer these sets."""
        names = tuple(dict.fromkeys(names))
        self.setVisible(bool(names))
        if names == self._names:
            return
        for check in self._checks.values():
            self._box.removeWidget(check)
            check.deleteLater()
        self._names, self._checks = names, {}
        for name in names:
            check = QCheckBox(shortened(name))
            check.setIcon(colour_icon(self._looks.colour(name)))
            check.setToolTip(f"Draw the outlines of {name} (O: all outlines)")
            check.toggled.connect(lambda on, chosen=name: self._looks.choose(chosen, on))
            self._box.addWidget(check)
            self._checks[name] = check
        self._show()

    def _show(self) -> None:
        for name, check in self._checks.items():
            check.blockSignals(True)
            check.setChecked(self._looks.is_chosen(name))
            check.setEnabled(self._looks.are_on)
            check.blockSignals(False)
