"""Which measurement was chosen for each plate of a window, and which one to show of a plate that has none yet."""

from collections.abc import Sequence
from typing import Final

__all__ = ["ChosenMeasures"]

_MOST: Final = 500
"""Plates that are kept; the one that was chosen for the longest ago is forgotten first."""


class ChosenMeasures:
    """Keeps names of measurements as they are chosen."""

    def __init__(self) -> None:
        self._of_plate: dict[str, str] = {}
        self._last = ""

    def keep(self, plate: str, name: str) -> None:
        """Note that a measurement was chosen for a plate."""
        self._of_plate.pop(plate, None)
        self._of_plate[plate] = self._last = name
        if len(self._of_plate) > _MOST:
            del self._of_plate[next(iter(self._of_plate))]

    def best(self, plate: str, names: Sequence[str]) -> str:
        """Return the one that was chosen for this plate, or else for the last plate; empty if neither is offered."""
        return next((name for name in (self._of_plate.get(plate, ""), self._last) if name in names), "")
