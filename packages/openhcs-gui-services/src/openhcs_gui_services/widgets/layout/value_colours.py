"""Colours for the values of a column: a scale for numbers, and distinct colours for other texts."""

import math
from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor

from openhcs_gui_services.widgets.common.colours import blend

__all__ = ["text_colour", "value_colours"]

_DISTINCT: Final = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#9A9A9A")
"""Colours that people with any colour vision can tell apart (Okabe & Ito, 2008); grey in place of black."""
_SCALE: Final = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")
"""Viridis (Smith & van der Walt, 2015) in five steps; its brightness rises evenly."""
_LINEAR_FROM, _LINEAR_SLOPE = 0.04045, 12.92


def value_colours(texts: Sequence[str]) -> dict[str, QColor]:
    """Return a colour for each text.

    Numbers get colours of a scale by their rank, as doses are spaced unevenly; with 0 and one other number, too. Other
    texts get distinct colours, which grow paler after the eighth.

    Args:
        texts: the texts, in the order of the legend.
    """
    numbers = {text: number for text in texts if (number := _number(text)) is not None}
    if len(numbers) == len(texts):
        ranks = {number: rank for rank, number in enumerate(sorted(set(numbers.values())))}
        last = max(1, len(ranks) - 1)
        return {text: _on_scale(ranks[number] / last) for text, number in numbers.items()}
    return {text: _distinct(place) for place, text in enumerate(texts)}


def text_colour(background: QColor) -> QColor:
    """Return black or white, whichever has the higher contrast (WCAG 2.2), which is at least 4.5 : 1."""
    parts = (background.redF(), background.greenF(), background.blueF())
    linear = [part / _LINEAR_SLOPE if part <= _LINEAR_FROM else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    is_light = (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05)
    return QColor(Qt.GlobalColor.black) if is_light else QColor(Qt.GlobalColor.white)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _on_scale(part: float) -> QColor:
    place = part * (len(_SCALE) - 1)
    left = min(int(place), len(_SCALE) - 2)
    return blend(QColor(_SCALE[left + 1]), QColor(_SCALE[left]), place - left)


def _distinct(place: int) -> QColor:
    turn, number = divmod(place, len(_DISTINCT))
    return blend(QColor(_DISTINCT[number]), QColor(Qt.GlobalColor.white), max(0.35, 1 - 0.25 * turn))
