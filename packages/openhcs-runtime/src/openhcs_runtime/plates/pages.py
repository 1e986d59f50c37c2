"""What the pages of TIFF files are, as a user says it for files that don't: ``z``, ``channel``, ``time``, ``C3Z``."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import PlateError

__all__ = ["PageOrder"]

_WORDS = {"z": "Z", "c": "C", "channel": "C", "t": "T", "time": "T"}
_AXES = {"C": Component.CHANNEL, "Z": Component.Z_INDEX, "T": Component.TIMEPOINT}
_AXIS = re.compile(r"([CZT])(\d*)")


@dataclass(frozen=True, slots=True)
class PageOrder:
    """The axes of the pages of a file, from the slowest to the fastest.

    Attributes:
        axes: Each axis with its length; None for the length that follows from the number of pages.
    """

    axes: tuple[tuple[Component, int | None], ...]

    @classmethod
    def parse(cls, text: str) -> "PageOrder":
        """Read ``z``, ``channel`` or ``time``, or several axes with lengths, such as ``T5C2Z``.

        Raises:
            PlateError: If it is none of these.
        """
        letters = _WORDS.get(text.strip().lower(), text.strip().upper())
        found = _AXIS.findall(letters)
        names = [axis for axis, _ in found]
        if not found or "".join(map("".join, found)) != letters or len(set(names)) < len(names):
            raise PlateError(f"pages {text!r} is not z, channel, time, or axes with lengths such as C2Z or T5C2Z")
        if sum(not length for _, length in found) > 1:
            raise PlateError(f"pages {text!r} leaves more than one length open: say how many, as in C2Z")
        if any(length and not int(length) for _, length in found):
            raise PlateError(f"pages {text!r} has an axis of length 0")
        return cls(tuple((_AXES[axis], int(length) if length else None) for axis, length in found))

    def lengths(self, pages: int) -> tuple[int, ...] | None:
        """Return the length of each axis for a number of pages; None if they don't fit."""
        known = math.prod(length for _, length in self.axes if length)
        lengths = tuple(length or pages // known for _, length in self.axes)
        return lengths if math.prod(lengths) == pages else None

    def shows(self, pages: int) -> Iterator[dict[Component, int]]:
        """Yield what each page shows, numbered from 1; nothing if the number of pages does not fit."""
        lengths = self.lengths(pages)
        for page in range(pages) if lengths else ():
            shown, rest = {}, page
            for (axis, _), length in zip(reversed(self.axes), reversed(lengths or ()), strict=True):
                rest, place = divmod(rest, length)
                if length > 1:
                    shown[axis] = place + 1
            yield shown
