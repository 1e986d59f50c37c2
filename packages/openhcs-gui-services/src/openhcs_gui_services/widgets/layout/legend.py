"""The legend of a layout: each value of a column with its colour and its number of wells."""

from collections.abc import Mapping, Sequence

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PyQt6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from openhcs_gui_services.widgets.common.text import plain_tooltip

__all__ = ["LayoutLegend"]

_MOST = 100
_SHOWN = 24
_ROWS = 3


class LayoutLegend(QListWidget):
    """Lists values; choosing one chooses its wells."""

    wells_wanted = pyqtSignal(tuple)
    """The wells of the chosen value should be selected."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._of: dict[str, Sequence[str]] = {}
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSpacing(1)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Values of the column")
        view = self.viewport()
        assert view is not None
        view.setBackgroundRole(QPalette.ColorRole.Window)
        self.itemClicked.connect(self._choose)
        self.itemActivated.connect(self._choose)

    def show_values(self, wells: Mapping[str, Sequence[str]], colours: Mapping[str, QColor]) -> None:
        """Show values with their wells and colours; of very many, the first ones."""
        self._of = dict(wells)
        self.clear()
        for text, of_text in list(wells.items())[:_MOST]:
            shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
            item = QListWidgetItem(_swatch(colours[text], self.palette(), self._edge()), f"{shown} ({len(of_text)})")
            item.setData(Qt.ItemDataRole.UserRole, text)
            count = f"{len(of_text)} well{'s' if len(of_text) != 1 else ''}"
            item.setToolTip(plain_tooltip(f"{text}: {count}. Click to select them."))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self.addItem(item)
        if len(wells) > _MOST:
            rest = QListWidgetItem(f"and {len(wells) - _MOST} more values")
            rest.setFlags(Qt.ItemFlag.ItemIsEnabled)
            self.addItem(rest)
        self.setVisible(bool(wells))
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Return the height of as many rows as are needed, three at most."""
        width = max(200, self.width() - 4)
        rows, used = 1, 0
        for number in range(self.count()):
            item = self.item(number)
            each = 0 if item is None else self.visualItemRect(item).width() + 4
            if used and used + each > width:
                rows, used = rows + 1, 0
            used += each
        return QSize(200, min(_ROWS, rows) * (self._edge() + 10) + 4)

    def minimumSizeHint(self) -> QSize:
        """Return the height of one row."""
        return QSize(100, self._edge() + 12)

    def _edge(self) -> int:
        return self.fontMetrics().height() - 2

    def _choose(self, item: QListWidgetItem) -> None:
        wells = self._of.get(str(item.data(Qt.ItemDataRole.UserRole)))
        if wells:
            self.wells_wanted.emit(tuple(wells))


def _swatch(colour: QColor, palette: QPalette, edge: int) -> QIcon:
    picture = QPixmap(edge, edge)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    painter.setBrush(colour)
    painter.drawRect(1, 1, edge - 3, edge - 3)
    painter.end()
    return QIcon(picture)
