"""The welcome: open a plate, make an example plate, or go on with a recent one."""

from collections.abc import Sequence
from pathlib import PurePath

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QDragEnterEvent, QDropEvent, QFontMetrics
from PyQt6.QtWidgets import QCommandLinkButton, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from openhcs_gui_services.widgets.common.icons import Icon, make_icon

__all__ = ["Welcome"]

_WIDTH = 480


class Welcome(QWidget):
    """Three ways to begin, as large buttons; folders can also be dropped anywhere."""

    open_wanted = Signal()
    """A folder is to be chosen."""
    example_wanted = Signal()
    """An example plate is to be made."""
    plates_wanted = Signal(list)
    """Paths of plates to open: a recent one, or those that were dropped."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        title = QLabel("What do you want to look at?")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.6)
        title.setFont(font)
        self.open = QCommandLinkButton("Open a plate", "Choose the folder with the images of a plate")
        self.example = QCommandLinkButton("Make an example plate", "24 wells with nuclei, to try everything")
        for button, icon in ((self.open, Icon.RESULTS), (self.example, Icon.ADD)):
            button.setIcon(make_icon(icon, self.palette()))
            button.setMaximumWidth(_WIDTH)
        self._recent_title = QLabel("Recent plates")
        self.recent: list[QCommandLinkButton] = []
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.open.clicked.connect(lambda: self.open_wanted.emit())
        self.example.clicked.connect(lambda: self.example_wanted.emit())
        column = QVBoxLayout()
        column.addStretch(1)
        for widget in (title, self.open, self.example, self.state, self._recent_title):
            column.addWidget(widget)
        column.addLayout(self._recent)
        column.addStretch(2)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.addStretch(1)
        layout.addLayout(column, 4)
        layout.addStretch(1)
        self.setFocusProxy(self.open)
        self.show_recent(())

    def show_recent(self, paths: Sequence[str]) -> None:
        """Offer these plates, the latest first."""
        for button in self.recent:
            button.deleteLater()
        self.recent = [self._button(path) for path in paths]
        self._recent_title.setVisible(bool(paths))

    def show_state(self, text: str) -> None:
        """Say what is going on, such as that an example is being made."""
        self.state.setText(text)
        self.example.setEnabled(not text)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept folders."""
        if event is not None and _folders(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Open the dropped folders."""
        if event is not None and (paths := _folders(event)):
            event.acceptProposedAction()
            self.plates_wanted.emit(paths)

    def _button(self, path: str) -> QCommandLinkButton:
        bold = self.font()
        bold.setBold(True)  # as titles of such buttons are
        where = self.fontMetrics().elidedText(str(PurePath(path).parent), Qt.TextElideMode.ElideMiddle, _WIDTH - 80)
        name = QFontMetrics(bold).elidedText(PurePath(path).name or path, Qt.TextElideMode.ElideMiddle, _WIDTH - 80)
        button = QCommandLinkButton(name, where)
        button.setIcon(make_icon(Icon.VIEW, self.palette()))
        button.setToolTip(path)
        button.setMaximumWidth(_WIDTH)
        button.clicked.connect(lambda: self.plates_wanted.emit([path]))
        self._recent.addWidget(button)
        return button


def _folders(event: QDragEnterEvent | QDropEvent) -> list[str]:
    data = event.mimeData()
    return [] if data is None else [url.toLocalFile() for url in data.urls() if url.isLocalFile()]
