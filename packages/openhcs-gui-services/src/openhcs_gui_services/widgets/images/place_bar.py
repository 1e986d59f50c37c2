"""Which site, plane and time point of a well is shown; only what the plate has several of can be chosen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QWidget

from openhcs_gui_services.services.images.source import ImagePlace

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["NumberSlider", "SiteBox"]

ALL_SITES = 0


class SiteBox(QComboBox):
    """The sites of the shown well, and all of them at once."""

    site_chosen = Signal(int)
    """A site; 0 for all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip("Site of the well (Page Up, Page Down)")
        self.setAccessibleName("Site")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.activated.connect(lambda _: self.site_chosen.emit(int(self.currentData())))

    def show_none(self) -> None:
        """Offer nothing."""
        self.clear()
        self.setEnabled(False)

    def show_sites(self, plate: "OpenPlate", place: ImagePlace, *, all_sites: bool) -> None:
        """Offer the sites of a well, and mark the shown one."""
        sites = plate.sites_of(place.well)
        wanted = [*sites, ALL_SITES] if len(sites) > 1 else list(sites)
        if [self.itemData(at) for at in range(self.count())] != wanted:
            self.clear()
            for site in sites:
                self.addItem(f"Site {site}", site)
            if len(sites) > 1:
                self.addItem("All sites", ALL_SITES)
        self.setEnabled(len(sites) > 1)
        self.setCurrentIndex(wanted.index(ALL_SITES if all_sites else place.site) if wanted else -1)


class NumberSlider(QWidget):
    """A slider over planes or time points, which is hidden if there is one.

    Args:
        word: what the numbers are.
        parent: the parent widget.
    """

    chosen = Signal(int)
    """A number was chosen."""

    def __init__(self, word: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._word = word
        self._numbers: tuple[int, ...] = ()
        self._label = QLabel()
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName(word)
        self._slider.setPageStep(1)
        self._slider.valueChanged.connect(self._choose)
        box = QHBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._label)
        box.addWidget(self._slider, 1)
        self.hide()

    def show_number(self, numbers: Sequence[int], number: int) -> None:
        """Offer these numbers, and mark the shown one."""
        self._numbers = tuple(numbers)
        self.setVisible(len(self._numbers) > 1)
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, len(self._numbers) - 1))
        if number in self._numbers:
            self._slider.setValue(self._numbers.index(number))
        self._slider.blockSignals(False)
        self._label.setText(f"{self._word} {number} of {self._numbers[-1] if self._numbers else number}")

    def _choose(self, place: int) -> None:
        if place < len(self._numbers):
            self.chosen.emit(self._numbers[place])
