"""Show the wells of a plate in the colours of their states: python gui_plate_map.py"""

import sys

from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services.plates.values import WellRow, WellState
from openhcs_gui_services.widgets import PlateMap
from openhcs_runtime.components import well_name


def make_map() -> PlateMap:
    """Return the map of a 96-well plate with some finished wells."""
    plate_map = PlateMap()
    names = [well_name(row, column) for row in range(8) for column in range(12)]
    plate_map.set_wells(WellRow(name, WellState.PENDING) for name in names)
    plate_map.change_wells(WellRow(name, WellState.COMPLETE) for name in names[:40])
    plate_map.change_wells([WellRow("B06", WellState.FAILED, "Segment", 2, 5, error="no such image")])
    plate_map.change_wells([WellRow("D05", WellState.RUNNING, "Measure", 3, 5, percent=62.0)])
    plate_map.well_activated.connect(lambda axis_id: print("look at", plate_map.well(axis_id)))
    return plate_map


if __name__ == "__main__":
    app = QApplication(sys.argv)
    shown = make_map()
    shown.show()
    sys.exit(app.exec())
