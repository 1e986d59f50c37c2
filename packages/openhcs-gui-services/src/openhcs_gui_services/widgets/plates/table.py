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
    QBrush,
    QColor,
    QDragEnterEvent,
    QDragMoveEvent,
    QDropEvent,
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
from openhcs_gui_services.widgets.plates.facts import results_text
from openhcs_gui_services.widgets.plates.model import PRESENTATION_ROLE, QUEUE_MIME, PlateColumn, PlateTableModel

__all__ = ["PlateTable"]

_TICK_MS = 1000
_BUSY_MS = 80
_BUSY_STEPS = 24
_BAR_HEIGHT = 16
_DOT = 8
_WIDTHS = {
    PlateColumn.PLATE: 180,
    PlateColumn.STATE: 125,
    PlateColumn.PROGRESS: 130,
    PlateColumn.DETAIL: 160,
    PlateColumn.TIME: 175,
    PlateColumn.WELLS: 50,
    PlateColumn.FAILED: 50,
    PlateColumn.RESULTS: 110,
}
_WITHOUT_BAR = (Tone.NEUTRAL, Tone.BAD)
"""The tones of plates that show no bar while there is nothing to show in it."""
_LEAST_DETAIL = 160
_LEAST_PLATE = 110
_LEAST_PROGRESS = 100
_TINT = 0.22
"""How much of the colour of selected rows the row of the current plate has."""
_GOOD_DETAIL = 300
_ELASTIC = (PlateColumn.PLATE, PlateColumn.DETAIL)
_NAME_MARGIN = 16
_MEASURED = 200
"""How many names are measured."""
_GIVE_WAY = (
    PlateColumn.DETAIL,
    PlateColumn.TIME,
    PlateColumn.WELLS,
    PlateColumn.FAILED,
    PlateColumn.RESULTS,
)
"""Columns that are left out of a narrow table, the first one first; tooltips have what they say."""
_HINT = "No plates yet\nDrag plate folders here, or press Add (Ctrl+O), to see their wells and images."
_NO_MATCH = "No plate matches the filter.\nPress Escape in its field to see all plates."


