"""The list of what the outlines of a view can be of: the runs of its plate, the preview, or nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal as Signal
from PyQt6.QtGui import QPaintEvent
from PyQt6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from openhcs_gui_services.widgets.common.text import plain_tooltip

__all__ = ["RunBox", "RunChoice"]

_PREVIEW = "preview"
_LETTERS = 8
_DATE = re.compile(r"^\d{4}-(\d\d-\d\d )(?=\d\d:\d\d)")
_TIP = "The run whose outlines are drawn"


@dataclass(frozen=True, slots=True)
class RunChoice:
    """A run that outlines can be of."""

    folder: Path
    title: str


class RunBox(QComboBox):
    """Offers the runs, newest first, and the preview while there is one."""

    chosen = Signal()
    """The user has chosen an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(_LETTERS)
        self.setAccessibleName("Run of the outlines")
        view = self.view()
        assert view is not None
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.currentIndexChanged.connect(lambda _: self._describe())
        self.activated.connect(lambda _: self.chosen.emit())
        self._describe()
        self.hide()

    @property
    def run(self) -> Path | None:
        """The chosen run; None for the preview, and for no outlines."""
        folder = self.currentData()
        return folder if isinstance(folder, Path) else None

    @property
    def is_preview(self) -> bool:
        """Whether the preview is chosen."""
        return bool(self.currentData() == _PREVIEW)

    @property
    def has_preview(self) -> bool:
        """Whether the preview is offered."""
        return self.findData(_PREVIEW) >= 0

    def set_runs(self, runs: tuple[RunChoice, ...]) -> None:
        """Offer these runs; what is chosen stays chosen if it is still there."""
        before, has_preview = self.currentData(), self.has_preview
        self.clear()
        if has_preview:
            self._add_preview()
        for choice in runs:
            self.addItem(choice.title, choice.folder)
            self.setItemData(self.count() - 1, str(choice.folder), Qt.ItemDataRole.ToolTipRole)
        self.addItem("No outlines", None)
        self.choose(before)
        self._show_if_needed()

    def choose(self, run: object) -> None:
        """Choose a run; None for no outlines."""
        found = (at for at in range(self.count()) if self.itemData(at) == run)
        self.setCurrentIndex(next(found, -1))

    def choose_preview(self) -> None:
        """Choose the preview, if it is offered."""
        if self.has_preview:
            self.choose(_PREVIEW)

    def offer_preview(self, is_on: bool, run: Path | None) -> None:
        """Offer the preview and choose it; or offer it no longer, and choose a run instead."""
        if is_on and not self.has_preview:
            if not self.count():
                self.addItem("No outlines", None)
            self._add_preview()
            self.choose_preview()
        elif not is_on and self.has_preview:
            was_preview = self.is_preview
            self.removeItem(self.findData(_PREVIEW))
            if was_preview:
                self.choose(run)
        self._show_if_needed()

    def showPopup(self) -> None:
        """Show the list as wide as its longest entry."""
        view = self.view()
        screen = self.screen()
        assert view is not None
        assert screen is not None
        needed = view.sizeHintForColumn(0) + self.style_width(QStyle.PixelMetric.PM_ScrollBarExtent) + 8
        view.setMinimumWidth(min(needed, screen.availableGeometry().width() // 2))
        super().showPopup()

    def style_width(self, what: QStyle.PixelMetric) -> int:
        """Return a width of the style, in pixels."""
        style = self.style()
        return 0 if style is None else style.pixelMetric(what, None, self)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw time and name of the run first of all, and the rest of the title if there is room."""
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        style = self.style()
        assert style is not None
        field = style.subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.text_for(field.width() - 4)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def text_for(self, width: int) -> str:
        """Return the chosen entry in a width in pixels: without year or date, or elided in the middle."""
        metrics = self.fontMetrics()
        shorter = list(_shorter(self.currentText()))
        fitting = (text for text in shorter if metrics.horizontalAdvance(text) <= width)
        return next(fitting, metrics.elidedText(shorter[-1], Qt.TextElideMode.ElideMiddle, width))

    def _add_preview(self) -> None:
        self.insertItem(0, "Preview", _PREVIEW)
        self.setItemData(0, "What the pipeline finds as it is now, before it is run", Qt.ItemDataRole.ToolTipRole)

    def _describe(self) -> None:
        self.setToolTip(plain_tooltip(f"{_TIP}: {self.currentText()}" if self.currentText() else _TIP))

    def _show_if_needed(self) -> None:
        self.setVisible(self.count() > 1)


def _shorter(title: str) -> Iterator[str]:
    """Yield a title, then without its year, then without its date."""
    yield title
    if _DATE.match(title):
        yield _DATE.sub(r"\1", title)
        yield _DATE.sub("", title)
