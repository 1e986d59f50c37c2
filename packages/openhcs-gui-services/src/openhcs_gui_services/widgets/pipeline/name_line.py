"""The name of a pipeline, which can be edited, and a sign of fixed width for edits that are in no file."""

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QWidget
from superqt import QElidingLineEdit

__all__ = ["NameLine"]

_SIGN = "●"


class NameLine(QWidget):
    """A name, elided in the middle while it is not edited."""

    name_edited = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line = QElidingLineEdit()
        self.line.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.line.setAccessibleName("Name of the pipeline")
        self.line.setFrame(False)
        self.line.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.line.setMinimumWidth(60)
        self.line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.line.setStyleSheet("QLineEdit:!focus { background: transparent; }")
        font = self.line.font()
        font.setBold(True)
        self.line.setFont(font)
        self.sign = QLabel()
        self.sign.setFixedWidth(self.sign.fontMetrics().horizontalAdvance(_SIGN) + 6)
        self.sign.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.sign)
        self.line.editingFinished.connect(self._on_edited)
        self.line.returnPressed.connect(self.line.clearFocus)
        self._name = ""

    def show_name(self, name: str, path: str, *, is_modified: bool) -> None:
        """Show a name.

        Args:
            name: the name.
            path: the file of the pipeline; "" if it has none.
            is_modified: whether there are edits that are in no file.
        """
        self._name = name
        if self.line.text() != name:
            self.line.setText(name)
            self.line.setCursorPosition(0)
        self.line.setToolTip(f"{name}\n{path or 'In no file; the window keeps it'}\nClick to rename")
        self.sign.setText(_SIGN if is_modified else "")
        self.sign.setToolTip("Edited since it was saved to a file; the window keeps the edits" if is_modified else "")
        self.sign.setAccessibleName("edited" if is_modified else "")

    def begin(self) -> None:
        """Let the name be edited."""
        self.line.setFocus()
        self.line.selectAll()

    def sizeHint(self) -> QSize:
        """Return a width that does not depend on the name, so that nothing moves when it changes."""
        return QSize(160, super().sizeHint().height())

    def _on_edited(self) -> None:
        name = self.line.text().strip()
        if name and name != self._name:
            self.name_edited.emit(name)
        else:
            self.line.setText(self._name)
