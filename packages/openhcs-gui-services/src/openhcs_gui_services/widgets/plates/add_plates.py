"""The dialogs that add plates: several folders at once, and the plates of a folder that has several."""

import os
from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

__all__ = ["FoldersDialog", "FoundPlatesDialog"]

_SIZE = 460, 320


class FoldersDialog(QFileDialog):
    """Chooses one or several folders; open it with ``open()``, which does not block."""

    chosen = Signal(list)
    """The paths of the folders."""

    def __init__(self, parent: QWidget | None = None, folder: str = "") -> None:
        super().__init__(parent, "Add plate folders", folder)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFileMode(QFileDialog.FileMode.Directory)
        self.setOption(QFileDialog.Option.ShowDirsOnly)
        self.setOption(QFileDialog.Option.DontUseNativeDialog)  # native ones choose one folder only
        self.setLabelText(QFileDialog.DialogLabel.Accept, "Add")
        for view in (*self.findChildren(QListView, "listView"), *self.findChildren(QTreeView, "treeView")):
            view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.filesSelected.connect(self._take)

    def _take(self, paths: list[str]) -> None:
        """Leave out the folder that is shown if folders in it are selected."""
        shown = self.directory().absolutePath()
        inner = [path for path in paths if os.path.abspath(path) != shown]
        self.chosen.emit(inner or paths)


class FoundPlatesDialog(QDialog):
    """Offers the plates that were found below a folder, all of them checked."""

    chosen = Signal(list)
    """The paths of the plates to add."""

    def __init__(self, found: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Add plates")
        self.list = QListWidget()
        self.list.setAccessibleName("Plates that were found")
        common = os.path.commonpath(found)
        for path in found:
            item = QListWidgetItem(os.path.relpath(path, common) if path != common else path)
            item.setData(Qt.ItemDataRole.UserRole, path)
            item.setToolTip(path)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            self.list.addItem(item)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.itemChanged.connect(self._count)
        said = QLabel(f"{len(found)} plates were found in {common}.")
        said.setTextFormat(Qt.TextFormat.PlainText)
        said.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        add = buttons.addButton("&Add", QDialogButtonBox.ButtonRole.AcceptRole)
        assert add is not None
        self.add_button = add
        buttons.accepted.connect(self._accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(said)
        layout.addWidget(self.list)
        layout.addWidget(buttons)
        self.resize(*_SIZE)
        self._count()

    def paths(self) -> list[str]:
        """Return the checked plates."""
        items = [item for row in range(self.list.count()) if (item := self.list.item(row)) is not None]
        return [
            str(item.data(Qt.ItemDataRole.UserRole)) for item in items if item.checkState() == Qt.CheckState.Checked
        ]

    def _count(self) -> None:
        count = len(self.paths())
        self.add_button.setEnabled(bool(count))
        self.add_button.setText("&Add 1 plate" if count == 1 else f"&Add {count} plates")

    def _accept(self) -> None:
        self.chosen.emit(self.paths())
        self.accept()
