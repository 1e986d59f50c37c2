"""Rows of widgets that continue in the next line where there is no room."""

from collections.abc import Sequence

from PyQt6.QtWidgets import QHBoxLayout, QWidget
from superqt import QFlowLayout

__all__ = ["flow", "together"]

_GAP = 5


def flow(*widgets: QWidget) -> QFlowLayout:
    """Return a layout that puts widgets into lines."""
    layout = QFlowLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setHorizontalSpacing(_GAP)
    layout.setVerticalSpacing(_GAP)
    for widget in widgets:
        layout.addWidget(widget)
    return layout


def together(widgets: Sequence[QWidget]) -> QWidget:
    """Return widgets that stay in one line, as one widget."""
    whole = QWidget()
    layout = QHBoxLayout(whole)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(_GAP)
    for widget in widgets:
        layout.addWidget(widget)
    return whole
