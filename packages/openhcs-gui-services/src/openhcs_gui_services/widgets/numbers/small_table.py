"""A short table of texts and numbers that sorts by value and copies with Ctrl+C, for hits, curves and changed wells."""

import math
from collections.abc import Callable, Sequence

from PyQt6.QtCore import QModelIndex, QSize, Qt
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from openhcs_gui_services.widgets.numbers.copying import add_copy_key

__all__ = ["SmallTable", "number_text"]

_VALUE = Qt.ItemDataRole.UserRole


def number_text(value: float | None) -> str:
    """Return a number in at most five digits; a dash if there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:,.5g}"


class SmallTable(QTableWidget):
    """Rows of texts and numbers. Numbers sort by value, those that are missing last.

    Args:
        titles: titles of the columns.
        name: what the table shows, for people who can't see it.
        on_refused: called with a line that says why nothing was copied.
        parent: the parent widget.
    """

    def __init__(
        self,
        titles: Sequence[str],
        name: str,
        on_refused: Callable[[str], object] = lambda text: None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(0, len(titles), parent)
        self.setHorizontalHeaderLabels(titles)
        self.setAccessibleName(name)
        self.setSortingEnabled(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 6)
        columns.setHighlightSections(False)
        columns.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        columns.setStretchLastSection(True)
        add_copy_key(self, on_refused)

    def sizeHint(self) -> QSize:
        """Return a small size: the table scrolls."""
        return QSize(240, 80)

    def show_rows(self, rows: Sequence[Sequence[str | float | None]]) -> None:
        """Show these rows; they can be found again by :meth:`number_of`."""
        self.setSortingEnabled(False)
        self.clearContents()
        self.setRowCount(len(rows))
        for place, row in enumerate(rows):
            for column, value in enumerate(row):
                item = _Item(value)
                item.setData(Qt.ItemDataRole.UserRole + 1, place)
                self.setItem(place, column, item)
        header = self.horizontalHeader()
        assert header is not None
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.resizeColumnsToContents()

    def number_of(self, index: QModelIndex) -> int:
        """Return the number of a row as it was given to :meth:`show_rows`, from 0; -1 without a row."""
        number = index.siblingAtColumn(0).data(Qt.ItemDataRole.UserRole + 1)
        return -1 if number is None else int(number)


class _Item(QTableWidgetItem):
    def __init__(self, value: str | float | None) -> None:
        is_text = isinstance(value, str)
        super().__init__(value if isinstance(value, str) else number_text(value))
        self.setData(_VALUE, value)
        self.setToolTip(self.text() if is_text else "")
        side = Qt.AlignmentFlag.AlignLeft if is_text else Qt.AlignmentFlag.AlignRight
        self.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        one, two = self.data(_VALUE), other.data(_VALUE)
        if isinstance(one, str) or isinstance(two, str):
            return str(one) < str(two)
        return _sortable(one) < _sortable(two)


def _sortable(value: float | None) -> float:
    return math.inf if value is None or math.isnan(value) else float(value)
