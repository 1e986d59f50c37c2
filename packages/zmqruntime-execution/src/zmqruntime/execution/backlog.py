"""The order in which queued executions run: by priority, then by submission unless somebody moved them."""

import heapq

__all__ = ["Backlog"]

Key = tuple[int, float, int]


class Backlog:
    """Queued executions by id. Knows nothing of what they are; all operations but the listing take logarithmic time."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}
        self._heap: list[tuple[Key, str]] = []
        self._held: set[str] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, execution_id: str) -> bool:
        return execution_id in self._keys

    def add(self, execution_id: str, priority: int, rank: float, number: int, held: bool = False) -> None:
        """Queue it: higher priorities first, then lower ranks, then lower numbers."""
        key = (-priority, rank, number)
        self._keys[execution_id] = key
        if held:
            self._held.add(execution_id)
        else:
            heapq.heappush(self._heap, (key, execution_id))

    def remove(self, execution_id: str) -> None:
        """Take it out, wherever it is."""
        self._keys.pop(execution_id, None)
        self._held.discard(execution_id)

    def hold(self, execution_id: str) -> None:
        """Leave it queued, but let it not run."""
        self._held.add(execution_id)

    def release(self, execution_id: str) -> None:
        """Let it run again in its turn."""
        if execution_id in self._held:
            self._held.discard(execution_id)
            heapq.heappush(self._heap, (self._keys[execution_id], execution_id))

    def peek(self) -> str | None:
        """The next to run."""
        while self._heap:
            key, execution_id = self._heap[0]
            if self._keys.get(execution_id) == key and execution_id not in self._held:
                return execution_id
            heapq.heappop(self._heap)
        return None

    def ordered(self) -> list[str]:
        """All ids in the order in which they will run, held ones in their place."""
        return sorted(self._keys, key=self._keys.__getitem__)

    def rank_for(self, execution_id: str, position: int) -> float:
        """The rank that puts it at ``position`` among those of its priority."""
        priority = self._keys[execution_id][0]
        others = [key for other, key in self._keys.items() if key[0] == priority and other != execution_id]
        others.sort()
        if not others:
            return 0.0
        if position <= 0:
            return others[0][1] - 1.0
        if position >= len(others):
            return others[-1][1] + 1.0
        return (others[position - 1][1] + others[position][1]) / 2
