"""The table of plates: a view on :class:`PlateTableModel` with progress bars."""

from collections.abc import Callable, Iterable

from PyQt6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    pyqtSignal as Signal,
)
from PyQt6.QtGui import (
    QColor,
    QHideEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from openhcs_gui_services.services.plates.presenter import PlatePresentation, Tone
from openhcs_gui_services.widgets.common.colours import blend, faint_text, readable_on, tone_colour
from openhcs_gui_services.widgets.plates.model import PRESENTATION_ROLE, PlateColumn, PlateTableModel

__all__ = ["PlateTable"]

_TICK_MS = 1000
_BUSY_MS = 80
_BUSY_STEPS = 24
_BAR_HEIGHT = 16
_DOT = 8
_WIDTHS = {
    PlateColumn.PLATE: 180,
    PlateColumn.STATE: 135,
    PlateColumn.PROGRESS: 130,
    PlateColumn.DETAIL: 260,
    PlateColumn.TIME: 190,
    PlateColumn.WELLS: 55,
    PlateColumn.FAILED: 55,
}
_LEAST_DETAIL = 160
_HINT = "No plates yet.\nDrag plate folders here, or press Add."
_NO_MATCH = "No plate matches the filter."


class PlateTable(QTableView):
    """Shows the plates of a model; whole rows are selected, and the selection is kept when rows move."""

    plates_selected = Signal()
    """The selection or the focus has changed."""
    plate_activated = Signal(str)
    """The path of a plate that was double-clicked, or activated with Return."""

    def __init__(self, model: PlateTableModel | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plates = model or PlateTableModel(self)
        self._kept: tuple[list[str], str | None] = ([], None)
        self._bars = _BarDelegate(self)
        self.setModel(self.plates)
        self.setItemDelegateForColumn(PlateColumn.STATE, _StateDelegate(self))
        self.setItemDelegateForColumn(PlateColumn.PROGRESS, self._bars)
        self._look()
        self._clock = self._timer(_TICK_MS, self.plates.tick)
        self._busy = self._timer(_BUSY_MS, self._move_busy_bars)
        self.plates.modelAboutToBeReset.connect(self._keep_selection)
        self.plates.modelReset.connect(self._restore_selection)
        selection = self.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(lambda *_: self.plates_selected.emit())
        selection.currentRowChanged.connect(lambda *_: self.plates_selected.emit())
        self.activated.connect(lambda index: self.plate_activated.emit(self.plates.path_at(index.row())))

    def selected_paths(self) -> list[str]:
        """Return the paths of the selected plates, from top to bottom."""
        selection = self.selectionModel()
        assert selection is not None
        rows: set[int] = set()
        parts = selection.selection()
        for part in (parts[number] for number in range(len(parts))):
            rows.update(range(part.top(), part.bottom() + 1))
        return [self.plates.path_at(row) for row in sorted(rows)]

    def current_path(self) -> str | None:
        """Return the path of the plate with the focus, or of the first selected one."""
        index = self.currentIndex()
        if index.isValid():
            return self.plates.path_at(index.row())
        return next(iter(self.selected_paths()), None)

    def select_paths(self, paths: Iterable[str], current: str | None = None) -> None:
        """Select those of these plates that are shown, and no others."""
        numbers = sorted(number for path in paths if (number := self.plates.number_of(path)) is not None)
        chosen = QItemSelection()
        last_column = len(PlateColumn) - 1
        first = previous = -2
        for number in [*numbers, -2]:
            if number != previous + 1 or number < 0:
                if first >= 0:
                    chosen.select(self.plates.index(first, 0), self.plates.index(previous, last_column))
                first = number
            previous = number
        selection = self.selectionModel()
        assert selection is not None
        selection.select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        focus = None if current is None else self.plates.number_of(current)
        if focus is None and numbers:
            focus = numbers[0]
        if focus is not None:
            selection.setCurrentIndex(self.plates.index(focus, 0), QItemSelectionModel.SelectionFlag.NoUpdate)

    def sort_as_shown(self) -> None:
        """Sort by the sort indicator of the header."""
        header = self.horizontalHeader()
        if header is not None:
            self.plates.sort(header.sortIndicatorSection(), header.sortIndicatorOrder())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Paint the rows, or a hint if there are none."""
        super().paintEvent(event)
        viewport = self.viewport()
        if self.plates.rowCount() or viewport is None:
            return
        painter = QPainter(viewport)
        painter.setPen(faint_text(self.palette()))
        text = _NO_MATCH if self.plates.total else _HINT
        painter.drawText(viewport.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)
        painter.end()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Start the timers."""
        super().showEvent(event)
        self._clock.start()
        self._busy.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Stop the timers while the table is hidden."""
        super().hideEvent(event)
        self._clock.stop()
        self._busy.stop()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Adjust the column of details to the width."""
        super().resizeEvent(event)
        self._fill()

    def changeEvent(self, event: QEvent | None) -> None:
        """Adjust the row height to font and style."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._set_row_height()

    def _look(self) -> None:
        self.setAccessibleName("Plates")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header, numbers = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert numbers is not None
        numbers.hide()
        numbers.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setHighlightSections(False)
        header.setSectionsMovable(True)
        for column, width in _WIDTHS.items():
            header.resizeSection(column, width)
        header.sectionResized.connect(lambda column, *_: None if column == PlateColumn.DETAIL else self._fill())
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        self.setSortingEnabled(True)
        self._set_row_height()

    def _fill(self) -> None:
        """Give the remaining width to the column of details; Qt's own stretching fails when too little is left."""
        header, viewport = self.horizontalHeader(), self.viewport()
        if header is not None and viewport is not None:
            others = sum(header.sectionSize(column) for column in PlateColumn if column is not PlateColumn.DETAIL)
            header.resizeSection(PlateColumn.DETAIL, max(_LEAST_DETAIL, viewport.width() - others))

    def _set_row_height(self) -> None:
        numbers = self.verticalHeader()
        if numbers is not None:
            numbers.setDefaultSectionSize(max(_BAR_HEIGHT + 8, self.fontMetrics().height() + 10))

    def _timer(self, milliseconds: int, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setInterval(milliseconds)
        timer.timeout.connect(call)
        return timer

    def _keep_selection(self) -> None:
        self._kept = self.selected_paths(), self.current_path()

    def _restore_selection(self) -> None:
        self.select_paths(*self._kept)

    def _move_busy_bars(self) -> None:
        """Animate the visible indeterminate bars."""
        viewport = self.viewport()
        if viewport is None or not self.plates.rowCount():
            return
        first, last = self.rowAt(0), self.rowAt(viewport.height() - 1)
        last = self.plates.rowCount() - 1 if last < 0 else last
        pending = [row for row in range(first, last + 1) if self.plates.presentation_at(row).percent is None]
        if pending:
            self._bars.phase = (self._bars.phase + 1) % _BUSY_STEPS
        for row in pending:
            self.update(self.plates.index(row, PlateColumn.PROGRESS))


class _StateDelegate(QStyledItemDelegate):
    """The state in words, after a dot in its colour."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        shown = _presentation(index)
        _draw_background(painter, option)
        rect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.setPen(
            QPen(option.palette.color(QPalette.ColorRole.HighlightedText), 1.5) if selected else Qt.PenStyle.NoPen
        )
        painter.setBrush(tone_colour(shown.tone, option.palette))
        painter.drawEllipse(QRectF(rect.left() + 6, rect.center().y() - _DOT / 2 + 0.5, _DOT, _DOT))
        painter.restore()
        text = rect.adjusted(_DOT + 12, 0, -4, 0)
        _draw_text(painter, option, text, shown.text, Qt.AlignmentFlag.AlignLeft)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        return super().sizeHint(option, index) + QSize(_DOT + 12, 0)


class _BarDelegate(QStyledItemDelegate):
    """A progress bar; moving stripes if the progress is indeterminate."""

    phase = 0

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        shown = _presentation(index)
        _draw_background(painter, option)
        bar = QRectF(option.rect.adjusted(6, 0, -6, 0))
        bar.setTop(bar.center().y() - _BAR_HEIGHT / 2)
        bar.setHeight(_BAR_HEIGHT)
        _draw_bar(painter, bar, shown, option.palette, self.phase / _BUSY_STEPS)


def _draw_bar(painter: QPainter, bar: QRectF, shown: PlatePresentation, palette: QPalette, phase: float) -> None:
    colour = tone_colour(shown.tone, palette)
    trough = blend(palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.Base), 0.12)
    outline = QPainterPath()
    outline.addRoundedRect(bar, 4, 4)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(outline, trough)
    painter.setClipPath(outline, Qt.ClipOperation.IntersectClip)
    if shown.percent is None:
        _draw_stripes(painter, bar, colour, phase)
        painter.restore()
        return
    filled = QRectF(bar.left(), bar.top(), bar.width() * shown.percent / 100, bar.height())
    painter.fillRect(filled, colour)
    text = f"{shown.percent} %" if shown.percent or shown.tone is Tone.ACTIVE else ""
    # The number is drawn twice, so that it stays readable where the bar ends in the middle of it.
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    painter.drawText(bar, Qt.AlignmentFlag.AlignCenter, text)
    painter.setClipRect(filled, Qt.ClipOperation.IntersectClip)
    painter.fillRect(filled, colour)
    painter.setPen(readable_on(colour))
    painter.drawText(bar, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def _draw_stripes(painter: QPainter, bar: QRectF, colour: QColor, phase: float) -> None:
    width = bar.height()
    left = bar.left() - 2 * width + phase * 2 * width
    while left < bar.right():
        stripe = QPainterPath()
        stripe.moveTo(left, bar.bottom())
        stripe.lineTo(left + width, bar.bottom())
        stripe.lineTo(left + 2 * width, bar.top())
        stripe.lineTo(left + width, bar.top())
        painter.fillPath(stripe, colour)
        left += 2 * width


def _draw_background(painter: QPainter, option: QStyleOptionViewItem) -> None:
    style = option.widget.style() if option.widget is not None else QApplication.style()
    if style is None:
        return
    style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)


def _draw_text(painter: QPainter, option: QStyleOptionViewItem, rect: QRect, text: str, side: Qt.AlignmentFlag) -> None:
    selected = bool(option.state & QStyle.StateFlag.State_Selected)
    role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
    painter.setPen(option.palette.color(role))
    cut = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, cut)


def _presentation(index: QModelIndex) -> PlatePresentation:
    shown = index.data(PRESENTATION_ROLE)
    assert isinstance(shown, PlatePresentation)
    return shown
