"""Show the wells of a plate in the colours of their states: python gui_plate_map.py"""

import sys

from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.widgets import PlateMap
from openhcs_runtime.components import well_name
from zmqruntime.execution import AxisProgress, AxisState


def make_map() -> PlateMap:
    """Return the map of a 96-well plate with some finished wells."""
    plate_map = PlateMap()
    names = [well_name(row, column) for row in range(8) for column in range(12)]
    plate_map.set_wells(AxisProgress(name, AxisState.WAITING) for name in names)
    plate_map.change_wells(AxisProgress(name, AxisState.COMPLETE) for name in names[:40])
    plate_map.change_wells([AxisProgress("B06", AxisState.FAILED, "Segment", 2, 5, error="no such image")])
    plate_map.change_wells([AxisProgress("D05", AxisState.RUNNING, "Measure", 3, 5, percent=62.0)])
    plate_map.well_activated.connect(lambda axis_id: print("look at", plate_map.well(axis_id)))
    return plate_map


if __name__ == "__main__":
    app = QApplication(sys.argv)
    shown = make_map()
    shown.show()
    sys.exit(app.exec())
