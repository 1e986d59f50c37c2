"""The states of a plate in one row, from start to end: python gui_progress_row.py"""

import sys
from collections.abc import Iterator

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QApplication

from openhcs_gui_services.services import PlateSnapshot, PlateStatus, present_plate
from openhcs_gui_services.widgets import PlateProgressRow


def story() -> Iterator[PlateSnapshot]:
    """Yield the states of a plate, from the folder to the results."""
    for state in (PlateStatus.INIT_PENDING, PlateStatus.READY, PlateStatus.COMPILE_PENDING, PlateStatus.COMPILED):
        yield PlateSnapshot(state)
    for percent in range(0, 100, 5):
        left = 100.0 - percent if percent else None
        yield PlateSnapshot(
            PlateStatus.RUNNING, percent=percent, elapsed_seconds=percent, remaining_seconds=left, axis_id="B06"
        )
    yield PlateSnapshot(PlateStatus.COMPLETE, elapsed_seconds=100)


if __name__ == "__main__":
    app = QApplication(sys.argv)
    row, states = PlateProgressRow("plate_01"), story()
    timer = QTimer()
    timer.timeout.connect(
        lambda: row.show_presentation(present_plate(next(states, PlateSnapshot(PlateStatus.COMPLETE))))
    )
    timer.start(300)
    row.show()
    sys.exit(app.exec())
