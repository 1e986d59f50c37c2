"""The actions of the layout editor, each with a shortcut or a place in a menu."""

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QWidget

__all__ = ["LayoutActions"]

_Key = QKeySequence.StandardKey


class LayoutActions:
    """The actions; their shortcuts work while the focus is in the editor.

    Args:
        owner: the editor.
    """

    def __init__(self, owner: QWidget) -> None:
        self._owner = owner
        self.save = self._make("&Save", "Save the layout as the plate map of this plate", _Key.Save)
        self.undo = self._make("↶", "Undo", _Key.Undo)
        self.redo = self._make("↷", "Redo", _Key.Redo)
        self.copy = self._make("&Copy values", "Copy the values of the selected wells, as a block", _Key.Copy)
        self.copy_list = self._make(
            "Copy as &list", "Copy all columns of the selected wells, with a title line", "Ctrl+Shift+C"
        )
        self.paste = self._make("&Paste", "Paste a block or a list of a spreadsheet at the selected well", _Key.Paste)
        self.clear = self._make("C&lear values", "Empty the selected wells in this column (Delete)")
        self.series = self._make("S&eries...", "Fill the selected wells with doses or numbers", "Ctrl+D")
        self.add_column = self._make("&Add a column...", "Add a column", "Ctrl+Shift+A")
        self.rename_column = self._make("&Rename the column...", "Give the column another name")
        self.delete_column = self._make("&Delete the column", "Delete the column and its values")
        self.import_file = self._make("&Import...", "Take the layout from a CSV, Excel or JSON file")
        self.export_file = self._make("&Export...", "Write the layout to a CSV file anywhere")
        self.reload = self._make("Re&load", "Read the plate map again, as another program may have changed it")
        self.select_all = self._make("Select &all wells", "Select all wells of the plate", _Key.SelectAll)

    def _make(self, text: str, tip: str, keys: QKeySequence.StandardKey | str | None = None) -> QAction:
        action = QAction(text, self._owner)
        if keys is not None:
            action.setShortcuts(QKeySequence.keyBindings(keys) if isinstance(keys, _Key) else [QKeySequence(keys)])
            tip = f"{tip} ({action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})"
        action.setToolTip(tip)
        action.setStatusTip(tip)
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._owner.addAction(action)
        return action
