"""A histogram or a scatter plot of objects, with the gate that is drawn in it."""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg  # type: ignore[import-untyped]
from PyQt6.QtCore import QEvent, QRectF, QTimer, pyqtSignal as Signal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.services.numbers.plots import Density, Histogram, Points, View
from openhcs_gui_services.widgets.numbers.gate_view_box import GateTool, GateViewBox
from openhcs_gui_services.widgets.numbers.plot_style import (
    SmallPlot,
    density_colours,
    name_axis,
    series_colour,
    style_plot,
)

__all__ = ["ObjectPlot"]

_SETTLE_MS = 120
_LEGEND_FROM = 2


class ObjectPlot(SmallPlot):
    """Draws what :mod:`openhcs_gui_services.services.numbers.plots` has computed."""

    gate_drawn = Signal(object, object)
    """The :class:`GateTool`, and the corners (x, y) in units of the axes."""
    row_clicked = Signal(int)
    """The row of a point that was clicked."""
    view_changed = Signal(object)
    """The part of a scatter plot that is shown now, after it was moved or zoomed by hand."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._box = GateViewBox()
        self._is_made = False  # the base class changes its palette while it is made
        super().__init__(parent, viewBox=self._box)
        self._shown: Histogram | Points | Density | None = None
        self._groups: tuple[str, ...] = ()
        self._legend = self.addLegend(offset=(-6, 6), labelTextSize="8pt")
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE_MS)
        self._settled.timeout.connect(lambda: self.view_changed.emit(self.view()))
        self._box.gate_drawn.connect(self.gate_drawn)
        self._box.sigRangeChangedManually.connect(lambda *_: self._settled.start())
        self._is_made = True
        self._style()

    def set_tool(self, tool: GateTool) -> None:
        """Let the left mouse button draw a gate, or move the plot."""
        self._box.tool = tool

    def view(self) -> View:
        """Return the part of the plot that is shown, in units of the axes."""
        (left, right), (bottom, top) = self._box.viewRange()
        return float(left), float(right), float(bottom), float(top)

    def show_axes(self, x: str, y: str, *, x_log: bool, y_log: bool) -> None:
        """Name the axes; on a logarithmic one, what is drawn are decimal logarithms."""
        name_axis(self, "bottom", x)
        name_axis(self, "left", y)
        self.getAxis("bottom").setLogMode(x_log)
        self.getAxis("left").setLogMode(y_log)

    def draw(self, found: Histogram | Points | Density, groups: Sequence[str], *, fit: bool) -> None:
        """Draw this in place of what was drawn before.

        Args:
            found: what to draw.
            groups: names of the groups.
            fit: whether to show all of it.
        """
        self._shown, self._groups = found, tuple(groups)
        self._redraw()
        if fit:
            self._box.enableAutoRange()
            self._box.updateAutoRange()
            self._box.disableAutoRange()

    def show_gate(self, tool: GateTool, corners: Sequence[tuple[float, float]]) -> None:
        """Draw the outline of a gate; none without corners."""
        self._box.show_gate(tool, corners)

    def clear_all(self) -> None:
        """Draw nothing."""
        self._shown = None
        self.clear()
        self._legend.clear()
        self.show_gate(GateTool.RANGE, ())

    def changeEvent(self, event: QEvent | None) -> None:
        """Use the colours of the new palette."""
        super().changeEvent(event)
        if self._is_made and event is not None and event.type() == QEvent.Type.PaletteChange:
            self._style()
            self._redraw()

    def _style(self) -> None:
        style_plot(self, self.palette())
        self._box.set_colour(series_colour(1, self.palette()))
        self._legend.setLabelTextColor(self.palette().text().color())

    def _redraw(self) -> None:
        self.clear()
        self._legend.clear()
        match self._shown:
            case Histogram():
                self._draw_histogram(self._shown)
            case Points():
                self._draw_points(self._shown)
            case Density():
                self._draw_density(self._shown)

    def _draw_histogram(self, found: Histogram) -> None:
        is_single = len(found.counts) < _LEGEND_FROM
        for name, counts in found.counts.items():
            colour = self._colour(name)
            fill = QColor(colour)
            fill.setAlpha(140 if is_single else 60)
            self.plot(
                found.edges,
                counts,
                stepMode="center",
                fillLevel=0,
                brush=fill,
                pen=pg.mkPen(colour, width=1.5),
                name=None if is_single else name,
            )

    def _draw_points(self, found: Points) -> None:
        for place, name in enumerate(self._groups):
            chosen = found.groups == place
            if not chosen.any():
                continue
            colour = self._colour(name)
            colour.setAlpha(150)
            item = pg.ScatterPlotItem(
                x=found.x[chosen],
                y=found.y[chosen],
                data=found.rows[chosen],
                size=5,
                pen=None,
                brush=colour,
                pxMode=True,
            )
            item.sigClicked.connect(self._on_point)
            self.addItem(item)
            if len(self._groups) >= _LEGEND_FROM:
                self._legend.addItem(item, name)

    def _draw_density(self, found: Density) -> None:
        left, right, bottom, top = found.view
        image = pg.ImageItem(np.log1p(found.counts))
        image.setLookupTable(density_colours(self.palette()).getLookupTable(nPts=256))
        image.setRect(QRectF(left, bottom, right - left, top - bottom))
        self.addItem(image)

    def _colour(self, name: str) -> QColor:
        place = self._groups.index(name) if name in self._groups else 0
        return QColor(series_colour(place, self.palette()))

    def _on_point(self, _: object, points: Sequence[pg.SpotItem], *__: object) -> None:
        if len(points):
            self.row_clicked.emit(int(points[0].data()))
