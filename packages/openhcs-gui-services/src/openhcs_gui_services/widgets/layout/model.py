"""The wells of a plate as a table model: rows and columns of the plate, with the values of one column of the map."""

from collections.abc import Collection, Mapping
from typing import Any

from PyQt6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PyQt6.QtGui import QColor

from openhcs_gui_services.services.layout.shapes import SHAPES, PlateShape
from openhcs_gui_services.services.layout.table import LayoutTable
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.layout.value_colours import value_colours
from openhcs_gui_services.widgets.layout.well_stamps import WellFace

__all__ = ["LayoutModel"]


class LayoutModel(QAbstractTableModel):
    """Shows one column of a layout."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.shape: PlateShape = SHAPES[4]
        self._table = LayoutTable()
        self._column = ""
        self._wells: frozenset[str] = frozenset()
        self._colours: dict[str, QColor] = {}
        self._faces: dict[tuple[int, int], WellFace] = {}
        self._set_faces()

    @property
    def colours(self) -> dict[str, QColor]:
        """The colour of each value of the column, in the order of the legend."""
        return self._colours

    @property
    def faces(self) -> Mapping[tuple[int, int], WellFace]:
        """How each well looks, by row and column."""
        return self._faces

    def show(self, table: LayoutTable, column: str, shape: PlateShape, wells: Collection[str]) -> None:
        """Show a column of a layout.

        Args:
            table: the layout.
            column: the column; "" for none.
            shape: the plate.
            wells: wells of the plate that have images; empty if they are not known.
        """
        is_other = shape != self.shape
        if is_other:
            self.beginResetModel()
        self.shape, self._table, self._column, self._wells = shape, table, column, frozenset(wells)
        self._colours = value_colours(list(table.values(column)))
        self._set_faces()
        if is_other:
            self.endResetModel()
        else:
            self.dataChanged.emit(self.index(0, 0), self.index(shape.rows - 1, shape.columns - 1))

    def well(self, index: QModelIndex) -> str:
        """Return the well at an index."""
        return self.shape.well(index.row(), index.column())

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of rows of the plate."""
        return 0 if parent.isValid() else self.shape.rows

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Return the number of columns of the plate."""
        return 0 if parent.isValid() else self.shape.columns

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the letters of rows and the numbers of columns."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        is_column = orientation is Qt.Orientation.Horizontal
        return str(section + 1) if is_column else self.shape.well(section, 0).removesuffix("01")

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the value or the tooltip of a well."""
        well = self.well(index)
        text = self._table.text(self._column, well)
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return text
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(self._sentence(well))
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._sentence(well)
        return None

    def _set_faces(self) -> None:
        cells, made = self._table.cells.get(self._column, {}), {}
        for row in range(self.shape.rows):
            for column in range(self.shape.columns):
                well = self.shape.well(row, column)
                text = cells.get(well, "")
                looks = text, self._colours[text].rgb() if text else -1, not self._wells or well in self._wells
                if looks not in made:
                    made[looks] = WellFace(*looks)
                self._faces[row, column] = made[looks]

    def _sentence(self, well: str) -> str:
        said = [f"{name} {text}" for name in self._table.columns if (text := self._table.text(name, well))]
        note = "" if not self._wells or well in self._wells else " (the plate has no images of it)"
        return f"{well}{note}: {', '.join(said) or 'nothing'}"
