"""The queue: executions run by priority, then in order of submission unless they were moved."""

import bisect

from zmqruntime.execution.server.lanes import PLAIN, Barrier, BarrierKind, Entry, Key, Lane, Lanes

__all__ = ["QUEUED_LISTED", "Backlog"]

QUEUED_LISTED = 200
"""Maximum number of queued executions in a list; their total is always given."""


class Backlog:
    """The ids of queued executions in order, without any other knowledge of them.

    Uses sorted lists: finding a place takes logarithmic time, and the entries after it are moved by the C library,
    which takes a few hundredths of a millisecond for 100,000 entries.
    """

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._all: list[Entry] = []
        self._lane_of: dict[str, Lane] = {}
        """Of those that are not in the plain lane."""
        self._ready = Lanes()
        """The same without held ones."""

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._keys

    def add(
        self, execution_id: str, priority: int, rank: float, number: int, held: bool = False, lane: Lane = PLAIN
    ) -> None:
        """Add an execution: higher priorities run first, then lower ranks, then lower numbers."""
        self.remove(execution_id)
        if lane is not PLAIN:
            self._lane_of[execution_id] = lane
        key = self._keys[execution_id] = (-priority, rank, number)
        bisect.insort(self._all, (key, execution_id))
        if not held:
            self._ready.add(lane, (key, execution_id))

    def remove(self, execution_id: str) -> None:
        """Remove an execution; does nothing if it is not queued."""
        key = self._keys.pop(execution_id, None)
        if key is not None:
            _take_out(self._all, (key, execution_id))
            self._ready.remove(self._lane_of.pop(execution_id, PLAIN), (key, execution_id))

    def hold(self, execution_id: str) -> None:
        """Keep an execution queued, but do not run it."""
        self._ready.remove(self._lane_of.get(execution_id, PLAIN), (self._keys[execution_id], execution_id))

    def release(self, execution_id: str) -> None:
        """Let a held execution run again in its turn."""
        self._ready.add(self._lane_of.get(execution_id, PLAIN), (self._keys[execution_id], execution_id))

    def first(self) -> tuple[Lane, str] | None:
        """Return the next execution to run and its lane, or None; it may turn out that it has to wait."""
        return self._ready.first()

    @property
    def first_key(self) -> Key | None:
        """What orders the next execution to run among all; None if there is none that is not known to have to wait."""
        first = self._ready.first()
        return None if first is None else self._keys[first[1]]

    def key_of(self, execution_id: str) -> Key:
        """Return what orders a queued execution among all; smaller ones run earlier."""
        return self._keys[execution_id]

    def stop_at(self, lane: Lane, barrier: Barrier) -> None:
        """Let the lane of the next execution wait for something."""
        self._ready.stop_at(lane, barrier)

    def note_opened(self, kind: BarrierKind, key: object) -> None:
        """Try again those that wait for something."""
        self._ready.note_opened(kind, key)

    def next_ones(self, limit: int) -> list[str]:
        """Return the ids of the next ``limit`` executions to run, as far as it is known that they can."""
        return self._ready.next_ones(limit)

    def place_of(self, execution_id: str) -> int | None:
        """Return how many executions are ahead of it, including held ones; None if it is not queued."""
        key = self._keys.get(execution_id)
        return None if key is None else bisect.bisect_left(self._all, (key, execution_id))

    def ordered(self, limit: int | None = None) -> list[str]:
        """Return the ids, or the first ``limit`` of them, in the order they will run, with held ones in their place."""
        return [execution_id for _, execution_id in self._all[:limit]]

    def rank_for(self, execution_id: str, position: int) -> float:
        """Return the rank that moves it to ``position`` among the executions of its priority."""
        own = self._keys[execution_id]
        begin = bisect.bisect_left(self._all, own[0], key=_priority)
        end = bisect.bisect_right(self._all, own[0], key=_priority)
        count = end - begin - 1
        if count == 0:
            return 0.0
        skipped = bisect.bisect_left(self._all, (own, execution_id)) - begin

        def rank_at(place: int) -> float:
            """Rank at a place among the other executions of its priority."""
            return self._all[begin + place + (place >= skipped)][0][1]

        if position <= 0:
            return rank_at(0) - 1.0
        if position >= count:
            return rank_at(count - 1) + 1.0
        return (rank_at(position - 1) + rank_at(position)) / 2


def _priority(entry: Entry) -> int:
    return entry[0][0]


def _take_out(entries: list[Entry], entry: Entry) -> None:
    place = bisect.bisect_left(entries, entry)
    if place < len(entries) and entries[place] == entry:
        del entries[place]
