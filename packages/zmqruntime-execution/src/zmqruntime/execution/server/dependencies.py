"""Executions that run after others: who waits for whom, and what becomes of those whose dependency did not complete."""

from collections import Counter, deque
from collections.abc import Callable, Iterable

from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.server.record import Record
from zmqruntime.execution.server.store import StoreError
from zmqruntime.execution.server.unmet import BEGIN, forgotten_dependency, unmet_reason
from zmqruntime.messages import ExecutionStatus

__all__ = ["MOST_DEPENDENCIES", "Dependencies"]

MOST_DEPENDENCIES = 1_000_000
"""Maximum number of dependencies of all open executions of a server together."""

_KEEP = "INSERT OR REPLACE INTO completed_dependencies (execution_id) VALUES (?)"
_FORGET = "DELETE FROM completed_dependencies WHERE execution_id = ?"


class Dependencies:
    """The dependencies of all open executions; on the thread of the server's loop.

    What has completed follows from the records of executions. Those that history drops while an open execution still
    depends on them are kept in a table of their own, so that a restart need not guess.

    Args:
        find: Returns an execution, open or ended, or None. Raises ``StoreError`` if its record is damaged.
        kept: The ids in that table.
        write: Adds a statement to the next commit.
    """

    def __init__(
        self,
        find: Callable[[str], Record | None],
        kept: Iterable[str],
        write: Callable[[str, tuple[object, ...]], None],
    ) -> None:
        self._find = find
        self._write = write
        self._kept = set(kept)
        self._complete: set[str] = set()
        self._needed: Counter[str] = Counter()
        self._pending: dict[str, int] = {}
        self._dependents: dict[str, dict[str, None]] = {}
        self._doomed: deque[tuple[str, str]] = deque()
        self._edges = 0

    # --- asking --------------------------------------------------------------------------------------------------

    def knows(self, execution_id: str) -> bool:
        """Whether an execution can be depended on: it is open, has ended, or is known to have completed."""
        return execution_id in self._kept or self._find(execution_id) is not None

    def has_room_for(self, count: int) -> bool:
        """Whether this many dependencies can be added."""
        return self._edges + count <= MOST_DEPENDENCIES

    def pending(self, execution_id: str) -> int:
        """Return how many executions must complete before this one may start."""
        return self._pending.get(execution_id, 0)

    def is_waiting(self, execution_id: str) -> bool:
        """Whether it must not start now, because of what it depends on."""
        return execution_id in self._pending

    # --- changing ------------------------------------------------------------------------------------------------

    def add(self, record: Record) -> None:
        """Add an open execution, which waits from now on for what it depends on."""
        if not record.needs.after:
            return
        pending, reason = 0, None
        for needed in dict.fromkeys(record.needs.after):
            self._needed[needed] += 1
            self._edges += 1
            state = self._state_of(needed)
            if state is None:
                pending += 1
                self._dependents.setdefault(needed, {})[record.execution_id] = None
            elif state:
                reason = reason or state
        if reason is not None:
            self._doomed.append((record.execution_id, reason))
            pending += 1  # which never completes, so that it is not started before it has failed
        if pending:
            self._pending[record.execution_id] = pending

    def end(self, record: Record) -> list[str]:
        """Note that an execution has ended; return those that may start now as far as dependencies are concerned."""
        self.remove(record)
        waiting = self._dependents.pop(record.execution_id, {})
        if record.status is not ExecutionStatus.COMPLETE:
            reason = _reason(record) if waiting else ""
            self._doomed.extend((execution_id, reason) for execution_id in waiting)
            return []
        if record.execution_id in self._needed:
            self._complete.add(record.execution_id)
        return [execution_id for execution_id in waiting if self._is_free_now(execution_id)]

    def remove(self, record: Record) -> None:
        """Forget what an execution depends on, because it has ended or was never accepted."""
        if not record.needs.after:
            return
        self._pending.pop(record.execution_id, None)
        for needed in dict.fromkeys(record.needs.after):
            self._remove_dependent(needed, record.execution_id)
            self._edges -= 1
            self._needed[needed] -= 1
            if not self._needed[needed]:
                del self._needed[needed]
                self._complete.discard(needed)
                if needed in self._kept:
                    self._kept.discard(needed)
                    self._write(_FORGET, (needed,))

    def keep(self, pruned: list[str]) -> None:
        """Keep the outcome of executions that history drops, if open executions depend on it."""
        for execution_id in pruned:
            if execution_id in self._complete:
                self._kept.add(execution_id)
                self._write(_KEEP, (execution_id,))

    def forget_unneeded(self) -> None:
        """Drop kept outcomes that nothing depends on any more, after all open executions were added."""
        for execution_id in self._kept - self._needed.keys():
            self._kept.discard(execution_id)
            self._write(_FORGET, (execution_id,))

    def take_doomed(self, limit: int) -> list[tuple[str, str]]:
        """Return up to ``limit`` executions that cannot run any more, each with the reason, once."""
        return [self._doomed.popleft() for _ in range(min(limit, len(self._doomed)))]

    @property
    def has_doomed(self) -> bool:
        """Whether there are executions that cannot run any more."""
        return bool(self._doomed)

    # --- inside --------------------------------------------------------------------------------------------------

    def _remove_dependent(self, needed: str, execution_id: str) -> None:
        dependents = self._dependents.get(needed)
        if dependents is not None:
            dependents.pop(execution_id, None)
            if not dependents:
                del self._dependents[needed]

    def _state_of(self, execution_id: str) -> str | None:
        """Return None for an open execution, an empty text for a complete one, otherwise why it cannot be relied on."""
        if execution_id in self._kept or execution_id in self._complete:
            return ""
        try:
            record = self._find(execution_id)
        except StoreError as error:
            return f"{BEGIN}{execution_id}, whose outcome cannot be read: {error}"
        if record is None:
            return forgotten_dependency(execution_id)
        if not has_ended(record.status, record.resumable):
            return None
        if record.status is ExecutionStatus.COMPLETE:
            self._complete.add(execution_id)
            return ""
        return _reason(record)

    def _is_free_now(self, execution_id: str) -> bool:
        left = self._pending.get(execution_id)
        if left is None:
            return False
        if left > 1:
            self._pending[execution_id] = left - 1
            return False
        del self._pending[execution_id]
        return True


def _reason(record: Record) -> str:
    was_never_run = bool(record.needs.after) and not record.attempts
    return unmet_reason(record.execution_id, record.name, record.status, record.error, was_never_run=was_never_run)