class PlateTable(QTableView):
    """Shows the plates of a model; whole rows are selected, and the selection is kept when rows move."""

    plates_selected = Signal()
    """The selection or the focus has changed."""
    plate_activated = Signal(str)
    """The path of a plate that was double-clicked, or activated with Return."""
    place_wanted = Signal(str, int)
    """The path of a waiting plate that was dragged, and its new place in the queue, from 1."""

    def __init__(self, model: PlateTableModel | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plates = model or PlateTableModel(self)
        self._kept: tuple[list[str], str | None] = ([], None)
        self._bars = _BarDelegate(self)
        self.setModel(self.plates)
        self.setItemDelegate(_CellDelegate(self))
        self.setItemDelegateForColumn(PlateColumn.STATE, _StateDelegate(self))
        self.setItemDelegateForColumn(PlateColumn.PROGRESS, self._bars)
        self.setItemDelegateForColumn(PlateColumn.PLATE, _NameDelegate(self))
        self._is_fitting = False
        self._results_width = 0
        """The width that the results on disk need, of the rows that were measured."""
        self._names_fit = self._results_fit = True
        """Whether these columns take the width that they need; until the user changes it."""
        self._look()
        self._clock = self._timer(_TICK_MS, self.plates.tick)
        self._busy = self._timer(_BUSY_MS, self._move_busy_bars)
        self.plates.modelAboutToBeReset.connect(self._keep_selection)
        self.plates.modelReset.connect(self._restore_selection)
        self.plates.rowsInserted.connect(lambda _, first, last: self._measure(first, last, is_new=True))
        self.plates.dataChanged.connect(lambda first, last: self._measure(first.row(), last.row()))
        selection = self.selectionModel()
        assert selection is not None
        selection.selectionChanged.connect(lambda *_: self.plates_selected.emit())
        selection.currentRowChanged.connect(lambda *_: self._on_current())
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

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:
        """Accept plates of this table; folders are left to the parent."""
        if event is not None and event.source() is self:
            super().dragEnterEvent(event)
        elif event is not None:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent | None) -> None:
        """Show where a waiting plate would go."""
        if event is not None and event.source() is self:
            super().dragMoveEvent(event)
        elif event is not None:
            event.ignore()

    def dropEvent(self, event: QDropEvent | None) -> None:
        """Ask for the place in the queue of the plate that a waiting one was dropped on."""
        data = None if event is None else event.mimeData()
        if event is None or data is None or not data.hasFormat(QUEUE_MIME):
            return
        event.setDropAction(Qt.DropAction.IgnoreAction)  # rows are moved by the queue, not by the view
        event.accept()
        path = data.data(QUEUE_MIME).data().decode("utf-8", "surrogateescape").partition("\n")[0]
        target = self.indexAt(event.position().toPoint())
        if target.isValid():
            self.drop_on(path, self.plates.path_at(target.row()))

    def drop_on(self, path: str, target: str) -> None:
        """Ask for the place in the queue that the plate ``target`` has, if it is waiting."""
        row = self.plates.row_of(target)
        place = None if row is None else row.snapshot.queue_position
        if place is not None and path != target:
            self.place_wanted.emit(path, place)

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

    def _on_current(self) -> None:
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()  # the tint of the current row moves
        self.plates_selected.emit()

    def _look(self) -> None:
        self.setAccessibleName("Plates")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setShowGrid(False)
        self.setAlternatingRowColors(True)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDragDropOverwriteMode(False)
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
        header.moveSection(header.visualIndex(PlateColumn.RESULTS), header.visualIndex(PlateColumn.DETAIL))
        header.setMinimumSectionSize(40)
        header.sectionResized.connect(self._on_resized)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        self.setSortingEnabled(True)
        self._set_row_height()

    def _on_resized(self, column: int, *_: int) -> None:
        if not self._is_fitting and column != PlateColumn.DETAIL:
            self._names_fit = self._names_fit and column != PlateColumn.PLATE
            self._results_fit = self._results_fit and column != PlateColumn.RESULTS
            self._fill()

    def _measure(self, first: int, last: int, *, is_new: bool = False) -> None:
        """Make room for the results on disk of these rows, which names give way to."""
        texts = (results_text(row) for row in self.plates.shown_rows[first : min(last + 1, first + _MEASURED)])
        needed = max((self.fontMetrics().horizontalAdvance(text) for text in texts), default=0) + _NAME_MARGIN
        is_wider = needed > self._results_width
        self._results_width = max(needed, self._results_width)
        if is_new or is_wider:
            self._fill()

    def _fill(self) -> None:
        """Leave out columns that have no room, and give what is left to the details, or else to the names."""
        header, viewport = self.horizontalHeader(), self.viewport()
        if header is None or viewport is None or self._is_fitting:
            return
        self._is_fitting = True
        if self._results_fit:
            header.resizeSection(PlateColumn.RESULTS, max(_WIDTHS[PlateColumn.RESULTS], self._results_width))
        if self._names_fit:
            header.resizeSection(PlateColumn.PLATE, self._name_width(viewport.width()))
        kept = self._kept_columns(viewport.width())
        for column in _GIVE_WAY:
            header.setSectionHidden(column, column not in kept)
        wide = PlateColumn.DETAIL if PlateColumn.DETAIL in kept else PlateColumn.PLATE
        least = _LEAST_DETAIL if wide is PlateColumn.DETAIL else _LEAST_PLATE
        others = sum(header.sectionSize(column) for column in kept if column is not wide)
        header.resizeSection(wide, max(least, viewport.width() - others))
        self._is_fitting = False

    def _name_width(self, width: int) -> int:
        """The width of the longest name, as far as all other columns leave room."""
        header = self.horizontalHeader()
        assert header is not None
        others = sum(header.sectionSize(each) or _WIDTHS[each] for each in PlateColumn if each not in _ELASTIC)
        names = (row.name for row in self.plates.shown_rows[:_MEASURED])
        needed = max((self.fontMetrics().horizontalAdvance(name) for name in names), default=0) + _NAME_MARGIN
        return max(_WIDTHS[PlateColumn.PLATE], min(needed, width - others - _GOOD_DETAIL))

    def _kept_columns(self, width: int) -> set[PlateColumn]:
        """The columns that have room, with the least width of those that can shrink."""
        header = self.horizontalHeader()
        assert header is not None
        least = {PlateColumn.DETAIL: _LEAST_DETAIL, PlateColumn.PLATE: _LEAST_PLATE}
        sizes = {each: least.get(each) or header.sectionSize(each) or _WIDTHS[each] for each in PlateColumn}
        kept = set(PlateColumn)
        for column in _GIVE_WAY:
            if sum(sizes[each] for each in kept) <= width:
                break
            kept.discard(column)
        return kept

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
        """Select what is still shown, and never keep a hidden plate as the current one."""
        self.select_paths(*self._kept)
        if not self.currentIndex().isValid() and self.plates.rowCount():
            self.select_paths([], self.plates.path_at(0))
        self.plates_selected.emit()

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


