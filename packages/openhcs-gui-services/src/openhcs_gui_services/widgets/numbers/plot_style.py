"""Plots in the colours of the window: background, axes and series follow the palette."""

from collections.abc import Sequence

import pyqtgraph as pg  # type: ignore[import-untyped]
from PyQt6.QtCore import QSize
from PyQt6.QtGui import QColor, QPalette
from PyQt6.QtWidgets import QWidget

from openhcs_gui_services.widgets.common.colours import blend, is_dark

__all__ = ["SmallPlot", "ValueAxis", "control_colour", "density_colours", "name_axis", "series_colour", "style_plot"]

# The eight colours of Okabe & Ito, Color universal design, 2008, without black, for light and dark windows.
_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A6D00", "#2F8FC0", "#B03A2E", "#5B4B8A")
_DARK = ("#56B4E9", "#E69F00", "#3FD0A4", "#E79AC4", "#F0E442", "#9AD0F5", "#FF8A6B", "#B7A6F0")
_LARGE = 5
_CONTROLS = {"negative": 0, "positive": 1}


_LETTERS = 22
"""Letters of the name of an upright axis; a longer one would be cut off."""


class ValueAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis that writes the values themselves also where it is logarithmic."""

    def logTickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """Return the texts of decimal logarithms."""
        return [f"{10.0**value:.3g}" if abs(value) < _LARGE else f"1e{value:.3g}" for value in values]


class SmallPlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot that fits into a pane: it asks for little room and takes what there is.

    Args:
        parent: the parent widget.
        viewBox: the area in which is drawn; None for an ordinary one.
    """

    def __init__(self, parent: QWidget | None = None, viewBox: pg.ViewBox | None = None) -> None:
        super().__init__(parent, viewBox=viewBox, axisItems={side: ValueAxis(side) for side in ("left", "bottom")})
        self.setMinimumHeight(100)

    def sizeHint(self) -> QSize:
        """Return a small size."""
        return QSize(240, 110)


def name_axis(plot: pg.PlotWidget, side: str, name: str) -> None:
    """Name an axis; the middle of a long name of an upright one is left out."""
    half = _LETTERS // 2
    is_long = side == "left" and len(name) > _LETTERS
    plot.setLabel(side, f"{name[:half]}…{name[-half:]}" if is_long else name)


def style_plot(plot: pg.PlotWidget, palette: QPalette) -> None:
    """Give a plot the colours of a palette."""
    text = palette.color(QPalette.ColorRole.Text)
    base = palette.color(QPalette.ColorRole.Base)
    plot.setBackground(base)
    line = blend(text, base, 0.55)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(line))
        axis.setTextPen(pg.mkPen(text))
    plot.showGrid(x=True, y=True, alpha=0.12)


def series_colour(place: int, palette: QPalette) -> QColor:
    """Return the colour of a group of points, by its place."""
    colours = _DARK if is_dark(palette) else _LIGHT
    return QColor(colours[place % len(colours)])


def control_colour(kind: str, palette: QPalette) -> QColor:
    """Return the colour of control wells of a kind; that of secondary text for other wells."""
    if kind in _CONTROLS:
        return series_colour(_CONTROLS[kind], palette)
    return blend(palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.Base), 0.5)


def density_colours(palette: QPalette) -> pg.ColorMap:
    """Return the colours of a density, from the background to that of most objects."""
    base = palette.color(QPalette.ColorRole.Base)
    full = series_colour(0, palette)
    last = QColor("#FFFFFF") if is_dark(palette) else QColor("#00213A")
    stops = [base, blend(full, base, 0.35), full, last]
    return pg.ColorMap([0.0, 0.02, 0.6, 1.0], [stop.getRgb() for stop in stops])
