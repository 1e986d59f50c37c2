"""What may be left out of an execution's events when they are too many: progress that later progress has superseded."""

from typing import TypeVar

from zmqruntime.messages import Event, LogLine, ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["is_superseded_by_next", "merge", "superseded"]

EventT = TypeVar("EventT", bound=Event)

_KEEP_LOG_LINES = 2_000


def merge(events: list[EventT]) -> list[EventT]:
    """The same events without the superseded ones."""
    drop = superseded(events)
    return [event for place, event in enumerate(events) if place not in drop]


def superseded(events: list[EventT]) -> set[int]:
    """Places of events that may go: of each axis and step all but the latest ``pattern_group`` that runs on.

    Starts, ends, errors and state changes all stay; of log lines the latest 2,000 do.
    """
    drop: set[int] = set()
    latest: set[tuple[str, int]] = set()
    log_lines = 0
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        if isinstance(event, LogLine):
            log_lines += 1
            if log_lines > _KEEP_LOG_LINES:
                drop.add(place)
        elif isinstance(event, ProgressUpdate) and is_superseded_by_next(event):
            key = (event.axis_id, event.step_index)
            if key in latest:
                drop.add(place)
            latest.add(key)
    return drop


def is_superseded_by_next(update: ProgressUpdate) -> bool:
    """Whether the next such update of the same axis and step makes this one worthless."""
    return update.phase is ProgressPhase.PATTERN_GROUP and update.status is ProgressStatus.RUNNING
