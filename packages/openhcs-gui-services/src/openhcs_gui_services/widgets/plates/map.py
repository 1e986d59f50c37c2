"""The plate map: the wells of a plate as a grid, with their states, values or pictures, in one widget."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

from PyQt6.QtCore import QEvent, QPoint, QRect, QSize, Qt, pyqtSignal as Signal
from PyQt6.QtGui import (
    QContextMenuEvent,
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
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_gui_services.widgets.plates.well_band import BandSelect
from openhcs_gui_services.widgets.plates.well_faces import FaceSize, ImageFace, StateFace, ValueFace, WellFace
from openhcs_gui_services.widgets.plates.well_grid import SMALLEST, Margins, WellGrid
from openhcs_gui_services.widgets.plates.well_legend import MapLegend
from openhcs_gui_services.widgets.plates.well_marks import SelectionMarks
from openhcs_gui_services.widgets.plates.well_selection import WellSelection
from openhcs_gui_services.widgets.plates.well_texts import (
    counts_text,
    lay_out,
    selection_text,
    tooltip_text,
    value_line,
    well_text,
)
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["MapLook", "PlateMap"]

_MANY = 128  # with more changed wells than this, repainting everything costs less
_HINT = "The wells of a plate appear here once it has been read (Init)."
_NO_VALUES, _NO_MEASURES = "Choose a measurement to colour the wells.", "Run the plate to get measurements."
_GROUND, _FRAME = 110, 2.5  # opacity of the ground of selected wells, of 255; width of the frame of the current one
_THIN = 16  # pixels of a well below which the line around selected ones is thin

_MOVES = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Home: (0, 0),
    Qt.Key.Key_End: (0, 0),
}
_CTRL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
_KEYPAD = Qt.KeyboardModifier.KeypadModifier


class PlateMap(QWidget):
    """Shows 6 to 1,536 wells; rows are letters from the top, columns numbers from the left.

    Mouse: a click selects a well, a drag several, Shift a rectangle, Ctrl adds or takes away; a click on a letter,
    a number or the corner selects a row, a column or all. Keys: arrows, Home and End move from well to well, with
    Shift they extend the selection, with Ctrl they leave it; Ctrl+Space toggles a well, Ctrl+A selects all, Escape
    goes back to one; F goes to the next failed well, Return activates a well, Delete asks to cancel it.

    Changes are drawn at most 30 times a second, and only wells that look different.
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
    values_changed = Signal(object)
    """The :class:`WellColours` of the wells, or None."""
    wells_changed = Signal()
    """Other wells are shown, as of another plate."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wells: dict[str, AxisProgress] = {}
        self._counts: Counter[AxisState] = Counter()
        self._layout = lay_out(())
        self._place_of: dict[str, tuple[int, int]] = {}
        self._selection = WellSelection()
        self._band = BandSelect(self, self._selection)
        self._look = MapLook.STATES
        self._values: WellColours | None = None
        self._no_values = _NO_MEASURES
        self._thumbnails: dict[str, QImage] = {}
        self._lacks: dict[str, str] = {}
        self._descriptions: Mapping[str, str] = {}
        self._caption = ""
        self._picture: QPixmap | None = None
        self._drawn: dict[str, Hashable] = {}
        self._rects: dict[str, QRect] = {}
        self._marks: SelectionMarks | None = None
        self._changed: set[str] = set()
        self._is_selection_changed = False
        self._pacer = FramePacer(self)
        self._pacer.frame.connect(self._show_changes)
        self._redraw()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Plate map")

    # --- wells ---------------------------------------------------------------------------------------------------

    def set_wells(self, wells: Iterable[AxisProgress]) -> None:
        """Show these wells and no others; those of the selected ones that are still there stay selected."""
        before = self._wells.keys()
        self._wells = {well.axis_id: well for well in wells}
        self._counts = Counter(well.state for well in self._wells.values())
        self._lay_out()
        if before != self._wells.keys():
            self.wells_changed.emit()

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
            if known is not None and self._looks_different(well, known):
                self._changed.add(well.axis_id)
            self._is_selection_changed |= well.axis_id == self._selection.current and well != known
        if is_larger:
            self._lay_out()
            self.wells_changed.emit()
        elif self._changed or self._is_selection_changed:
            self._pacer.request()

    def well(self, axis_id: str) -> AxisProgress | None:
        """Return the progress of a well, if it is shown."""
        return self._wells.get(axis_id)

    def wells(self) -> tuple[AxisProgress, ...]:
        """Return the wells that are shown, row by row."""
        return tuple(self._wells[name] for name in self._selection.all())

    # --- selection -----------------------------------------------------------------------------------------------

    @property
    def selected(self) -> str | None:
        """``axis_id`` of the current well."""
        return self._selection.current

    @property
    def selected_wells(self) -> tuple[str, ...]:
        """The selected wells, row by row; the current one is among them unless it has been toggled off."""
        return self._selection.wells

    def select(self, axis_id: str | None) -> None:
        """Select a shown well and no others, or none."""
        self._selection.only(axis_id)
        self._select_changed()

    def select_wells(self, axis_ids: Iterable[str]) -> None:
        """Select these wells of the map and no others; the current one stays if it is among them."""
        self._selection.these(axis_ids)
        self._select_changed()

    def select_next(self, state: AxisState) -> bool:
        """Select the next well in this state, wrapping around; return False if there is none."""
        places = sorted(place for place, axis_id in self._layout.places.items() if self._wells[axis_id].state is state)
        if not places:
            return False
        here = None if self.selected is None else self._place_of[self.selected]
        after = [place for place in places if here is not None and place > here]
        self.select(self._layout.places[(after or places)[0]])
        return True

    # --- looks ---------------------------------------------------------------------------------------------------

    @property
    def look(self) -> MapLook:
        """What the wells show."""
        return self._look

    def set_look(self, look: MapLook) -> None:
        """Show states, values or images."""
        if look is not self._look:
            self._look = look
            self._redraw()
            self._describe()
            self.look_changed.emit(look)

    def set_has_measures(self, has_measures: bool) -> None:
        """Set whether there are measurements that could be shown, for the hint where none is."""
        hint = _NO_VALUES if has_measures else _NO_MEASURES
        if hint != self._no_values:
            self._no_values = hint
            self._draw_again()

    def show_values(self, values: WellColours | None) -> None:
        """Set the values that colour the wells in ``MapLook.VALUES``; None if no measurement is chosen."""
        self._values = values
        self.values_changed.emit(values)
        if self._look is not MapLook.VALUES:
            return
        if values is not None and isinstance(self._face, ValueFace):
            self._face.values = values
            self._draw_again()
        else:
            self._redraw()

    def set_thumbnail(self, axis_id: str, image: QImage, lack: str = "") -> None:
        """Set the picture of a well in ``MapLook.IMAGES``; a null image removes it.

        Args:
            axis_id: the well.
            image: the picture.
            lack: which channels it lacks, for the tooltip; a well that lacks one has a sign.
        """
        self._lacks.pop(axis_id, None)
        if lack:
            self._lacks[axis_id] = lack
        if image.isNull():
            self._thumbnails.pop(axis_id, None)
        else:
            self._thumbnails[axis_id] = image
        if isinstance(self._face, ImageFace) and axis_id in self._wells:
            self._face.forget(axis_id)
            self._changed.add(axis_id)
            self._pacer.request()

    def clear_thumbnails(self) -> None:
        """Remove the pictures of all wells, as before those of another plate are shown."""
        self._thumbnails.clear()
        self._lacks.clear()
        if self._look is MapLook.IMAGES:
            self._redraw()

    def set_descriptions(self, descriptions: Mapping[str, str]) -> None:
        """Set what the tooltip says of what is in each well, such as ``compound aspirin, dose_um 3``."""
        self._descriptions = descriptions

    def set_caption(self, text: str) -> None:
        """Set the line below the pictures of wells, such as the channel that they show."""
        self._caption = text
        self.update(self._grid.legend())

    # --- places --------------------------------------------------------------------------------------------------

    def rect_of(self, axis_id: str) -> QRect:
        """Return the rectangle of a well, in the coordinates of this widget."""
        return QRect(self._rects[axis_id])

    def axis_at(self, point: QPoint) -> str | None:
        """Return the well at a point."""
        return self._layout.places.get(self._grid.place_at(point))

    # --- Qt overrides --------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        """Return the size with comfortably large wells."""
        return self._grid.margins.size_for(self._layout, 14 if self._layout.columns > 24 else 24)

    def minimumSizeHint(self) -> QSize:
        """Return the size with the smallest distinguishable wells."""
        return self._grid.margins.size_for(self._layout, SMALLEST)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Scale the wells with the window."""
        super().resizeEvent(event)
        self._redraw()

    def changeEvent(self, event: QEvent | None) -> None:
        """Redraw when palette or font change."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._redraw()
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Copy the exposed part of the map, mark the selected wells, and draw the legend."""
        if event is None:
            return
        painter = QPainter(self)
        if not self._wells:
            painter.setPen(faint_text(self.palette()))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, _HINT)
            painter.end()
            return
        ratio = self.devicePixelRatioF()
        if self._picture is None or self._picture.devicePixelRatio() != ratio:  # moved to another screen
            self._picture = self._draw_picture()
        painter.setClipRegion(event.region())
        self._draw_ground(painter)
        painter.drawPixmap(0, 0, self._picture)
        self._draw_legend(painter)
        self._draw_frames(painter)
        painter.end()

    def event(self, event: QEvent | None) -> bool:
        """Show what is known of the well under the pointer as a tooltip, and ask for its menu."""
        if isinstance(event, QHelpEvent):
            axis_id = self.axis_at(event.pos())
            if axis_id is None:
                QToolTip.hideText()
            else:
                QToolTip.showText(event.globalPos(), self.tooltip_of(axis_id), self, self.rect_of(axis_id))
            return True
        if isinstance(event, QContextMenuEvent):
            return self._ask_for_menu(event)
        return super().event(event)

    def tooltip_of(self, axis_id: str) -> str:
        """Return the tooltip of a well: its state, what is in it, and its value."""
        value = value_line(axis_id, self._values) if self._values and self._look is MapLook.VALUES else ""
        if self._look is MapLook.IMAGES and (lack := self._lacks.get(axis_id)):
            value = f"{lack[:1].upper()}{lack[1:]}"
        return tooltip_text(self._wells[axis_id], self._descriptions.get(axis_id, ""), value)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Select what was pressed; the menu button keeps the selection if it is on it."""
        if event is None:
            return
        point = event.position().toPoint()
        if event.button() == Qt.MouseButton.LeftButton:
            self._band.press(self._grid, point, event.modifiers())
            self._select_changed()
        elif event.button() == Qt.MouseButton.RightButton and (axis_id := self.axis_at(point)) is not None:
            self._band.press_for_menu(axis_id)
            self._select_changed()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Select the wells in the rubber band."""
        if event is not None and event.buttons() & Qt.MouseButton.LeftButton:
            before = self._selection.wells
            if self._band.move(self._grid, event.position().toPoint()) and self._selection.wells != before:
                self._select_changed()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """End the rubber band."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            before = self._selection.wells
            self._band.release()
            if self._selection.wells != before:
                self._select_changed()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Activate the clicked well."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            axis_id = self.axis_at(event.position().toPoint())
            if axis_id is None:
                self.mousePressEvent(event)
            else:
                self.well_activated.emit(axis_id)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Move or change the selection, activate or cancel the current well, or go to the next failed one."""
        if event is None:
            return
        key, keys, current = Qt.Key(event.key()), event.modifiers(), self.selected
        match key:
            case _ if key in _MOVES:
                self._move(key, keys)
            case Qt.Key.Key_A if keys == _CTRL:
                self.select_wells(self._selection.all())
            case Qt.Key.Key_Space if current is not None and keys & _CTRL:
                self._selection.toggle(current)
                self._select_changed()
            case Qt.Key.Key_Escape if len(self._selection) > 1:
                self.select(current)
            case Qt.Key.Key_F if not keys:
                self.select_next(AxisState.FAILED)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if current is not None and not keys & ~_KEYPAD:
                self.well_activated.emit(current)
            case Qt.Key.Key_Delete if current is not None:
                self.cancel_wanted.emit(current)
            case _:
                super().keyPressEvent(event)

    # --- parts ---------------------------------------------------------------------------------------------------

    def _ask_for_menu(self, event: QContextMenuEvent) -> bool:
        """Ask for the menu of the well under the pointer, or of the current one if a key was pressed."""
        is_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        axis_id = self.selected if is_key else self.axis_at(event.pos())
        if axis_id is not None and axis_id != self.selected:
            self._band.press_for_menu(axis_id)
            self._select_changed()
        event.accept()
        point = self.rect_of(axis_id).center() if is_key and axis_id is not None else event.pos()
        if self.contextMenuPolicy() == Qt.ContextMenuPolicy.CustomContextMenu:
            self.customContextMenuRequested.emit(point)
        if axis_id is not None:
            self.menu_wanted.emit(axis_id, self.mapToGlobal(point))
        return True

    def _move(self, key: Qt.Key, keys: Qt.KeyboardModifier) -> None:
        axis_id = self._next(key)
        if axis_id is None:
            return
        if keys & _SHIFT:
            self._selection.extend_to(axis_id)
        elif keys & _CTRL:
            self._selection.move_to(axis_id)
        else:
            self._selection.only(axis_id)
        self._select_changed()

    def _next(self, key: Qt.Key) -> str | None:
        """Return the well that a key leads to."""
        places = self._layout.places
        if not places:
            return None
        if self.selected is None or key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            return places[max(places) if key is Qt.Key.Key_End else min(places)]
        down, right = _MOVES[key]
        row, column = self._place_of[self.selected]
        while 0 <= (row := row + down) < self._layout.rows and 0 <= (column := column + right) < self._layout.columns:
            if (row, column) in places:
                return places[row, column]
        return None

    def _looks_different(self, well: AxisProgress, known: AxisProgress) -> bool:
        """Return whether a well has to be drawn again; how it looked is remembered from then on."""
        look = self._face.look(well)
        before = self._drawn.get(well.axis_id)
        self._drawn[well.axis_id] = look
        return (self._face.look(known) if before is None else before) != look

    def _select_changed(self) -> None:
        self._marks = None
        self._describe()
        self.update()
        self.selection_changed.emit()

    def _lay_out(self) -> None:
        before = self._layout
        self._layout = lay_out(self._wells)
        self._place_of = {axis_id: place for place, axis_id in self._layout.places.items()}
        self._selection.set_layout(self._layout)
        self._redraw()
        if (before.rows, before.columns) != (self._layout.rows, self._layout.columns):
            self.updateGeometry()
        self._is_selection_changed = True
        self._pacer.request()

    def _redraw(self) -> None:
        """Redraw everything with the next paint event."""
        font, ratio = self._label_font(), self.devicePixelRatioF()
        self._grid = WellGrid.fit(self._layout, self.size(), Margins.of(QFontMetrics(font)))
        self._face = self._make_face(FaceSize(self._grid.size, ratio, self.palette(), font))
        self._legend = MapLegend(self.palette(), font, ratio)
        self._rects = {axis_id: self._grid.rect_of(place) for axis_id, place in self._place_of.items()}
        self._marks = None
        self._draw_again()

    def _draw_again(self) -> None:
        """Draw all wells again in their places with the next paint event."""
        self._drawn.clear()
        self._picture = None
        self._changed.clear()
        self.update()

    def _make_face(self, size: FaceSize) -> WellFace:
        if self._look is MapLook.IMAGES:
            return ImageFace(size, self._thumbnails, self._lacks)
        if self._look is MapLook.VALUES and self._values is not None:
            return ValueFace(size, self._values)
        return StateFace(size)

    def _show_changes(self) -> None:
        """Draw the wells that look different now, and request their repaint."""
        changed, self._changed = self._changed & self._wells.keys(), set()
        if changed and self._picture is not None:
            painter = QPainter(self._picture)
            for axis_id in changed:
                rect = self._rects[axis_id]
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Clear)
                painter.fillRect(rect, Qt.GlobalColor.transparent)
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
                self._face.draw(painter, rect, self._wells[axis_id])
            painter.end()
        if len(changed) > _MANY:
            self.update()
        elif changed:
            for axis_id in changed:
                self.update(self.rect_of(axis_id))
            self.update(self._grid.legend())
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
        for axis_id, well in self._wells.items():
            self._face.draw(painter, self._rects[axis_id], well)
        painter.end()
        return picture

    def _draw_labels(self, painter: QPainter) -> None:
        grid, font = self._grid, self._label_font()
        origin, size, top = grid.origin, grid.size, grid.margins.top
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(faint_text(self.palette()))
        every = _label_step(metrics.horizontalAdvance("00") + 4, size)
        for column, label in enumerate(self._layout.column_labels):
            if _is_labelled(column, every):
                rect = QRect(origin.x() + column * size - size, origin.y() - top, 3 * size, top)
                painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, label)
        every, left = _label_step(metrics.height() - 2, size), grid.margins.left
        for row, label in enumerate(self._layout.row_labels):
            if _is_labelled(row, every):
                rect = QRect(origin.x() - left, origin.y() + row * size - size, left - 5, 3 * size)
                painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)

    def _draw_legend(self, painter: QPainter) -> None:
        place, note = self._grid.legend(), selection_text(len(self._selection))
        if self._look is MapLook.VALUES and self._values is not None:
            self._legend.draw_values(painter, place, self._values, self._counts, note)
            return
        hint = {MapLook.STATES: "", MapLook.VALUES: self._no_values, MapLook.IMAGES: self._caption}[self._look]
        self._legend.draw_states(painter, place, self._counts, " · ".join(filter(None, (hint, note))))

    def _selection_marks(self) -> SelectionMarks:
        """The outlines of the selected wells, made again when they or their places have changed."""
        if self._marks is None:
            self._marks = SelectionMarks(self._grid, (self._place_of[axis_id] for axis_id in self._selection.wells))
        return self._marks

    def _draw_ground(self, painter: QPainter) -> None:
        """Fill the ground of selected wells, behind them so that their colours stay true."""
        ground = self.palette().color(QPalette.ColorRole.Highlight)
        ground.setAlpha(_GROUND)
        painter.fillPath(self._selection_marks().ground, ground)

    def _draw_frames(self, painter: QPainter) -> None:
        """Draw a line around the selected wells, and a frame around the current one."""
        is_plain = self._look is MapLook.STATES and self.hasFocus()
        colour = self.palette().color(QPalette.ColorRole.Highlight if is_plain else QPalette.ColorRole.WindowText)
        painter.strokePath(self._selection_marks().edges, QPen(colour, 1 if self._grid.size < _THIN else 2))
        if self.selected is not None:
            is_on = self.selected in self._selection
            width = 1.5 if self._grid.size < _THIN else _FRAME
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine if is_on else Qt.PenStyle.DotLine))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.drawRoundedRect(self.rect_of(self.selected).adjusted(0, 0, -1, -1), 3, 3)

    def _label_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(max(6.0, font.pointSizeF() * 0.85))
        return font

    def _describe(self) -> None:
        """Describe the selection, the current well and the plate, for screen readers."""
        current = None if self.selected is None else self._wells[self.selected]
        count = len(self._selection)
        parts = [
            selection_text(count),
            "" if current is None else well_text(current),
            "" if current is None or not self._values else value_line(current.axis_id, self._values),
            counts_text(self._counts),
        ]
        self.setAccessibleDescription(". ".join(part for part in parts if part))


def _label_step(needed: int, size: int) -> int:
    return 1 if needed <= size else 5


def _is_labelled(number: int, every: int) -> bool:
    return number == 0 or (number + 1) % every == 0
