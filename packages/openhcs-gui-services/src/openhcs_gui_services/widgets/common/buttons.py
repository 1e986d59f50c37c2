"""Push buttons with a tooltip and a callback."""

from collections.abc import Callable

from PyQt6.QtWidgets import QPushButton

__all__ = ["push_button"]


def push_button(text: str, tip: str, call: Callable[[], object]) -> QPushButton:
    """Return a button that calls ``call`` when clicked, but never on Enter in another field."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: call() and None)
    return button
