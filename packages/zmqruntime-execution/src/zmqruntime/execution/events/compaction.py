"""Compaction of an execution's events: drops progress updates that later ones have superseded."""

from typing import TypeVar

from zmqruntime.messages import Event, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["Superseded", "is_superseded_by_next", "merge", "superseded"]

EventT = TypeVar("EventT", bound=Event)

_KEEP_LOG_LINES = 2_000


def merge(events: list[EventT]) -> list[EventT]:
    """Return the events without superseded ones."""
    drop = superseded(events)
    return [event for place, event in enumerate(events) if place not in drop]


def superseded(events: list[EventT]) -> set[int]:
    """Return the indexes of events that can be dropped; see :class:`Superseded`."""
    judge = Superseded()
    return {place for place in range(len(events) - 1, -1, -1) if judge.may_go(events[place])}


class Superseded:
    """Decides which events to drop, from the newest to the oldest.

    For each axis and step, only the latest ``pattern_group`` update with status ``running`` is kept. Starts, ends,
    errors and state changes are all kept, and so are the latest 2,000 log lines.
    """

    def __init__(self) -> None:
        self._latest: set[tuple[str, int]] = set()
        self._log_lines = 0

    def may_go(self, event: Event) -> bool:
        """Whether an event, which must be older than those of all previous calls, is superseded."""
        if isinstance(event, LogLine):
            self._log_lines += 1
            return self._log_lines > _KEEP_LOG_LINES
        if not isinstance(event, ProgressUpdate) or not is_superseded_by_next(event):
            return False
        key = (event.axis_id, event.step_index)
        is_old = key in self._latest
        self._latest.add(key)
        return is_old


def is_superseded_by_next(update: ProgressUpdate) -> bool:
    """Whether the next update of this kind for the same axis and step supersedes this one."""
    return update.phase is ProgressPhase.PATTERN_GROUP and update.status is ProgressStatus.RUNNING
