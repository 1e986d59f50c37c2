"""Executions that are ready to run, grouped in lanes, so that those that have to wait cost nothing while they wait.

A lane holds the executions whose start depends on the same conditions, in their order: if its first one has to wait,
so do all of them. The lanes that may start are in one sorted list. A lane that may not is moved to what it waits for,
its *barrier*; when that may have opened, its lanes return one at a time, in order, until one is stopped by it again.
Starting an execution therefore takes logarithmic time, no matter how many wait and for what.
"""

import bisect
import math
from collections.abc import Sequence
from typing import NamedTuple

from zmqruntime.execution.server.needs import NO_NEEDS, Needs
from zmqruntime.messages import Concurrency, Rate

__all__ = ["PLAIN", "Barrier", "BarrierKind", "Entry", "Key", "Lane", "Lanes", "lane_of"]

Key = tuple[int, float, int]
Entry = tuple[Key, str]
BarrierKind = str

_SIZES_PER_DOUBLING = 32


class Lane(NamedTuple):
    """The conditions that all executions of a lane share."""

    queue: str
    concurrency: Concurrency | None
    rate: Rate | None
    sizes: tuple[tuple[str, int, int], ...]
    """The resources and their approximate amounts; those of one lane differ by at most a few percent."""


class Barrier(NamedTuple):
    """What lanes wait for: all lanes at one barrier may pass it at the same time."""

    kind: BarrierKind
    key: object
    level: object = None
    """Tells apart the lanes that pass at different levels, such as two maxima for one key."""


PLAIN = Lane("default", None, None, ())
"""The lane of executions without any conditions."""


def lane_of(queue: str, needs: Needs) -> Lane:
    """Return the lane of an execution."""
    if needs is NO_NEEDS:
        return PLAIN if queue == "default" else Lane(queue, None, None, ())
    return Lane(queue, needs.concurrency, needs.rate, sizes_of(needs.resources))


def sizes_of(resources: dict[str, float]) -> tuple[tuple[str, int, int], ...]:
    """Return approximate amounts, so that executions whose memory differs by a few bytes share a lane."""
    return tuple(sorted((name, *_size(amount)) for name, amount in resources.items()))


def _size(amount: float) -> tuple[int, int]:
    mantissa, exponent = math.frexp(amount)
    return exponent, math.ceil(mantissa * 2 * _SIZES_PER_DOUBLING)


class Lanes:
    """The executions that are ready to run; without any other knowledge of them."""

    def __init__(self) -> None:
        self._entries: dict[Lane, list[Entry]] = {}
        self._open: list[tuple[Entry, Lane]] = []
        self._waiting: dict[Barrier, list[tuple[Entry, Lane]]] = {}
        self._barriers: dict[tuple[BarrierKind, object], set[Barrier]] = {}
        self._barrier_of: dict[Lane, Barrier] = {}
        self._woken: dict[Lane, Barrier] = {}

    def add(self, lane: Lane, entry: Entry) -> None:
        """Add an execution; does nothing if it is there."""
        entries = self._entries.setdefault(lane, [])
        place = bisect.bisect_left(entries, entry)
        if place < len(entries) and entries[place] == entry:
            return
        if place == 0 and entries:
            self._take_from_its_place(lane)
        entries.insert(place, entry)
        if place == 0:
            self._put_open(lane)

    def remove(self, lane: Lane, entry: Entry) -> None:
        """Remove an execution; does nothing if it is not there."""
        entries = self._entries.get(lane, [])
        place = bisect.bisect_left(entries, entry)
        if place == len(entries) or entries[place] != entry:
            return
        if place == 0:
            self._take_from_its_place(lane)
        del entries[place]
        if not entries:
            del self._entries[lane]
        elif place == 0:
            self._put_open(lane)
        if place == 0 and (barrier := self._woken.pop(lane, None)) is not None:
            self._wake_next(barrier)

    def first(self) -> tuple[Lane, str] | None:
        """Return the first execution that is not known to have to wait, and its lane; None if there is none."""
        if not self._open:
            return None
        (_, execution_id), lane = self._open[0]
        return lane, execution_id

    def next_ones(self, limit: int) -> list[str]:
        """Return the first ``limit`` executions that are not known to have to wait, in order."""
        if len(self._open) == 1:
            return [execution_id for _, execution_id in self._entries[self._open[0][1]][:limit]]
        found = [entry for _, lane in self._open[:limit] for entry in self._entries[lane][:limit]]
        return [execution_id for _, execution_id in sorted(found)[:limit]]

    def stop_at(self, lane: Lane, barrier: Barrier) -> None:
        """Let an open lane wait for a barrier."""
        self._take_from_its_place(lane)
        self._barrier_of[lane] = barrier
        bisect.insort(self._waiting.setdefault(barrier, []), (self._entries[lane][0], lane))
        self._barriers.setdefault((barrier.kind, barrier.key), set()).add(barrier)
        woken_by = self._woken.pop(lane, None)
        if woken_by is not None and woken_by != barrier:
            self._wake_next(woken_by)

    def note_opened(self, kind: BarrierKind, key: object) -> None:
        """Try the lanes that wait for something again, because it may have opened."""
        for barrier in list(self._barriers.get((kind, key), ())):
            self._wake_next(barrier)

    def _wake_next(self, barrier: Barrier) -> None:
        waiting = self._waiting.get(barrier)
        if waiting:
            lane = waiting[0][1]
            self._take_from_its_place(lane)
            self._woken[lane] = barrier
            self._put_open(lane)

    def _put_open(self, lane: Lane) -> None:
        bisect.insort(self._open, (self._entries[lane][0], lane))

    def _take_from_its_place(self, lane: Lane) -> None:
        """Take a lane out of the open ones, or away from its barrier; its first entry is still the one it had there."""
        barrier = self._barrier_of.pop(lane, None)
        places = self._open if barrier is None else self._waiting[barrier]
        _take_out(places, (self._entries[lane][0], lane))
        if barrier is not None and not places:
            del self._waiting[barrier]
            same = self._barriers[barrier.kind, barrier.key]
            same.discard(barrier)
            if not same:
                del self._barriers[barrier.kind, barrier.key]


def _take_out(places: list[tuple[Entry, Lane]], place: tuple[Entry, Lane]) -> None:
    del places[_index(places, place[0])]


def _index(places: Sequence[tuple[Entry, Lane]], entry: Entry) -> int:
    return bisect.bisect_left(places, entry, key=_entry_of)


def _entry_of(place: tuple[Entry, Lane]) -> Entry:
    return place[0]
