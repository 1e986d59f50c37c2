"""How the value of a well looks in a plate map: its colour, and the marks of controls, outliers and missing values."""

import functools
import math
from typing import NamedTuple

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPalette, QPen

from openhcs_gui_services.services.plates.well_colours import WellColours
from openhcs_gui_services.widgets.common.colours import blend, faint_text, well_colour
from openhcs_gui_services.widgets.plates.well_pixmaps import draw_cross, draw_hatching, draw_plus, draw_stroke
from openhcs_gui_services.widgets.plates.well_states import sign_rect
from openhcs_runtime.tables.scale import viridis_color
from zmqruntime.execution import AxisState

__all__ = ["LEVELS", "ValueLook", "colour_of_level", "draw_value", "ink_on", "level_of", "value_look"]

LEVELS = 64
_BLACK_FROM = 0.179  # relative luminance from which black contrasts more than white (WCAG 2.2)
_ARM = 0.2  # part of a well's width that the ends of a cross take next to text
_SIGNS = {"positive": draw_plus, "negative": draw_stroke}


class ValueLook(NamedTuple):
    """Everything visible of a well's value.

    Attributes:
        level: place of its colour in the scale; None if it has no value.
        control: what kind of control it is; empty if it is not one.
        is_outlier: whether its value is unusual.
        is_failed: whether the well has failed.
        is_excluded: whether a person has excluded the well.
    """

    level: int | None
    control: str = ""
    is_outlier: bool = False
    is_failed: bool = False
    is_excluded: bool = False


def value_look(axis_id: str, values: WellColours, state: AxisState) -> ValueLook:
    """Return how the value of a well looks."""
    level = level_of(values.values.get(axis_id), values)
    control = values.controls.get(axis_id, "")
    is_failed, is_excluded = state is AxisState.FAILED, axis_id in values.excluded
    return ValueLook(level, control, axis_id in values.outliers, is_failed, is_excluded)


def level_of(value: float | None, values: WellColours) -> int | None:
    """Return the place of a value in the scale, from 0 to ``LEVELS - 1``; None for no value."""
    if value is None or math.isnan(value):
        return None
    if value <= values.lowest or values.highest <= values.lowest:
        return 0 if value < values.highest else LEVELS // 2
    if value >= values.highest:
        return LEVELS - 1
    return round((value - values.lowest) / (values.highest - values.lowest) * (LEVELS - 1))


@functools.cache
def _table() -> tuple[QColor, ...]:
    """The viridis scale, as in the heat maps: its brightness rises evenly, for any colour vision.

    See Nuñez et al., PLoS ONE 13, e0199239, 2018, on scales for readers who confuse colours.
    """
    return tuple(QColor(*viridis_color(level / (LEVELS - 1))) for level in range(LEVELS))


def colour_of_level(level: int) -> QColor:
    """Return the colour of a place in the scale."""
    return _table()[level]


def ink_on(colour: QColor) -> QColor:
    """Return black or white, whichever contrasts more; the contrast is at least 4.5 : 1 (WCAG 2.2)."""
    red, green, blue = (_linear(part) for part in (colour.redF(), colour.greenF(), colour.blueF()))
    is_light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > _BLACK_FROM
    return QColor(Qt.GlobalColor.black if is_light else Qt.GlobalColor.white)


def _linear(part: float) -> float:
    """Return the linear value of an sRGB component (IEC 61966-2-1)."""
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def draw_value(painter: QPainter, square: QRectF, look: ValueLook, palette: QPalette, *, has_text: bool) -> None:
    """Draw a well in the colour of its value; one without a value is hatched.

    Args:
        painter: where to draw.
        square: the place of the well.
        look: the value and its marks.
        palette: colours of the window.
        has_text: whether text is written into the well, so that signs move up.
    """
    margin = max(0.5, min(3.0, square.width() * 0.05))
    rect = square.adjusted(margin, margin, -margin, -margin)
    shape, corner = QPainterPath(), min(6.0, rect.width() * 0.18)
    shape.addRoundedRect(rect, corner, corner)
    window = palette.color(QPalette.ColorRole.Window)
    if look.level is None:
        if look.is_excluded:  # the name has to be read
            painter.strokePath(shape, QPen(faint_text(palette), 0.8))
        else:
            draw_hatching(painter, shape, faint_text(palette))
        ink = palette.color(QPalette.ColorRole.WindowText)
    else:
        fill = colour_of_level(look.level)
        painter.fillPath(shape, fill)
        painter.strokePath(shape, QPen(blend(palette.color(QPalette.ColorRole.WindowText), window, 0.35), 0.8))
        ink = ink_on(fill)
    if look.is_excluded:
        _draw_excluded(painter, rect, ink, has_text=has_text)
    if look.is_outlier:
        _draw_ring(painter, rect, ink)
    place = sign_rect(rect, has_text=has_text)
    if look.is_failed:
        draw_cross(painter, place, well_colour(AxisState.FAILED, palette) if look.level is None else ink)
    elif look.control:
        _SIGNS.get(look.control, _draw_dot)(painter, place, ink)


def _draw_excluded(painter: QPainter, rect: QRectF, colour: QColor, *, has_text: bool) -> None:
    """Draw a cross over the whole well; only its ends, in the corners, if there is text in the middle."""
    painter.setPen(QPen(colour, min(2.0, max(1.0, rect.width() / 16))))
    arm = rect.width() * (_ARM if has_text else 0.5)
    for corner, across, down in (
        (rect.topLeft(), arm, arm),
        (rect.topRight(), -arm, arm),
        (rect.bottomLeft(), arm, -arm),
        (rect.bottomRight(), -arm, -arm),
    ):
        painter.drawLine(corner, corner + QPointF(across, down))


def _draw_ring(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    inset, line = rect.width() * 0.1, min(3.0, max(1.0, rect.width() / 16))
    painter.setPen(QPen(colour, line))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(rect.adjusted(inset, inset, -inset, -inset))


def _draw_dot(painter: QPainter, rect: QRectF, colour: QColor) -> None:
    """The sign of a control that is neither positive nor negative."""
    inset = rect.width() * 0.2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawEllipse(rect.adjusted(inset, inset, -inset, -inset))
