"""A dialog that chooses columns of a table from a list that can be searched."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from openhcs_gui_services.widgets.common.buttons import push_button

__all__ = ["ColumnChooser"]


class ColumnChooser(QDialog):
    """Chooses columns; all of them can't be hidden at once.

    Args:
        columns: all columns, in order.
        shown: those that are shown.
        parent: the parent widget.
    """

    columns_chosen = Signal(tuple)
    """The chosen columns, in the order of the table."""

    def __init__(self, columns: Sequence[str], shown: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Columns")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.search, self.list = QLineEdit(), QListWidget()
        self.search.setPlaceholderText("Search columns")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search columns")
        self.list.setAccessibleName("Columns")
        for name in columns:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if name in shown else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._lay_out()
        self.search.textChanged.connect(self._filter)
        self.list.itemChanged.connect(lambda _: self._update())
        self._buttons.accepted.connect(self._accept)
        self._buttons.rejected.connect(self.reject)
        self.resize(340, 420)

    def chosen(self) -> tuple[str, ...]:
        """Return the chosen columns."""
        return tuple(item.text() for item in self._items() if item.checkState() is Qt.CheckState.Checked)

    def _items(self) -> list[QListWidgetItem]:
        items = (self.list.item(row) for row in range(self.list.count()))
        return [item for item in items if item is not None]

    def _lay_out(self) -> None:
        quick = QHBoxLayout()
        quick.addWidget(push_button("Show all found", "Show every column in the list", lambda: self._check(True)))
        quick.addWidget(push_button("Hide all found", "Hide every column in the list", lambda: self._check(False)))
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.list, 1)
        layout.addLayout(quick)
        layout.addWidget(self._buttons)

    def _filter(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.casefold() not in item.text().casefold())

    def _check(self, is_shown: bool) -> None:
        for item in self._items():
            if not item.isHidden():
                item.setCheckState(Qt.CheckState.Checked if is_shown else Qt.CheckState.Unchecked)

    def _update(self) -> None:
        button = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        assert button is not None
        button.setEnabled(bool(self.chosen()))

    def _accept(self) -> None:
        self.columns_chosen.emit(self.chosen())
        self.accept()
