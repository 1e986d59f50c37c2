"""Push buttons with a tooltip and a callback."""

from collections.abc import Callable

from PyQt6.QtWidgets import QPushButton

__all__ = ["OWN_RELOAD", "push_button"]

OWN_RELOAD = "own_reload"
"""Property of a widget in which F5 reads something of its own again."""


def push_button(text: str, tip: str, call: Callable[[], object]) -> QPushButton:
    """Return a button that calls ``call`` when clicked, but never on Enter in another field."""
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)
    button.clicked.connect(lambda _=False: call() and None)
    return button
