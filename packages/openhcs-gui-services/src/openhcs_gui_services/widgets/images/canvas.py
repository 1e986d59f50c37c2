"""The canvas of an image view: draws channels and outlines, which are composed in a thread, and follows the mouse."""

import functools
from collections.abc import Awaitable, Callable, Hashable

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSizeF, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PyQt6.QtWidgets import QApplication, QWidget

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.layers import ImageLayer, OutlineLayer, Region
from openhcs_gui_services.widgets.images.drawing import Drawing
from openhcs_gui_services.widgets.images.scale_bar import draw_scale_bar
from openhcs_gui_services.widgets.images.viewport import Viewport

__all__ = ["ImageCanvas", "Render"]

_OVERVIEW = 512
_WHEEL = 1.0018
"""Change of the scale for an eighth of a degree of the wheel."""
_BACKGROUND = QColor(0x1A, 0x1A, 0x1C)
_FADED = 0.35

Render = Callable[[Hashable, Callable[[], QImage]], Awaitable[QImage]]
"""Makes a call in a thread; equal keys share one call."""


class ImageCanvas(QWidget):
    """Shows a :class:`Drawing`. The wheel zooms about the pointer, dragging moves, a click picks.

    What was composed last is drawn at once at a new place and scale, and again in full resolution a moment later, so
    that moving is fluid however large an image is.

    Args:
        viewport: what is seen.
        render: composes in a thread.
        on_error: called with one line for the user when it fails.
        parent: the parent widget.
    """

    hovered = Signal(object)
    """The point of the picture below the pointer, a ``QPointF``; None when it leaves."""
    clicked = Signal(QPointF)
    """A point of the picture that was clicked."""
    double_clicked = Signal(QPointF)
    plane_wanted = Signal(int)
    """Shift and the wheel: 1 for the next plane, -1 for the one before."""
    painted = Signal()
    """A picture in full resolution has been painted."""

    def __init__(
        self, viewport: Viewport, render: Render, on_error: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._viewport, self._render, self._tasks = viewport, render, BackgroundTasks(on_error)
        self._drawing: Drawing | None = None
        self._text = ""
        self._is_faded = False
        self._frame: tuple[QImage, Region] | None = None
        self._overview: tuple[QImage, Region] | None = None
        self._is_rendering = self._is_stale = False
        self._is_new = self._is_closed = False
        self._pressed: QPointF | None = None
        self._is_dragged = False
        viewport.changed.connect(self._on_viewport)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(120, 120)
        self.setAccessibleName("Image")

    @property
    def drawing(self) -> Drawing | None:
        """What is drawn."""
        return self._drawing

    @property
    def is_composing(self) -> bool:
        """Whether what is on the screen is about to be drawn again."""
        return self._is_rendering or self._is_stale

    def show_drawing(self, drawing: Drawing) -> None:
        """Show this once it has been composed; until then what was shown before stays."""
        is_other = self._drawing is None or self._drawing.images != drawing.images
        self._is_new = self._is_new or is_other
        self._drawing, self._text = drawing, ""
        self._viewport.set_picture(*drawing.shape)
        self._want()

    def show_text(self, text: str) -> None:
        """Show a text instead of a picture."""
        self._drawing = self._frame = self._overview = None
        self._is_faded = False
        self._text = text
        self.setAccessibleDescription(text)
        self.update()

    def fade(self) -> None:
        """Draw the picture faintly, as it is no longer the one that is wanted."""
        self._is_faded = True
        self.update()

    async def close_reads(self) -> None:
        """Compose nothing any more, and leave the other views of the viewport."""
        if not self._is_closed:
            self._is_closed = True
            self._viewport.changed.disconnect(self._on_viewport)
        self._viewport.set_view(id(self), None)
        self._drawing = None
        await self._tasks.close()

    # --- Qt overrides --------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Show the whole picture in the new size, or more of it."""
        super().resizeEvent(event)
        if not self._is_closed:
            self._viewport.set_view(id(self), QSizeF(self.size()))

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow palette and font."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what has been composed, at its present place."""
        painter = QPainter(self)
        if self._drawing is None and self._frame is None:
            self._paint_text(painter)
            return
        painter.fillRect(self.rect(), _BACKGROUND)
        painter.setOpacity(_FADED if self._is_faded else 1.0)
        for each in (self._overview, self._frame):
            if each is not None:
                self._paint_image(painter, *each)
        painter.setOpacity(1.0)
        if self._drawing is not None and self._frame is not None:
            self._paint_marks(painter, self._drawing)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        painter.end()
        if self._frame is not None and not self.is_composing and not self._is_faded:
            self.painted.emit()

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Zoom about the pointer; with Shift go through the planes."""
        if event is None or self._drawing is None:
            return
        angle = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.plane_wanted.emit(1 if angle < 0 else -1)
        else:
            self._viewport.zoom(_WHEEL**angle, self._at(event.position()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin to move the picture."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._is_dragged = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move the picture, or tell where the pointer is."""
        if event is None or self._drawing is None:
            return
        if self._pressed is not None:
            by = event.position() - self._pressed
            if self._is_dragged or by.manhattanLength() >= QApplication.startDragDistance():
                self._is_dragged, self._pressed = True, event.position()
                self.setCursor(Qt.CursorShape.ClosedHandCursor)
                self._viewport.move(by)
        self.hovered.emit(self._at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Pick what was clicked, unless the picture was moved."""
        if event is None or self._pressed is None:
            return
        self.unsetCursor()
        self._pressed = None
        if not self._is_dragged and self._drawing is not None:
            self.clicked.emit(self._at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Tell that a point was double-clicked."""
        if event is not None and self._drawing is not None:
            self.double_clicked.emit(self._at(event.position()))

    def leaveEvent(self, event: QEvent | None) -> None:
        """Tell that the pointer has left."""
        super().leaveEvent(event)
        self.hovered.emit(None)

    # --- drawing -------------------------------------------------------------------------------------------------

    def _at(self, point: QPointF) -> QPointF:
        return self._viewport.to_picture(point, QSizeF(self.size()))

    def _on_viewport(self) -> None:
        self.update()
        self._want()

    def _want(self) -> None:
        """Have the visible part composed; while one is being composed, the next waits for it."""
        self._is_stale = True
        if not self._is_rendering and self._drawing is not None and self.width() > 1:
            self._is_rendering = True
            self._tasks.start(self._compose(), "Drawing the image")

    async def _compose(self) -> None:
        try:
            while self._is_stale and (drawing := self._drawing) is not None:
                self._is_stale = False
                region = self._viewport.region(QSizeF(self.size()), self.devicePixelRatioF())
                frame = await self._image(drawing, region, drawing.outlines)
                overview = await self._image(drawing, _overview_of(drawing), ()) if self._is_new else None
                if drawing is not self._drawing:
                    continue
                self._frame = frame, region
                if overview is not None:
                    self._overview, self._is_new = (overview, _overview_of(drawing)), False
                self._is_faded = False
                self.update()
        finally:
            self._is_rendering = False

    async def _image(self, drawing: Drawing, region: Region, outlines: tuple[OutlineLayer, ...]) -> QImage:
        width = max(1, round(self.devicePixelRatioF()))
        call = functools.partial(_composed, drawing.images, outlines, region, width)
        return await self._render((id(self), id(drawing), region, bool(outlines)), call)

    def _paint_image(self, painter: QPainter, image: QImage, region: Region) -> None:
        target = self._viewport.rect_of(region, QSizeF(self.size()))
        painter.drawImage(target, image, QRectF(image.rect()))

    def _paint_marks(self, painter: QPainter, drawing: Drawing) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        view = QSizeF(self.size())
        for rect, text in drawing.notes:
            shown = QRectF(
                self._viewport.to_view(rect.topLeft(), view), self._viewport.to_view(rect.bottomRight(), view)
            )
            painter.setPen(QPen(QColor(0xB0, 0xB0, 0xB0), 1, Qt.PenStyle.DashLine))
            painter.drawRect(shown.adjusted(2, 2, -2, -2))
            painter.setPen(Qt.GlobalColor.white)
            painter.drawText(
                shown.adjusted(6, 6, -6, -6), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text
            )
        if drawing.ring is not None:
            centre = self._viewport.to_view(QPointF(drawing.ring.column, drawing.ring.row), view)
            radius = drawing.ring.radius * self._viewport.scale + 4
            for colour, width in ((Qt.GlobalColor.black, 4), (Qt.GlobalColor.white, 2)):
                painter.setPen(QPen(colour, width))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(centre, radius, radius)
        size = None if drawing.um_per_pixel is None else drawing.um_per_pixel / self._viewport.scale
        draw_scale_bar(painter, QRectF(self.rect()), size, self.font())

    def _paint_text(self, painter: QPainter) -> None:
        painter.setPen(self.palette().windowText().color())
        inner = self.rect().adjusted(16, 16, -16, -16)
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._text)
        painter.end()


def _composed(images: tuple[ImageLayer, ...], outlines: tuple[OutlineLayer, ...], region: Region, width: int) -> QImage:
    from openhcs_gui_services.services.images.compose import compose  # noqa: PLC0415  loads numpy, in a thread

    pixels = compose(images, outlines, region, width)
    rows, columns = pixels.shape[:2]
    form = QImage.Format.Format_ARGB32_Premultiplied
    return QImage(pixels.tobytes(), columns, rows, columns * 4, form).copy()  # a QImage does not keep the bytes


def _overview_of(drawing: Drawing) -> Region:
    """Return the whole picture at a small scale, which is seen where the visible part has not been composed yet."""
    rows, columns = drawing.shape
    scale = min(1.0, _OVERVIEW / max(rows, columns))
    return Region(0.0, 0.0, scale, max(1, round(rows * scale)), max(1, round(columns * scale)))
