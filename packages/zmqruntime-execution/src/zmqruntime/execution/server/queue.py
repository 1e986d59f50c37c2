"""The order in which queued executions run: by priority, then by submission unless somebody moved them."""

import bisect

__all__ = ["Backlog"]

Key = tuple[int, float, int]
_Entry = tuple[Key, str]


class Backlog:
    """Queued executions by id. Knows nothing of what they are.

    Two sorted lists: finding a place takes logarithmic time, and what follows it is moved by the C library, which takes
    some hundredths of a millisecond for 100,000 entries.
    """

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._all: list[_Entry] = []
        self._ready: list[_Entry] = []
        """The same without those that are held."""

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._keys

    def add(self, execution_id: str, priority: int, rank: float, number: int, held: bool = False) -> None:
        """Queue it: higher priorities first, then lower ranks, then lower numbers."""
        self.remove(execution_id)
        key = self._keys[execution_id] = (-priority, rank, number)
        bisect.insort(self._all, (key, execution_id))
        if not held:
            bisect.insort(self._ready, (key, execution_id))

    def remove(self, execution_id: str) -> None:
        """Take it out, wherever it is; does nothing if it is not there."""
        key = self._keys.pop(execution_id, None)
        if key is not None:
            _take_out(self._all, (key, execution_id))
            _take_out(self._ready, (key, execution_id))

    def hold(self, execution_id: str) -> None:
        """Leave it queued, but let it not run."""
        _take_out(self._ready, (self._keys[execution_id], execution_id))

    def release(self, execution_id: str) -> None:
        """Let it run again in its turn."""
        entry = (self._keys[execution_id], execution_id)
        if not _has(self._ready, entry):
            bisect.insort(self._ready, entry)

    def peek(self) -> str | None:
        """The next to run."""
        return self._ready[0][1] if self._ready else None

    def next_ones(self, limit: int) -> list[str]:
        """The next ``limit`` to run."""
        return [execution_id for _, execution_id in self._ready[:limit]]

    def place_of(self, execution_id: str) -> int | None:
        """How many are before it, held ones among them; None if it is not queued."""
        key = self._keys.get(execution_id)
        return None if key is None else bisect.bisect_left(self._all, (key, execution_id))

    def ordered(self, limit: int | None = None) -> list[str]:
        """The ids, or the first ``limit`` of them, in the order in which they will run, held ones in their place."""
        return [execution_id for _, execution_id in self._all[:limit]]

    def rank_for(self, execution_id: str, position: int) -> float:
        """The rank that puts it at ``position`` among those of its priority."""
        own = self._keys[execution_id]
        begin = bisect.bisect_left(self._all, own[0], key=_priority)
        end = bisect.bisect_right(self._all, own[0], key=_priority)
        count = end - begin - 1
        if count == 0:
            return 0.0
        skipped = bisect.bisect_left(self._all, (own, execution_id)) - begin

        def rank_at(place: int) -> float:
            """Of the others of its priority, counted without it."""
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
