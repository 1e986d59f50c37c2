"""The question that is asked before a file is overwritten that has changed since its text was read."""

import enum

from PyQt6.QtWidgets import QMessageBox, QWidget

__all__ = ["FileAnswer", "ask_about_file"]


class FileAnswer(enum.Enum):
    """What to do with a file that has changed."""

    OVERWRITE = "overwrite"
    LOAD = "load"
    """Edit what the file has now instead; undo brings the text back."""
    CANCEL = "cancel"


def ask_about_file(parent: QWidget, name: str) -> FileAnswer:
    """Ask what to do with a file that does not have the text any more that is being edited."""
    box = QMessageBox(parent)
    box.setWindowTitle("Save")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(f"{name} has changed since this text was read from it: another plate or program has saved it.")
    box.setInformativeText("Loading the file replaces this text; Undo brings it back.")
    role = QMessageBox.ButtonRole
    overwrite = box.addButton("Overwrite", role.DestructiveRole)
    load = box.addButton("Load the file", role.AcceptRole)
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is overwrite:
        return FileAnswer.OVERWRITE
    return FileAnswer.LOAD if clicked is load else FileAnswer.CANCEL
