"""Progress channels, whose updates are kept apart, and the rule for which of two updates is newer."""

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

from zmqruntime.messages import ProgressPhase, ProgressUpdate

__all__ = ["ProgressChannel", "ProgressKey", "channel_of", "is_newer", "key_of", "latest_updates"]


class ProgressChannel(enum.StrEnum):
    """Kinds of progress updates of an axis that do not replace each other."""

    INIT = "init"
    """Getting ready."""
    COMPILE = "compile"
    """Being checked and planned."""
    PIPELINE = "pipeline"
    """Start and end of the axis."""
    STEP = "step"
    """The current step."""


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
    """A newer update with the same key replaces an older one. ``axis_id`` is empty for the whole plate."""

    execution_id: str
    axis_id: str
    channel: ProgressChannel


def channel_of(phase: ProgressPhase) -> ProgressChannel:
    """Return the channel of a phase."""
    return _CHANNELS[phase]


def key_of(update: ProgressUpdate) -> ProgressKey:
    """Return the key of an update."""
    return ProgressKey(update.execution_id, update.axis_id, _CHANNELS[update.phase])


def is_newer(update: ProgressUpdate, known: ProgressUpdate | None) -> bool:
    """Return whether ``update`` is newer than ``known``: by sequence, or by time if they are not numbered."""
    return known is None or (update.sequence, update.timestamp) > (known.sequence, known.timestamp)


def latest_updates(updates: Iterable[ProgressUpdate]) -> dict[ProgressKey, ProgressUpdate]:
    """Return the newest update of each key; order and repetition of the updates do not matter."""
    latest: dict[ProgressKey, ProgressUpdate] = {}
    for update in updates:
        key = key_of(update)
        if is_newer(update, latest.get(key)):
            latest[key] = update
    return latest
