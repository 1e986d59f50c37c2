"""The two questions of the menu that selects wells: an expression over the plate map, and a sample."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLabel, QLineEdit, QSpinBox, QWidget

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour
from openhcs_gui_services.widgets.plates.well_choice import groups_of, sample_of
from openhcs_runtime.exceptions import PlateMapError

if TYPE_CHECKING:
    from openhcs_runtime.plate_map import PlateMap

__all__ = ["SampleDialog", "WhereDialog"]

_EXAMPLE = "compound == 'DMSO' and dose_um > 1"
_SEEDS = 9999


class _WellDialog(QDialog):
    """A form with a button that selects wells."""

    chosen = Signal(tuple)
    """The names of the chosen wells."""

    def __init__(self, title: str, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.form = QFormLayout(self)
        self._problem = QLabel()
        self._problem.setWordWrap(True)
        self._problem.setTextFormat(Qt.TextFormat.PlainText)

    def add_buttons(self) -> None:
        """Add the line for problems, and the buttons, below what was added before."""
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        select = buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert select is not None
        select.setText("&Select")
        buttons.accepted.connect(self.choose)
        buttons.rejected.connect(self.reject)
        self.form.addRow(self._problem)
        self.form.addRow(buttons)

    def choose(self) -> None:
        """Announce the wells and close, or say why there are none."""
        try:
            wells = self.wells()
        except PlateMapError as error:
            self.show_problem(str(error))
            return
        if wells:
            self.chosen.emit(wells)
            self.accept()
        else:
            self.show_problem("this is true for no well of the plate: change the expression")

    def wells(self) -> tuple[str, ...]:
        """Return the wells that the form describes."""
        raise NotImplementedError

    def show_problem(self, text: str) -> None:
        """Show why no wells can be selected."""
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, tone_colour(Tone.BAD, palette))
        self._problem.setPalette(palette)
        self._problem.setText(text)


class WhereDialog(_WellDialog):
    """Selects the wells for which an expression over the columns of the plate map is true."""

    def __init__(self, plate_map: "PlateMap", wells: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__("Select by plate map", parent)
        self._map, self._wells = plate_map, frozenset(wells)
        self.expression = QLineEdit()
        self.expression.setPlaceholderText(_EXAMPLE)
        self.expression.setMinimumWidth(self.fontMetrics().horizontalAdvance(_EXAMPLE) + 40)
        self.expression.setAccessibleName("Expression")
        columns = QLabel(", ".join(plate_map.columns))
        columns.setWordWrap(True)
        columns.setTextFormat(Qt.TextFormat.PlainText)
        self.form.addRow("Wells &where", self.expression)
        self.form.addRow("Columns", columns)
        self.add_buttons()

    def wells(self) -> tuple[str, ...]:
        """Return the wells for which the expression is true.

        Raises:
            PlateMapError: the expression is not valid.
        """
        return tuple(well for well in self._map.matching(self.expression.text()) if well in self._wells)


class SampleDialog(_WellDialog):
    """Selects a few wells of the plate, or of each value of a column of its plate map."""

    def __init__(self, plate_map: "PlateMap | None", wells: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__("Select a sample", parent)
        self._map, self._wells = plate_map, tuple(wells)
        self.number, self.seed, self.column = QSpinBox(), QSpinBox(), QComboBox()
        self.number.setRange(1, max(1, len(self._wells)))
        self.number.setValue(min(4, max(1, len(self._wells))))
        self.seed.setRange(0, _SEEDS)
        self.seed.setToolTip("Another number gives another sample, the same number the same one")
        self.column.addItem("of the whole plate", "")
        for column in () if plate_map is None else plate_map.columns:
            self.column.addItem(f"of each {column}", column)
        self.form.addRow("&Wells", self.number)
        self.form.addRow("", self.column)
        self.form.addRow("S&eed", self.seed)
        self.add_buttons()

    def wells(self) -> tuple[str, ...]:
        """Return the sample."""
        column = str(self.column.currentData())
        groups = (
            [self._wells] if not column or self._map is None else [*groups_of(self._map, column, self._wells).values()]
        )
        return sample_of([group for group in groups if group], self.number.value(), self.seed.value())
