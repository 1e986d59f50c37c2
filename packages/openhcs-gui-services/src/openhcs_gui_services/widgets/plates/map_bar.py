"""The bar above a plate map: what its wells show, and the menu that selects wells."""

from collections.abc import Sequence

from PyQt6.QtCore import pyqtSignal as Signal
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.widgets.plates.map_look import MapLook

__all__ = ["MapBar"]


class MapBar(QWidget):
    """Switches a plate map between states, values and images."""

    look_wanted = Signal(object)
    """The :class:`MapLook` to show."""
    measure_chosen = Signal(str)
    """Name of the measurement to colour the wells by; empty for none."""
    channel_chosen = Signal(str)
    """Name of the channel of the thumbnails; empty for all channels in their colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = MapLook.STATES

    def set_look(self, look: MapLook) -> None:
        """Show which look is on."""
        self._look = look

    def set_measures(self, names: Sequence[str]) -> None:
        """Offer these measurements; the chosen one is kept if it is among them."""

    def set_channels(self, names: Sequence[str]) -> None:
        """Offer these channels for the thumbnails; the chosen one is kept if it is among them."""
