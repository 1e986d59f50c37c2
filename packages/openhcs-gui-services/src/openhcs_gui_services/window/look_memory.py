"""Keeps what the map shows, states, values or images, for the next window."""

from PyQt6.QtCore import QSettings

from openhcs_gui_services.widgets.plates.map import PlateMap
from openhcs_gui_services.widgets.plates.map_look import MapLook

__all__ = ["keep_look", "restore_look"]

_KEY = "window/look"


def restore_look(plate_map: PlateMap, store: QSettings) -> bool:
    """Show what was shown last; return whether anything was saved that is known."""
    saved = str(store.value(_KEY, ""))
    if saved not in {look.name for look in MapLook}:
        return False
    plate_map.set_look(MapLook[saved])
    return True


def keep_look(plate_map: PlateMap, store: QSettings) -> None:
    """Save what the map shows whenever it changes."""
    plate_map.look_changed.connect(lambda look: store.setValue(_KEY, look.name))
