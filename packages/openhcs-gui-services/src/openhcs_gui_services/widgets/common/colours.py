"""The colours of states, for light and dark windows."""

from types import MappingProxyType

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QPalette

from openhcs_gui_services.services.plates.presenter import Tone
from zmqruntime.execution import AxisState

__all__ = ["blend", "faint_text", "is_dark", "readable_on", "tone_colour", "well_colour"]

_HALF = 128
_LIGHT_FROM = 0.25  # above this, the contrast with white is below 3.5

# For light and dark windows. Every state also has its own sign, for people who can't tell the colours apart.
_GREEN = (QColor(0x2E, 0x8B, 0x57), QColor(0x4C, 0xB3, 0x7C))
_RED = (QColor(0xC0, 0x39, 0x2B), QColor(0xE8, 0x6A, 0x5A))
_BLUE = (QColor(0x2B, 0x78, 0xC8), QColor(0x5A, 0xA2, 0xF0))
_AMBER = (QColor(0xB0, 0x7D, 0x12), QColor(0xD9, 0xA8, 0x3F))
_GREY = (QColor(0x8A, 0x91, 0x9B), QColor(0x80, 0x88, 0x92))
_PALE = (QColor(0x9C, 0xA5, 0xB0), QColor(0x6C, 0x75, 0x81))

_TONES = MappingProxyType(
    {Tone.NEUTRAL: _GREY, Tone.PENDING: _AMBER, Tone.ACTIVE: _BLUE, Tone.GOOD: _GREEN, Tone.BAD: _RED}
)
_WELLS = MappingProxyType(
    {
        AxisState.WAITING: _PALE,
        AxisState.RUNNING: _BLUE,
        AxisState.COMPLETE: _GREEN,
        AxisState.FAILED: _RED,
        AxisState.CANCELLED: _GREY,
    }
)


def is_dark(palette: QPalette) -> bool:
    """Return whether windows with this palette are dark."""
    return palette.color(QPalette.ColorRole.Window).lightness() < _HALF


def tone_colour(tone: Tone, palette: QPalette) -> QColor:
    """Return the colour of a plate's bar and dot."""
    return _TONES[tone][is_dark(palette)]


def well_colour(state: AxisState, palette: QPalette) -> QColor:
    """Return the colour of a well in the plate map."""
    return _WELLS[state][is_dark(palette)]


def blend(colour: QColor, other: QColor, share: float) -> QColor:
    """Mix two colours; ``share``, from 0 to 1, is the part of the first one."""
    parts = [
        round(one * share + two * (1 - share))
        for one, two in zip(colour.getRgb()[:3], other.getRgb()[:3], strict=True)
        if one is not None and two is not None
    ]
    return QColor(*parts)


def faint_text(palette: QPalette) -> QColor:
    """Return the colour of secondary text."""
    return blend(palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window), 0.65)


def readable_on(colour: QColor) -> QColor:
    """Return black or white, whichever is more readable on ``colour``, by relative luminance (WCAG 2.2)."""
    red, green, blue = (_linear(part) for part in (colour.redF(), colour.greenF(), colour.blueF()))
    is_light = 0.2126 * red + 0.7152 * green + 0.0722 * blue > _LIGHT_FROM
    return QColor(Qt.GlobalColor.black) if is_light else QColor(Qt.GlobalColor.white)


def _linear(part: float) -> float:
    """Return the linear value of an sRGB component (IEC 61966-2-1)."""
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
