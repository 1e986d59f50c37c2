"""The distance between planes, from heights that are stated image by image."""

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.lengths import z_step

__all__ = ["Heights"]

_Stack = tuple[str, int, int, int]


class Heights:
    """Heights of the planes of the first stack with more than one plane, in micrometres."""

    def __init__(self) -> None:
        self._places: dict[_Stack, dict[int, float | None]] = {}
        self._stack: _Stack | None = None

    def add(self, key: ImageKey, height: float | None) -> None:
        """Add the height of one image; once a stack is found, heights of other stacks are ignored."""
        stack = key.well, key.site, key.channel, key.timepoint
        if height is None or (self._stack is not None and stack != self._stack):
            return
        places = self._places.setdefault(stack, {})
        places[key.z_index] = height
        if len(places) > 1 and self._stack is None:
            self._stack, self._places = stack, {stack: places}

    def step(self) -> float | None:
        """Return the distance between its planes; None if it is not known or not even."""
        return z_step(self._places.get(self._stack, {})) if self._stack else None
