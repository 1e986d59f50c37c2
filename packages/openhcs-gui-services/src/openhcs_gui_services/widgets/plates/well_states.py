"""How the state of a well looks in a plate map."""

from dataclasses import dataclass

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPalette, QPen

from openhcs_gui_services.widgets.common.colours import blend, well_colour
from openhcs_gui_services.widgets.plates.well_pixmaps import ROUND_FROM, draw_cross, draw_stroke
from zmqruntime.execution import AxisProgress, AxisState

__all__ = ["WellLook", "draw_sign", "draw_state", "look_of", "sign_rect", "state_fill"]

_LEVELS = 12
_PALE = 0.25  # part of the colour of running wells where they are not filled
_FULL_CIRCLE = 360 * 16  # as Qt counts angles


@dataclass(frozen=True, slots=True)
class WellLook:
    """Everything visible of a well's state: the state, and the fill level while it is running."""

    state: AxisState
    level: int = 0


def look_of(well: AxisProgress) -> WellLook:
    """Return the look of a well; it does not change with progress too small to be visible."""
    if well.state is not AxisState.RUNNING:
        return WellLook(well.state)
    return WellLook(well.state, min(_LEVELS, max(0, int(well.percent * _LEVELS / 100))))


def draw_state(painter: QPainter, square: QRectF, look: WellLook, palette: QPalette, *, has_text: bool) -> None:
    """Draw a well as a disc in the colour of its state, with the sign of the state.

    Args:
        painter: where to draw.
        square: the place of the well.
        look: the state.
        palette: colours of the window.
        has_text: whether text is written into the well, so that the sign moves up.
    """
    margin = max(0.5, min(4.0, square.width() * 0.08))
    rect = square.adjusted(margin, margin, -margin, -margin)
    colour, base = well_colour(look.state, palette), palette.color(QPalette.ColorRole.Base)
    shape = QPainterPath()
    if square.width() >= ROUND_FROM:
        shape.addEllipse(rect)
    else:
        shape.addRect(rect)
    line = min(4.0, max(1.0, square.width() / 14))
    match look.state:
        case AxisState.COMPLETE | AxisState.FAILED:
            painter.fillPath(shape, colour)
        case AxisState.RUNNING if has_text:
            painter.fillPath(shape, blend(colour, base, _PALE))
            _draw_arc(painter, rect, look.level / _LEVELS, colour)
        case AxisState.RUNNING:
            painter.fillPath(shape, blend(colour, base, _PALE))
            painter.save()
            painter.setClipRect(rect.adjusted(0, rect.height() * (1 - look.level / _LEVELS), 0, 0))
            painter.fillPath(shape, colour)
            painter.restore()
            painter.strokePath(shape, QPen(colour, line))
        case AxisState.CANCELLED:
            painter.strokePath(shape, QPen(colour, line))
        case AxisState.WAITING:
            painter.fillPath(shape, blend(colour, base, 0.25))
            painter.strokePath(shape, QPen(colour, 1.0))
    ink = QColor(Qt.GlobalColor.white) if look.state is AxisState.FAILED else colour
    draw_sign(painter, sign_rect(rect, has_text=has_text), look.state, ink)


def _draw_arc(painter: QPainter, rect: QRectF, share: float, colour: QColor) -> None:
    """Draw the rim of a running well, thick as far as it has come, clockwise from the top."""
    thick = min(9.0, max(3.0, rect.width() / 12))
    painter.setPen(QPen(colour, 1.0))
    painter.drawEllipse(rect)
    painter.setPen(QPen(colour, thick, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
    inner = rect.adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2)
    painter.drawArc(inner, _FULL_CIRCLE // 4, -round(share * _FULL_CIRCLE))


def draw_sign(painter: QPainter, rect: QRectF, state: AxisState, colour: QColor) -> None:
    """Draw the sign of a state; only failed and cancelled wells have one."""
    if state is AxisState.FAILED:
        draw_cross(painter, rect, colour)
    elif state is AxisState.CANCELLED:
        draw_stroke(painter, rect, colour)


def sign_rect(rect: QRectF, *, has_text: bool) -> QRectF:
    """Return where the sign of a well is: in its middle, or above its text."""
    if not has_text:
        inset = rect.width() * 0.28
        return rect.adjusted(inset, inset, -inset, -inset)
    side = min(18.0, rect.width() * 0.15)
    return QRectF(rect.center().x() - side / 2, rect.top() + rect.height() * 0.19 - side / 2, side, side)


def state_fill(look: WellLook, palette: QPalette) -> QColor:
    """Return the colour behind the middle of a well, on which text is written."""
    colour, base = well_colour(look.state, palette), palette.color(QPalette.ColorRole.Base)
    match look.state:
        case AxisState.COMPLETE | AxisState.FAILED:
            return colour
        case AxisState.RUNNING:
            return blend(colour, base, _PALE)
        case AxisState.WAITING:
            return blend(colour, base, 0.25)
        case AxisState.CANCELLED:
            return palette.color(QPalette.ColorRole.Window)
