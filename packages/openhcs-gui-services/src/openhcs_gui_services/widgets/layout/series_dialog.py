"""Asks for a series of values for the selected wells, and shows what it would be."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QDoubleValidator
from PyQt6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.exceptions import LayoutError
from openhcs_gui_services.services.layout.series import Direction, Operation, Series

__all__ = ["SeriesDialog"]

_SHOWN = 6
_OPERATIONS = (
    (Operation.DIVIDE, "divided by"),
    (Operation.MULTIPLY, "multiplied by"),
    (Operation.ADD, "plus"),
)
_DIRECTIONS = (
    (Direction.RIGHT, "In each row, from left to right"),
    (Direction.LEFT, "In each row, from right to left"),
    (Direction.DOWN, "In each column, from top to bottom"),
    (Direction.UP, "In each column, from bottom to top"),
    (Direction.ROW_BY_ROW, "Over all wells, row by row"),
    (Direction.COLUMN_BY_COLUMN, "Over all wells, column by column"),
)


class SeriesDialog(QDialog):
    """Dialog for a :class:`Series`.

    Args:
        column: the column of the map.
        wells: the selected wells.
        first: the series that is proposed.
        unit: text at first for the unit of a dose; None if the column has no unit.
        parent: the parent widget.
    """

    series_accepted = pyqtSignal(object, str)
    """The :class:`Series`, and the unit; "" for none."""

    def __init__(
        self, column: str, wells: Sequence[str], first: Series, unit: str | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Series for {column}")
        self._wells = wells
        self.start, self.amount = QLineEdit(f"{first.start:g}"), QLineEdit(f"{first.amount:g}")
        self.operation, self.direction = QComboBox(), QComboBox()
        self.replicates, self.points = QSpinBox(), QSpinBox()
        self.unit = QLineEdit(unit or "")
        self._preview = QLabel()
        standard = QDialogButtonBox.StandardButton
        self._buttons = QDialogButtonBox(standard.Ok | standard.Cancel)
        self._lay_out(column, unit is not None)
        self._connect()
        self.operation.setCurrentIndex(self.operation.findData(first.operation.value))
        self.direction.setCurrentIndex(self.direction.findData(first.direction.value))
        self._show()

    def series(self) -> Series:
        """Return the series.

        Raises:
            LayoutError: a number is missing or can't be used.
        """
        return Series(
            _number(self.start),
            _number(self.amount),
            Operation(self.operation.currentData()),
            Direction(self.direction.currentData()),
            self.replicates.value(),
            self.points.value(),
        )

    @property
    def preview(self) -> str:
        """What the series would be, or what is wrong with it."""
        return self._preview.text()

    def accept(self) -> None:
        """Accept the series if it can be used."""
        try:
            series = self.series()
            series.values(self._wells)
        except LayoutError:
            return
        self.series_accepted.emit(series, self.unit.text().strip())
        super().accept()

    def _lay_out(self, column: str, has_unit: bool) -> None:
        for value, text in _OPERATIONS:
            self.operation.addItem(text, value.value)
        for direction, text in _DIRECTIONS:
            self.direction.addItem(text, direction.value)
        for box, lowest in ((self.replicates, 1), (self.points, 0)):
            box.setRange(lowest, 1536)
        self.points.setSpecialValueText("never")
        self.points.setSuffix(" values")
        self._preview.setWordWrap(True)
        self._preview.setTextFormat(Qt.TextFormat.PlainText)
        form = QFormLayout()
        rows: list[tuple[str, QWidget]] = [
            ("First value", self.start),
            ("Each next one is the last", self.operation),
            ("", self.amount),
            ("Goes", self.direction),
            ("Neighbours with the same value", self.replicates),
            ("Begin again after", self.points),
        ]
        if has_unit:
            rows.append(("Unit, in column dose_unit", self.unit))
        for text, widget in rows:
            widget.setAccessibleName(text or "Amount")
            form.addRow(text, widget)
        for edit in (self.start, self.amount):
            edit.setValidator(QDoubleValidator(edit))
        layout = QVBoxLayout(self)
        wells = f"{len(self._wells)} well{'s' if len(self._wells) != 1 else ''}"
        layout.addWidget(QLabel(f"Fills {column} of {wells}."))
        layout.addLayout(form)
        layout.addWidget(self._preview)
        layout.addWidget(self._buttons)

    def _connect(self) -> None:
        for edit in (self.start, self.amount):
            edit.textChanged.connect(lambda _: self._show())
        for box in (self.operation, self.direction):
            box.currentIndexChanged.connect(lambda _: self._show())
        for spin in (self.replicates, self.points):
            spin.valueChanged.connect(lambda _: self._show())
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    def _show(self) -> None:
        ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert ok is not None
        try:
            texts = list(dict.fromkeys(self.series().values(self._wells).values()))
        except LayoutError as error:
            self._preview.setText(str(error))
            ok.setEnabled(False)
            return
        more = f" ... {texts[-1]}" if len(texts) > _SHOWN else ""
        self._preview.setText(f"{', '.join(texts[:_SHOWN])}{more} ({len(texts)} values)")
        ok.setEnabled(True)


def _number(edit: QLineEdit) -> float:
    locale, text = edit.locale(), edit.text().strip()
    number, is_good = locale.toDouble(text)
    try:
        return number if is_good else float(text)
    except ValueError:
        raise LayoutError(f"{text!r} is not a number: enter one such as 10") from None
