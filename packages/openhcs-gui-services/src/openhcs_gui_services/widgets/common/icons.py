"""Icons drawn in the colours of the palette, for light and dark windows at any resolution."""

import enum
from collections.abc import Callable
from types import MappingProxyType

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPalette, QPen, QPixmap, QPolygonF

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.widgets.common.colours import tone_colour, well_colour
from zmqruntime.execution import AxisState

__all__ = ["Icon", "application_icon", "make_icon"]

_GRID = 16.0
_SIZES = (16, 20, 24, 32, 48)
_RATIOS = (1.0, 2.0)


class Icon(enum.Enum):
    """The available icons."""

    ADD = "add"
    REMOVE = "remove"
    INIT = "init"
    COMPILE = "compile"
    RUN = "run"
    STOP = "stop"
    KILL = "kill"
    RESUME = "resume"
    VIEW = "view"
    RESULTS = "results"
    REPORT = "report"


def make_icon(icon: Icon, palette: QPalette) -> QIcon:
    """Return an icon in the colours of this palette; call again when the palette changes."""
    made = QIcon()
    for mode, group in (
        (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
        (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
    ):
        text = palette.color(group, QPalette.ColorRole.ButtonText)
        tone = _TONES.get(icon)
        colour = text if tone is None or mode is QIcon.Mode.Disabled else tone_colour(tone, palette)
        for size in _SIZES:
            for ratio in _RATIOS:
                made.addPixmap(_pixmap(size, ratio, colour, _DRAWINGS[icon]), mode)
    return made


def application_icon(palette: QPalette) -> QIcon:
    """Return the icon of the application: a plate with wells in several states."""
    made = QIcon()
    for size in (16, 32, 64, 128):
        made.addPixmap(_pixmap(size, 1.0, QColor(0x5B, 0x67, 0x77), lambda painter, pen: _plate(painter, pen, palette)))
    return made


def _pixmap(size: int, ratio: float, colour: QColor, draw: Callable[[QPainter, QPen], None]) -> QPixmap:
    pixmap = QPixmap(QSize(size, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    pen = QPen(colour, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    draw(painter, pen)
    painter.end()
    return pixmap


def _lines(painter: QPainter, *points: tuple[float, float]) -> None:
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points]))


def _filled(painter: QPainter, pen: QPen, *points: tuple[float, float]) -> None:
    painter.setBrush(pen.color())
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))


def _add(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (8, 3), (8, 13))
    _lines(painter, (3, 8), (13, 8))


def _remove(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (3, 8), (13, 8))


def _init(painter: QPainter, pen: QPen) -> None:
    painter.drawEllipse(QRectF(2.5, 2.5, 7.5, 7.5))
    _lines(painter, (9.2, 9.2), (13.5, 13.5))


def _compile(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (2.5, 8.5), (6, 12), (13.5, 4))


def _run(painter: QPainter, pen: QPen) -> None:
    _filled(painter, pen, (4.5, 3), (13, 8), (4.5, 13))


def _stop(painter: QPainter, pen: QPen) -> None:
    _filled(painter, pen, (4, 4), (12, 4), (12, 12), (4, 12))


def _kill(painter: QPainter, pen: QPen) -> None:
    _filled(
        painter,
        pen,
        (5.2, 1.8),
        (10.8, 1.8),
        (14.2, 5.2),
        (14.2, 10.8),
        (10.8, 14.2),
        (5.2, 14.2),
        (1.8, 10.8),
        (1.8, 5.2),
    )
    painter.setPen(QPen(QColor(Qt.GlobalColor.white), 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    _lines(painter, (5.5, 5.5), (10.5, 10.5))
    _lines(painter, (10.5, 5.5), (5.5, 10.5))


def _resume(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (3, 3.5), (3, 12.5))
    _filled(painter, pen, (6.5, 3), (13.5, 8), (6.5, 13))


def _view(painter: QPainter, pen: QPen) -> None:
    eye = QPainterPath(QPointF(1.5, 8))
    eye.quadTo(8, 1, 14.5, 8)
    eye.quadTo(8, 15, 1.5, 8)
    painter.drawPath(eye)
    painter.setBrush(pen.color())
    painter.drawEllipse(QRectF(6.4, 6.4, 3.2, 3.2))


def _results(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (2, 12.5), (2, 3.5), (6, 3.5), (7.5, 5.5), (14, 5.5), (14, 12.5), (2, 12.5))


def _report(painter: QPainter, pen: QPen) -> None:
    _lines(painter, (3, 1.8), (13, 1.8), (13, 14.2), (3, 14.2), (3, 1.8))
    for x, top in ((5.5, 8.5), (8, 5), (10.5, 7)):
        _lines(painter, (x, 11.5), (x, top))


def _plate(painter: QPainter, pen: QPen, palette: QPalette) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(pen.color())
    painter.drawRoundedRect(QRectF(0.5, 1.5, 15, 13), 2, 2)
    states = [AxisState.COMPLETE, AxisState.COMPLETE, AxisState.RUNNING, AxisState.COMPLETE, AxisState.FAILED]
    for number in range(6):
        row, column = divmod(number, 3)
        waiting = number >= len(states)
        painter.setBrush(QColor(0xDD, 0xE2, 0xE8) if waiting else well_colour(states[number], palette))
        painter.drawEllipse(QRectF(2.2 + column * 4.2, 3.6 + row * 4.9, 3.6, 3.6))


_TONES = MappingProxyType({Icon.RUN: Tone.GOOD, Icon.STOP: Tone.PENDING, Icon.KILL: Tone.BAD})
_DRAWINGS: MappingProxyType[Icon, Callable[[QPainter, QPen], None]] = MappingProxyType(
    {
        Icon.ADD: _add,
        Icon.REMOVE: _remove,
        Icon.INIT: _init,
        Icon.COMPILE: _compile,
        Icon.RUN: _run,
        Icon.STOP: _stop,
        Icon.KILL: _kill,
        Icon.RESUME: _resume,
        Icon.VIEW: _view,
        Icon.RESULTS: _results,
        Icon.REPORT: _report,
    }
)
