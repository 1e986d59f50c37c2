"""The numbers of a run: what happened, a measurement that colours the map, tables, plots and comparisons."""

from pathlib import Path

from PyQt6.QtCore import pyqtSignal as Signal
from PyQt6.QtWidgets import QWidget

__all__ = ["NumbersPane"]


class NumbersPane(QWidget):
    """Shows the numbers of one run of a plate."""

    colours_changed = Signal(object)
    """The ``WellColours`` of the chosen measurement; None if there is none."""
    object_wanted = Signal(object)
    """The ``ObjectPlace`` of an object to show in the image pane."""
    well_wanted = Signal(str)
    """Name of a well to select in the map."""

    def show_run(self, run: Path | None, name: str) -> None:
        """Show the run in this folder.

        Args:
            run: folder of the run; None if the plate has no results.
            name: name of the plate, for titles.
        """
