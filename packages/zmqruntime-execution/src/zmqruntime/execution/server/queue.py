"""The queue: executions run by priority, then in order of submission unless they were moved."""

import bisect

__all__ = ["QUEUED_LISTED", "Backlog"]

QUEUED_LISTED = 200
"""Maximum number of queued executions in a list; their total is always given."""

Key = tuple[int, float, int]
_Entry = tuple[Key, str]


class Backlog:
    """The ids of queued executions in order, without any other knowledge of them.

    Uses two sorted lists: finding a place takes logarithmic time, and the entries after it are moved by the C library,
    which takes a few hundredths of a millisecond for 100,000 entries.
    """

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._all: list[_Entry] = []
        self._ready: list[_Entry] = []
        """The same without held ones."""

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._keys

    def add(self, execution_id: str, priority: int, rank: float, number: int, held: bool = False) -> None:
        """Add an execution: higher priorities run first, then lower ranks, then lower numbers."""
        self.remove(execution_id)
        key = self._keys[execution_id] = (-priority, rank, number)
        bisect.insort(self._all, (key, execution_id))
        if not held:
            bisect.insort(self._ready, (key, execution_id))

    def remove(self, execution_id: str) -> None:
        """Remove an execution; does nothing if it is not queued."""
        key = self._keys.pop(execution_id, None)
        if key is not None:
            _take_out(self._all, (key, execution_id))
            _take_out(self._ready, (key, execution_id))

    def hold(self, execution_id: str) -> None:
        """Keep an execution queued, but do not run it."""
        _take_out(self._ready, (self._keys[execution_id], execution_id))

    def release(self, execution_id: str) -> None:
        """Let a held execution run again in its turn."""
        entry = (self._keys[execution_id], execution_id)
        if not _has(self._ready, entry):
            bisect.insort(self._ready, entry)

    def peek(self) -> str | None:
        """Return the id of the next execution to run, or None."""
        return self._ready[0][1] if self._ready else None

    def next_ones(self, limit: int) -> list[str]:
        """Return the ids of the next ``limit`` executions to run."""
        return [execution_id for _, execution_id in self._ready[:limit]]

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


def _priority(entry: _Entry) -> int:
    return entry[0][0]


def _has(entries: list[_Entry], entry: _Entry) -> bool:
    place = bisect.bisect_left(entries, entry)
    return place < len(entries) and entries[place] == entry


def _take_out(entries: list[_Entry], entry: _Entry) -> None:
    place = bisect.bisect_left(entries, entry)
    if place < len(entries) and entries[place] == entry:
        del entries[place]
