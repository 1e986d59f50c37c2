"""What of an execution's progress is kept apart, and which of two updates is the newer one: the rules, once."""

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

from zmqruntime.messages import ProgressPhase, ProgressUpdate

__all__ = ["ProgressChannel", "ProgressKey", "channel_of", "is_newer", "key_of", "latest_updates"]


class ProgressChannel(enum.StrEnum):
    """Kinds of progress of an axis that do not replace each other."""

    INIT = "init"
    """Getting ready."""
    COMPILE = "compile"
    """Being checked and planned."""
    PIPELINE = "pipeline"
    """Its start and its end."""
    STEP = "step"
    """The step that it is in."""


_CHANNELS: Final = {
    ProgressPhase.INIT: ProgressChannel.INIT,
    ProgressPhase.COMPILE: ProgressChannel.COMPILE,
    ProgressPhase.AXIS_STARTED: ProgressChannel.PIPELINE,
    ProgressPhase.AXIS_COMPLETED: ProgressChannel.PIPELINE,
    ProgressPhase.STEP_STARTED: ProgressChannel.STEP,
    ProgressPhase.PATTERN_GROUP: ProgressChannel.STEP,
    ProgressPhase.STEP_COMPLETED: ProgressChannel.STEP,
}


class ProgressKey(NamedTuple):
    """Of updates with the same key only the newest says how it stands. ``axis_id`` is empty for the whole plate."""

    execution_id: str
    axis_id: str
    channel: ProgressChannel


def channel_of(phase: ProgressPhase) -> ProgressChannel:
    """The channel of a phase."""
    return _CHANNELS[phase]


def key_of(update: ProgressUpdate) -> ProgressKey:
    """What the update is about."""
    return ProgressKey(update.execution_id, update.axis_id, _CHANNELS[update.phase])


def is_newer(update: ProgressUpdate, known: ProgressUpdate | None) -> bool:
    """Whether ``update`` was made after ``known``: the sequence decides, the clock only where nobody numbered them."""
    return known is None or (update.sequence, update.timestamp) > (known.sequence, known.timestamp)


def latest_updates(updates: Iterable[ProgressUpdate]) -> dict[ProgressKey, ProgressUpdate]:
    """The newest update of each key, in whatever order and however often they come."""
    latest: dict[ProgressKey, ProgressUpdate] = {}
    for update in updates:
        key = key_of(update)
        if is_newer(update, latest.get(key)):
            latest[key] = update
    return latest
