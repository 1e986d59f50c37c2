"""A list of the plates and runs that a napari viewer has received, from which the user chooses the one to see."""

from collections.abc import Callable, Mapping

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from openhcs_runtime.viewers.origin import Origin

__all__ = ["PlateList"]

_WITHOUT_NAME = "images without a plate"


class PlateList(QComboBox):
    """The plates and runs; the newest is at the end.

    Args:
        choose: called with the one that the user has chosen.
    """

    def __init__(self, choose: Callable[[Origin], None]) -> None:
        super().__init__()
        self._choose = choose
        self._origins: list[Origin] = []
        self.setAccessibleName("Plate")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(16)
        self.activated.connect(self._on_activated)

    @property
    def is_useful(self) -> bool:
        """Whether there is a choice."""
        return len(self._origins) > 1

    def fill(self, titles: Mapping[Origin, str], current: Origin | None) -> None:
        """Show these plates and runs, in the order in which they have come."""
        known = [one for one in self._origins if one in titles]
        self._origins = known + [one for one in titles if one not in known]
        self.clear()
        for number, one in enumerate(self._origins):
            self.addItem(titles[one] or _WITHOUT_NAME)
            self.setItemData(number, titles[one] or _WITHOUT_NAME, Qt.ItemDataRole.ToolTipRole)
        if current in self._origins:
            self.setCurrentIndex(self._origins.index(current))
            self.setToolTip(titles[current] or _WITHOUT_NAME)

    def _on_activated(self, number: int) -> None:
        self._choose(self._origins[number])