class _CellDelegate(QStyledItemDelegate):
    """A cell; the row of the current plate is tinted, as actions apply to it while none is selected."""

    def initStyleOption(self, option: QStyleOptionViewItem | None, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        if option is not None:
            _tint_current(option, index)


class _NameDelegate(_CellDelegate):
    """A name that is elided in the middle: the plates of a screen differ at the end."""

    def initStyleOption(self, option: QStyleOptionViewItem | None, index: QModelIndex) -> None:
        super().initStyleOption(option, index)
        if option is not None:
            option.textElideMode = Qt.TextElideMode.ElideMiddle


class _StateDelegate(QStyledItemDelegate):
    """The state in words, after a dot in its colour."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        if painter is None:
            return
        shown = _presentation(index)
        _tint_current(option, index)
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
        _tint_current(option, index)
        _draw_background(painter, option)
        bar = QRectF(option.rect.adjusted(6, 0, -6, 0))
        bar.setTop(bar.center().y() - _BAR_HEIGHT / 2)
        bar.setHeight(_BAR_HEIGHT)
        _draw_bar(painter, bar, shown, option.palette, self.phase / _BUSY_STEPS)


def _draw_bar(painter: QPainter, bar: QRectF, shown: PlatePresentation, palette: QPalette, phase: float) -> None:
    colour = tone_colour(shown.tone, palette)
    if shown.percent == 0 and not shown.bar_text and shown.tone in _WITHOUT_BAR:
        return
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
    failed = QRectF(filled)
    failed.setLeft(max(filled.left(), filled.right() - bar.width() * shown.failed_percent / 100))
    done = colour if not shown.failed_percent or shown.tone is Tone.ACTIVE else tone_colour(Tone.GOOD, palette)
    parts = [(filled, done), *([(failed, tone_colour(Tone.BAD, palette))] if shown.failed_percent else [])]
    text = _fitting_text(painter, shown, int(bar.width()) - 8)
    painter.setPen(palette.color(QPalette.ColorRole.Text))
    _draw_bar_text(painter, bar, text)
    for (
        part,
        part_colour,
    ) in parts:  # drawn again, to be readable where a part ends in its middle
        painter.setClipPath(outline)
        painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
        painter.fillRect(part, part_colour)
        painter.setPen(readable_on(part_colour))
        _draw_bar_text(painter, bar, text)
    painter.restore()


def _fitting_text(painter: QPainter, shown: PlatePresentation, width: int) -> str:
    """The longest text for a bar that has room in it: ``4 of 6 done, 2 failed``, ``4 of 6, 2``, or ``66 %``."""
    share = f"{shown.percent} %" if shown.percent or shown.tone is Tone.ACTIVE else ""
    short = shown.bar_text.replace(" done", "").replace(" failed", "")
    metrics = painter.fontMetrics()
    fitting = (text for text in (shown.bar_text, short) if text and metrics.horizontalAdvance(text) <= width)
    return next(fitting, share)


def _draw_bar_text(painter: QPainter, bar: QRectF, text: str) -> None:
    room = bar.adjusted(3, 0, -3, 0)
    cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
    painter.drawText(room, Qt.AlignmentFlag.AlignCenter, cut)


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


def _tint_current(option: QStyleOptionViewItem, index: QModelIndex) -> None:
    view = option.widget
    is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
    if isinstance(view, QTableView) and view.currentIndex().row() == index.row() and not is_selected:
        palette = option.palette
        highlight, base = palette.color(QPalette.ColorRole.Highlight), palette.color(QPalette.ColorRole.Base)
        option.backgroundBrush = QBrush(blend(highlight, base, _TINT))


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
