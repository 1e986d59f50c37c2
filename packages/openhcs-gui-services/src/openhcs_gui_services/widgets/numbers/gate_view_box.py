"""The area of a plot in which gates are drawn with the mouse: a range, a rectangle or a lasso."""

import enum
from collections.abc import Sequence

import pyqtgraph as pg  # type: ignore[import-untyped]
from PyQt6.QtCore import QPointF, QRectF, Qt, pyqtSignal as Signal
from PyQt6.QtGui import QColor, QPainterPath, QPolygonF
from PyQt6.QtWidgets import QGraphicsPathItem

__all__ = ["GateTool", "GateViewBox", "outline_path"]

_MOST_CORNERS = 400
"""Corners of a lasso; a longer path is thinned out."""
_MANY = 1e12


class GateTool(enum.Enum):
    """What dragging in the plot does."""

    MOVE = "move"
    RANGE = "range"
    RECTANGLE = "rectangle"
    LASSO = "lasso"


class GateViewBox(pg.ViewBox):  # type: ignore[misc]
    """A view box whose left mouse button draws a gate while a tool is chosen."""

    gate_drawn = Signal(object, object)
    """The :class:`GateTool`, and the corners (x, y) of the gate in units of the axes."""

    def __init__(self) -> None:
        super().__init__()
        self.tool = GateTool.MOVE
        self._path: list[QPointF] = []
        self._drawn = QGraphicsPathItem()
        self._drawn.setZValue(20)
        self.addItem(self._drawn, ignoreBounds=True)

    def set_colour(self, colour: QColor) -> None:
        """Draw gates in this colour."""
        pen = pg.mkPen(colour, width=2)
        pen.setCosmetic(True)
        self._drawn.setPen(pen)
        fill = QColor(colour)
        fill.setAlpha(35)
        self._drawn.setBrush(fill)

    def show_gate(self, tool: GateTool, corners: Sequence[tuple[float, float]]) -> None:
        """Draw the outline of a gate; none without corners."""
        self._drawn.setPath(outline_path(tool, corners))

    def mouseDragEvent(self, event: "pg.GraphicsScene.mouseEvents.MouseDragEvent", axis: int | None = None) -> None:
        """Draw with the left button while a tool is chosen; otherwise move or zoom."""
        if self.tool is GateTool.MOVE or event.button() != Qt.MouseButton.LeftButton or axis is not None:
            super().mouseDragEvent(event, axis)
            return
        event.accept()
        place = self.mapSceneToView(event.scenePos())
        if event.isStart():
            self._path = [self.mapSceneToView(event.buttonDownScenePos())]
        self._path.append(place)
        corners = self._corners()
        self.show_gate(self.tool, corners)
        if event.isFinish():
            self._path = []
            if len(corners) > 1:
                self.gate_drawn.emit(self.tool, corners)

    def _corners(self) -> list[tuple[float, float]]:
        first, last = self._path[0], self._path[-1]
        if self.tool is not GateTool.LASSO:
            return [
                (min(first.x(), last.x()), min(first.y(), last.y())),
                (max(first.x(), last.x()), max(first.y(), last.y())),
            ]
        step = max(1, len(self._path) // _MOST_CORNERS)
        return [(point.x(), point.y()) for point in self._path[::step]]


def outline_path(tool: GateTool, corners: Sequence[tuple[float, float]]) -> QPainterPath:
    """Return the outline of a gate with these corners."""
    path = QPainterPath()
    if len(corners) < 2:
        return path
    if tool is GateTool.LASSO:
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
        path.closeSubpath()
        return path
    (left, bottom), (right, top) = corners[0], corners[-1]
    if tool is GateTool.RANGE:
        bottom, top = -_MANY, _MANY
    path.addRect(QRectF(left, bottom, right - left, top - bottom))
    return path
