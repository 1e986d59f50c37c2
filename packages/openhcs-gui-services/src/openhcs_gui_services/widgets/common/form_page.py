"""A page with a form that scrolls if it is too high, and gives texts that wrap the height that they need."""

from PyQt6.QtCore import QEvent, QObject, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QFormLayout, QFrame, QScrollArea, QWidget

__all__ = ["FormPage"]


class FormPage(QScrollArea):
    """Scrolls :attr:`form` vertically.

    A plain scroll area does not ask for the height at its width, so that texts that wrap are cut off.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        content = QWidget()
        self.form = QFormLayout(content)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)
        content.installEventFilter(self)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Adapt the height of the form to the width."""
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Adapt the height of the form to its texts."""
        if watched is self.widget() and event is not None and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        content, view = self.widget(), self.viewport()
        if content is not None and view is not None:
            content.setMinimumHeight(self.form.totalHeightForWidth(view.width()))
