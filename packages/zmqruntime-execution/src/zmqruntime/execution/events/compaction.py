"""What may be left out of an execution's events when they are too many: progress that later progress has superseded."""

from typing import TypeVar

from zmqruntime.messages import Event, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["Superseded", "is_superseded_by_next", "merge", "superseded"]

EventT = TypeVar("EventT", bound=Event)

_KEEP_LOG_LINES = 2_000


def merge(events: list[EventT]) -> list[EventT]:
    """The same events without the superseded ones."""
    drop = superseded(events)
    return [event for place, event in enumerate(events) if place not in drop]


def superseded(events: list[EventT]) -> set[int]:
    """Places of events that may go; see :class:`Superseded`."""
    judge = Superseded()
    return {place for place in range(len(events) - 1, -1, -1) if judge.may_go(events[place])}


class Superseded:
    """Judges events from the newest to the oldest: of each axis and step all but the latest ``pattern_group`` that runs
    on may go.

    Starts, ends, errors and state changes all stay; of log lines the latest 2,000 do.
    """

    def __init__(self) -> None:
        self._latest: set[tuple[str, int]] = set()
        self._log_lines = 0

    def may_go(self, event: Event) -> bool:
        """Whether the event, which is older than all that were asked about before, is superseded."""
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
    """Whether the next such update of the same axis and step makes this one worthless."""
    return update.phase is ProgressPhase.PATTERN_GROUP and update.status is ProgressStatus.RUNNING
