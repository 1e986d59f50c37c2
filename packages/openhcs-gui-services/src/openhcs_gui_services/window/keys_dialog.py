"""A dialog with all commands and their keys, for the menu Help."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDialog, QDialogButtonBox, QHeaderView, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from openhcs_gui_services.window.command_palette import Command

__all__ = ["KeysDialog"]

_IN_PANES = {
    "Plate map": (
        ("Move to the next well", "Arrow keys"),
        ("Select more wells", "Shift+Arrow keys, Shift+Click, Ctrl+Click"),
        ("Next failed well", "F"),
        ("Open the well", "Return"),
        ("Cancel the well", "Delete"),
    ),
}
"""Keys of widgets that are not in a menu."""


class KeysDialog(QDialog):
    """Shows the commands of each menu with their keys."""

    def __init__(self, commands: tuple[Command, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and commands")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.list = QTreeWidget()
        self.list.setHeaderLabels(["Command", "Keys", "What it does"])
        self.list.setAccessibleName("Keys and commands")
        groups: dict[str, list[tuple[str, str, str]]] = {}
        for command in commands:
            groups.setdefault(command.group, []).append((command.text, command.keys, command.action.statusTip()))
        for group, keys in _IN_PANES.items():
            groups[group] = [(text, written, "") for text, written in keys]
        for group, rows in groups.items():
            top = QTreeWidgetItem([group])
            top.addChildren([QTreeWidgetItem(list(row)) for row in rows])
            self.list.addTopLevelItem(top)
        self.list.expandAll()
        header = self.list.header()
        assert header is not None
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list)
        layout.addWidget(buttons)
        height = self.fontMetrics().height()
        self.resize(min(parent.width() - 40, height * 46), min(parent.height() - 60, height * 34))
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
