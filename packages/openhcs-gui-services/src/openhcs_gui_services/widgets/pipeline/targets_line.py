"""The line that says which plates an edit goes to, while it goes to several."""

from collections.abc import Sequence

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from openhcs_gui_services.widgets.common.elided_label import ElidedLabel

__all__ = ["TargetsLine"]


class TargetsLine(QWidget):
    """Names the plates, and offers to edit only one of them; hidden for a single plate."""

    only_wanted = pyqtSignal()
    """Edits shall only go to the plate that is shown."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = ElidedLabel("", Qt.TextElideMode.ElideRight)
        self.only = QToolButton()
        self.only.clicked.connect(self.only_wanted)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.only)
        self.hide()

    def show_plates(self, names: Sequence[str]) -> None:
        """Show the names of the plates that edits go to, the shown one first."""
        self.setVisible(len(names) > 1)
        if len(names) > 1:
            self.label.show_text(f"Edits go to {len(names)} plates: {', '.join(names)}")
            self.only.setText(f"Only {names[0]}")
            self.only.setToolTip(f"Select only {names[0]}, so that edits leave the other plates as they are")
