"""A plate that a microscope is still writing: which wells have all their images, and when the acquisition has ended.

A well is ready when all images that the plate's description plans for it are there; without a description, when it has
as many images as any other and another well has a newer file. In both cases none of its files may have changed in size
or time for a while, as seen by this process: the clocks of microscopes differ. While a plate of several wells has only
one, none is ready: outputs are named after their wells only if there are several.

A well that changes after it was ready, such as when the next time point is taken, is ready again later.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from openhcs_runtime.plates.base import ImageRef, Plate

__all__ = ["Acquisition"]


@dataclass(frozen=True, slots=True)
class _Well:
    """What was seen of a well.

    Attributes:
        state: Differs when a file has changed.
        changed: When a change was last seen, in seconds.
        count: Number of images.
        newest: Modification time of the newest file, in nanoseconds.
    """

    state: int
    changed: float
    count: int
    newest: int


class Acquisition:
    """Looks at a plate again and again.

    Args:
        settle_seconds: How long the files of a well must not have changed.
        idle_seconds: How long nothing on the plate must have changed for the acquisition to have ended.
        now: The time of a monotonic clock, in seconds.
    """

    def __init__(self, settle_seconds: float, idle_seconds: float, now: float) -> None:
        self._settle, self._idle = settle_seconds, idle_seconds
        self._wells: dict[str, _Well] = {}
        self._changed = now
        self._planned: dict[str, int] = {}

    def look(self, plate: Plate | None, now: float) -> frozenset[str]:
        """Take note of the files of a plate, and return the wells that are ready.

        Args:
            plate: The plate as it is now; None if it can't be opened yet.
            now: The time of a monotonic clock, in seconds.
        """
        if plate is None:
            return frozenset()
        self._planned = {well: len(keys) for well, keys in plate.planned.items()}
        for well, images in plate.images.items():
            self._note(well, images, now)
        if len(self._planned) > 1 and len(plate.images) < 2:
            return frozenset()
        newest = max((well.newest for well in self._wells.values()), default=0)
        most = max((well.count for well in self._wells.values()), default=0)
        return frozenset(
            name
            for name, well in self._wells.items()
            if name in plate.images and now - well.changed >= self._settle and self._is_whole(name, newest, most)
        )

    def has_ended(self, now: float) -> bool:
        """Return whether nothing has changed for long, or all planned images are there and have settled."""
        quiet = now - self._changed
        if quiet >= self._idle:
            return True
        there = self._planned and all(
            well in self._wells and self._wells[well].count >= count for well, count in self._planned.items()
        )
        return bool(there) and quiet >= self._settle

    def states(self, wells: Iterable[str]) -> dict[str, int]:
        """Return a number for each of these wells that differs once the well has changed."""
        return {well: self._wells[well].state for well in wells}

    def quiet_seconds(self, now: float) -> float:
        """Return the time since something changed."""
        return now - self._changed

    def _note(self, name: str, images: Iterable[ImageRef], now: float) -> None:
        listed = [(image.path, image.index, image.size, image.mtime_ns) for image in images]
        state = hash(tuple(sorted(listed)))
        if name not in self._wells or self._wells[name].state != state:
            newest = max((mtime_ns for _, _, _, mtime_ns in listed), default=0)
            self._wells[name] = _Well(state, now, len(listed), newest)
            self._changed = now

    def _is_whole(self, name: str, newest: int, most: int) -> bool:
        well = self._wells[name]
        if self._planned:
            return well.count >= self._planned.get(name, most)
        return well.count >= most and newest > well.newest
