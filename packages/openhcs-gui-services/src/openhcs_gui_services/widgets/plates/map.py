"""The plate map: the wells of a plate as a grid, coloured by state, in one widget."""

from collections import Counter
from collections.abc import Iterable

from PyQt6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Qt, pyqtSignal as Signal
from PyQt6.QtGui import (
    QFont,
    QFontMetrics,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import faint_text
from openhcs_gui_services.widgets.common.frame_pacer import FramePacer
from openhcs_gui_services.widgets.common.text import plain_tooltip
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.plates.well_pixmaps import WellLook, WellStamps, look_of
from openhcs_gui_services.widgets.plates.well_texts import counts_text, lay_out, state_word, well_text
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["MapLook", "PlateMap"]

_SMALLEST, _LARGEST = 6, 36  # pixels of a well
_LABEL_WIDTH, _LABEL_HEIGHT, _LEGEND_HEIGHT = 26, 18, 24
_LEGEND_SIGN = 13
_MANY = 128  # with more changed wells than this, repainting everything costs less
_HINT = "The wells of a plate appear here once it has been read (Init)."

_MOVES = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Home, Qt.Key.Key_End)

_Place = tuple[int, int]


class PlateMap(QWidget):
    """Shows 6 to 1,536 wells; rows are letters from the top, columns numbers from the left.

    Arrow keys, Home and End move from well to well, F goes to the next failed well, Return activates a well, Delete
    asks to cancel it. Changes are drawn at most 30 times a second, and only wells that look different.
    """

    selection_changed = Signal()
    """Other wells were selected, or the current one has changed."""
    well_activated = Signal(str)
    """``axis_id`` of a well that was double-clicked, or activated with Return."""
    cancel_wanted = Signal(str)
    """``axis_id`` of a well to cancel."""
    menu_wanted = Signal(str, QPoint)
    """``axis_id`` of the well under the pointer, or the current one, and the global position of its menu."""
    look_changed = Signal(object)
    """The :class:`MapLook` that is shown now."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wells: dict[str, AxisProgress] = {}
        self._looks: dict[str, WellLook] = {}
        self._counts: Counter[AxisState] = Counter()
        self._layout = lay_out(())
        self._place_of: dict[str, _Place] = {}
        self._selected: str | None = None
        self._look = MapLook.STATES
        self._values: WellColours | None = None
        self._thumbnails: dict[str, QImage] = {}
        self._picture: QPixmap | None = None
        self._stamps = WellStamps(_LARGEST, self.palette())
        self._signs = WellStamps(_LEGEND_SIGN, self.palette())
        self._changed: set[str] = set()
        self._is_selection_changed = False
        self._pacer = FramePacer(self)
        self._pacer.frame.connect(self._show_changes)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Plate map")

    # --- wells ---------------------------------------------------------------------------------------------------

    def set_wells(self, wells: Iterable[AxisProgress]) -> None:
        """Show these wells and no others; the selection is kept if its well is still there."""
        self._wells = {well.axis_id: well for well in wells}
        self._looks = {axis_id: look_of(well) for axis_id, well in self._wells.items()}
        self._counts = Counter(well.state for well in self._wells.values())
        self._lay_out()

    def change_wells(self, wells: Iterable[AxisProgress]) -> None:
        """Update these wells; the others are unchanged."""
        is_larger = False
        for well in wells:
            known = self._wells.get(well.axis_id)
            self._wells[well.axis_id] = well
            if known is None:
                is_larger = True
                self._counts[well.state] += 1
            elif known.state is not well.state:
                self._counts[known.state] -= 1
                self._counts[well.state] += 1
            look = look_of(well)
            if self._looks.get(well.axis_id) != look:
                self._looks[well.axis_id] = look
                self._changed.add(well.axis_id)
            self._is_selection_changed |= well.axis_id == self._selected and well != known
        if is_larger:
            self._lay_out()
        elif self._changed or self._is_selection_changed:
            self._pacer.request()

    def well(self, axis_id: str) -> AxisProgress | None:
        """Return the progress of a well, if it is shown."""
        return self._wells.get(axis_id)

    @property
    def selected(self) -> str | None:
        """``axis_id`` of the current well."""
        return self._selected

    @property
    def selected_wells(self) -> tuple[str, ...]:
        """The selected wells, row by row; the current one is among them."""
        return () if self._selected is None else (self._selected,)

    def select_wells(self, axis_ids: Iterable[str]) -> None:
        """Select these wells of the map and no others; the first one becomes the current well."""
        self.select(next((axis_id for axis_id in axis_ids if axis_id in self._wells), None))

    @property
    def look(self) -> MapLook:
        """What the wells show."""
        return self._look

    def set_look(self, look: MapLook) -> None:
        """Show states, values or images."""
        if look is not self._look:
            self._look = look
            self._redraw()
            self.look_changed.emit(look)

    def show_values(self, values: WellColours | None) -> None:
        """Set the values that colour the wells in ``MapLook.VALUES``; None if no measurement is chosen."""
        self._values = values
        self._redraw()

    def set_thumbnail(self, axis_id: str, image: QImage) -> None:
        """Set the picture of a well in ``MapLook.IMAGES``; a null image removes it."""
        self._thumbnails[axis_id] = image

    def select(self, axis_id: str | None) -> None:
        """Select a shown well, or none."""
        self._selected = axis_id if axis_id in self._wells else None
        self._describe()
        self.update()
        self.selection_changed.emit()

    def select_next(self, state: AxisState) -> bool:
        """Select the next well in this state, wrapping around; return False if there is none."""
        places = sorted(place for place, axis_id in self._layout.places.items() if self._wells[axis_id].state is state)
        if not places:
            return False
        here = None if self._selected is None else self._place_of[self._selected]
        after = [place for place in places if here is not None and place > here]
        self.select(self._layout.places[(after or places)[0]])
        return True

    def rect_of(self, axis_id: str) -> QRect:
        """Return the rectangle of a well, in the coordinates of this widget."""
        row, column = self._place_of[axis_id]
        origin, size = self._origin(), self._stamps.size
        return QRect(origin.x() + column * size, origin.y() + row * size, size, size)

    def axis_at(self, point: QPoint) -> str | None:
        """Return the well at a point."""
        origin, size = self._origin(), self._stamps.size
        column, row = (point.x() - origin.x()) // size, (point.y() - origin.y()) // size
        return self._layout.places.get((row, column))

    # --- Qt overrides --------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Return the size with comfortably large wells."""
        return self._size_for(14 if self._layout.columns > 24 else 24)

    def minimumSizeHint(self) -> QSize:
        """Return the size with the smallest distinguishable wells."""
        return self._size_for(_SMALLEST)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Scale the wells with the window."""
        super().resizeEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent | None) -> None:
        """Redraw when palette or font change."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._redraw()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy the exposed part of the map, mark the selected well, and draw the legend with counts."""
        if event is None:
            return
        painter = QPainter(self)
        if not self._wells:
            painter.setPen(faint_text(self.palette()))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, _HINT)
            painter.end()
            return
        if self._picture is None:
            self._picture = self._draw_picture()
        painter.setClipRegion(event.region())
        painter.drawPixmap(0, 0, self._picture)
        self._draw_legend(painter)
        if self._selected is not None:
            role = QPalette.ColorRole.Highlight if self.hasFocus() else QPalette.ColorRole.WindowText
            painter.setPen(QPen(self.palette().color(role), 2))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.drawRoundedRect(self.rect_of(self._selected).adjusted(0, 0, -1, -1), 3, 3)
        painter.end()

    def event(self, event: QEvent | None) -> bool:
        """Show the state of the well under the pointer as a tooltip."""
        if isinstance(event, QHelpEvent):
            axis_id = self.axis_at(event.pos())
            if axis_id is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), plain_tooltip(well_text(self._wells[axis_id])), self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Select the clicked well."""
        if event is not None and (axis_id := self.axis_at(event.position().toPoint())) is not None:
            self.select(axis_id)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Activate the clicked well."""
        if event is not None and (axis_id := self.axis_at(event.position().toPoint())) is not None:
            self.well_activated.emit(axis_id)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move the selection, activate or cancel the selected well, or go to the next failed one."""
        if event is None:
            return
        match event.key():
            case (
                Qt.Key.Key_Left | Qt.Key.Key_Right | Qt.Key.Key_Up | Qt.Key.Key_Down | Qt.Key.Key_Home | Qt.Key.Key_End
            ):
                self._move(Qt.Key(event.key()))
            case Qt.Key.Key_F:
                self.select_next(AxisState.FAILED)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if self._selected is not None:
                self.well_activated.emit(self._selected)
            case Qt.Key.Key_Delete if self._selected is not None:
                self.cancel_wanted.emit(self._selected)
            case _:
                super().keyPressEvent(event)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _move(self, key: Qt.Key) -> None:
        places = self._layout.places
        if not places:
            return
        if self._selected is None or key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.select(places[max(places) if key is Qt.Key.Key_End else min(places)])
            return
        down = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(key, 0)
        right = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(key, 0)
        row, column = self._place_of[self._selected]
        while 0 <= (row := row + down) < self._layout.rows and 0 <= (column := column + right) < self._layout.columns:
            if (row, column) in places:
                self.select(places[row, column])
                return

    def _lay_out(self) -> None:
        before = self._layout
        self._layout = lay_out(self._wells)
        self._place_of = {axis_id: place for place, axis_id in self._layout.places.items()}
        if self._selected not in self._wells:
            self._selected = None
        if (before.rows, before.columns) != (self._layout.rows, self._layout.columns):
            self.updateGeometry()
        self._redraw()
        self._is_selection_changed = True
        self._pacer.request()

    def _redraw(self) -> None:
        """Redraw everything with the next paint event."""
        width = (self.width() - _LABEL_WIDTH - 4) // self._layout.columns
        height = (self.height() - _LABEL_HEIGHT - _LEGEND_HEIGHT) // self._layout.rows
        size = min(_LARGEST, max(_SMALLEST, min(width, height)))
        self._stamps = WellStamps(size, self.palette(), self.devicePixelRatioF())
        self._signs = WellStamps(_LEGEND_SIGN, self.palette(), self.devicePixelRatioF())
        self._picture = None
        self._changed.clear()
        self.update()

    def _show_changes(self) -> None:
        """Draw the wells that look different now, and request their repaint."""
        changed, self._changed = self._changed, set()
        if changed and self._picture is not None:
            painter = QPainter(self._picture)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
            for axis_id in changed:
                painter.drawPixmap(self.rect_of(axis_id).topLeft(), self._stamps.of(self._looks[axis_id]))
            painter.end()
        if len(changed) > _MANY:
            self.update()
        elif changed:
            for axis_id in changed:
                self.update(self.rect_of(axis_id))
            self.update(self._legend_rect())
        if self._is_selection_changed:
            self._is_selection_changed = False
            self._describe()
            self.selection_changed.emit()

    def _draw_picture(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        self._draw_labels(painter)
        for axis_id, look in self._looks.items():
            painter.drawPixmap(self.rect_of(axis_id).topLeft(), self._stamps.of(look))
        painter.end()
        return picture

    def _draw_labels(self, painter: QPainter) -> None:
        origin, size = self._origin(), self._stamps.size
        font = self._label_font()
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(faint_text(self.palette()))
        every = _label_step(metrics.horizontalAdvance("00") + 4, size)
        for column, label in enumerate(self._layout.column_labels):
            if _is_labelled(column, every):
                rect = QRect(origin.x() + column * size - size, origin.y() - _LABEL_HEIGHT, 3 * size, _LABEL_HEIGHT)
                painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, label)
        every = _label_step(metrics.height() - 2, size)
        for row, label in enumerate(self._layout.row_labels):
            if _is_labelled(row, every):
                rect = QRect(origin.x() - _LABEL_WIDTH, origin.y() + row * size - size, _LABEL_WIDTH - 5, 3 * size)
                painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)

    def _draw_legend(self, painter: QPainter) -> None:
        """The symbol of each state with its count, below the wells."""
        place = self._legend_rect()
        left, middle = place.left(), place.center().y()
        painter.setFont(self._label_font())
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        metrics = painter.fontMetrics()
        counts = {state: self._counts[state] for state in AxisState if self._counts[state]}
        texts = {state: f"{count} {state_word(state)}" for state, count in counts.items()}
        if sum(metrics.horizontalAdvance(text) + _LEGEND_SIGN + 18 for text in texts.values()) > place.width():
            texts = {state: str(count) for state, count in counts.items()}
        for state, text in texts.items():
            look = WellLook(state, 6 if state is AxisState.RUNNING else 0)
            painter.drawPixmap(QPointF(left, middle - _LEGEND_SIGN / 2), self._signs.of(look))
            left += _LEGEND_SIGN + 4
            painter.drawText(QPointF(left, middle + metrics.ascent() / 2 - 1), text)
            left += metrics.horizontalAdvance(text) + 14

    def _legend_rect(self) -> QRect:
        origin = self._origin()
        top = min(self.height() - _LEGEND_HEIGHT, origin.y() + self._layout.rows * self._stamps.size)
        return QRect(origin.x(), top, self.width() - origin.x(), _LEGEND_HEIGHT)

    def _label_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, font.pointSizeF() * 0.85))
        return font

    def _origin(self) -> QPoint:
        """The position of the first well; the map is centred."""
        width = self._layout.columns * self._stamps.size
        height = self._layout.rows * self._stamps.size
        spare = self.height() - _LABEL_HEIGHT - height - _LEGEND_HEIGHT
        return QPoint(max(_LABEL_WIDTH, (self.width() + _LABEL_WIDTH - width) // 2), _LABEL_HEIGHT + max(0, spare // 2))

    def _size_for(self, well: int) -> QSize:
        return QSize(
            _LABEL_WIDTH + 4 + self._layout.columns * well,
            _LABEL_HEIGHT + _LEGEND_HEIGHT + self._layout.rows * well,
        )

    def _describe(self) -> None:
        """Describe the selected well, then the plate, for screen readers."""
        selected = None if self._selected is None else self._wells[self._selected]
        parts = ["" if selected is None else well_text(selected), counts_text(self._counts)]
        self.setAccessibleDescription(". ".join(part for part in parts if part))


def _label_step(needed: int, size: int) -> int:
    return 1 if needed <= size else 5


def _is_labelled(number: int, every: int) -> bool:
    return number == 0 or (number + 1) % every == 0
