"""Where new windows open: next to each other in rows, and then again from the top, a little further in."""

from dataclasses import dataclass

__all__ = ["Area", "WindowPlaces"]

_STEP = 28
"""Pixels by which each round is moved, so that the titles of windows below stay visible."""
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Area:
    """The part of the screen for windows, in pixels."""

    left: int
    top: int
    width: int
    height: int


class WindowPlaces:
    """Gives each new window its place."""

    def __init__(self) -> None:
        self._round = 0
        self._x = self._y = 0
        self._row_height = 0

    def next(self, width: int, height: int, area: Area) -> tuple[int, int]:
        """Return the left upper corner for a window of this size; a large one may hang over the edge of the screen.

        Args:
            width: width of the window in pixels.
            height: height of the window in pixels.
            area: where windows may be.

        Returns:
            x and y on the screen.
        """
        if self._x and self._inset + self._x + width > area.width:
            self._x, self._y, self._row_height = 0, self._y + self._row_height, 0
        if self._y and self._inset + self._y + height > area.height:
            self._begin_round(self._round + 1)
        corner = area.left + self._inset + self._x, area.top + self._inset + self._y
        self._x += width
        self._row_height = max(self._row_height, height)
        return corner

    def reset(self) -> None:
        """Begin again at the top, as all windows have been closed."""
        self._begin_round(0)

    @property
    def _inset(self) -> int:
        return self._round * _STEP

    def _begin_round(self, number: int) -> None:
        self._round = number % _ROUNDS
        self._x = self._y = self._row_height = 0
