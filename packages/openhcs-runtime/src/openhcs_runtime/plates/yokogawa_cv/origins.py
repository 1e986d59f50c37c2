"""Channels that were taken more than once: by several actions, or on several timelines, of a protocol."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import structs

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.yokogawa_cv.records import Origin, Record

__all__ = ["Channels"]

_Place = tuple[str, int, int, int]


class Channels:
    """The numbers of the channels of a plate.

    Images of a channel that differ only in their action or timeline would otherwise be the same image. The first action
    keeps the number of the channel; others get new numbers, after the last channel. Actions that never take the same
    image, such as those of timelines for different wells, share a number.

    Attributes:
        added: The channels with new numbers: of which channel, and what has taken them.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        taken: defaultdict[int, defaultdict[Origin, set[_Place]]] = defaultdict(lambda: defaultdict(set))
        for record in records:
            taken[record.key.channel][record.origin].add(_place(record))
        self.added: dict[int, tuple[int, Origin]] = {}
        self._numbers: dict[tuple[int, Origin], int] = {}
        free = max(taken, default=0) + 1
        for channel in sorted(taken):
            free = self._divide(channel, taken[channel], free)

    @property
    def taken(self) -> frozenset[int]:
        """The numbers of all channels that have images."""
        return frozenset(self._numbers.values())

    def key(self, record: Record) -> ImageKey:
        """Return what a record shows, with the number of its channel."""
        key = record.key
        shown = self._numbers.get((key.channel, record.origin), key.channel)
        return key if shown == key.channel else structs.replace(key, channel=shown)

    def _divide(self, channel: int, origins: dict[Origin, set[_Place]], free: int) -> int:
        """Give a number to each action of a channel, and return the next free number."""
        groups: dict[int, set[_Place]] = {}
        for origin, places in sorted(origins.items()):
            number = next((one for one, group in groups.items() if group.isdisjoint(places)), None)
            if number is None:
                number = channel if not groups else free
                if groups:
                    self.added[number] = channel, origin
                    free += 1
            groups.setdefault(number, set()).update(places)
            self._numbers[channel, origin] = number
        return free


def _place(record: Record) -> _Place:
    key = record.key
    return key.well, key.site, 0 if record.is_projection else key.z_index, key.timepoint
