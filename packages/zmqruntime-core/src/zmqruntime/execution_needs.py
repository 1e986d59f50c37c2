"""What an execution needs before it may start, as its submission states it, and the state of queues and schedules."""

from typing import Annotated

import msgspec
from msgspec import Meta

from zmqruntime.base_messages import Count, PositiveSeconds
from zmqruntime.compat import Mapped

__all__ = [
    "Concurrency",
    "LimitKey",
    "QueueName",
    "QueueState",
    "Rate",
    "ResourceName",
    "Resources",
    "Schedule",
    "ScheduleName",
]

_NAME = "^[0-9A-Za-z_.-]{1,64}$"
_LONGEST_KEY = 200
_LONGEST_PERIOD = 366 * 86_400.0

QueueName = Annotated[str, Meta(pattern=_NAME)]
ScheduleName = Annotated[str, Meta(pattern=_NAME)]
ResourceName = Annotated[str, Meta(pattern=_NAME)]
LimitKey = Annotated[str, Meta(min_length=1, max_length=_LONGEST_KEY)]
Resources = Annotated[dict[ResourceName, Annotated[float, Meta(ge=0)]], Meta(max_length=32)]


class Concurrency(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most ``most`` executions with this ``key`` run at once on a server."""

    key: LimitKey
    most: Annotated[int, Meta(ge=1, le=1_000_000)]

    def __post_init__(self) -> None:
        """Check the fields, which msgspec does only for those that it reads.

        Raises:
            TypeError: One is of the wrong type.
            ValueError: Its value is not allowed.
        """
        _check_key("Concurrency", self.key)
        _check_whole("Concurrency", "most", self.most, 1_000_000)


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At most ``count`` executions with this ``key`` start within any ``seconds`` on a server, also over restarts.

    A retry is a start like any other. Starts are remembered for the longest window that was asked for with the key.
    """

    key: LimitKey
    count: Annotated[int, Meta(ge=1, le=10_000)]
    seconds: Annotated[float, Meta(gt=0, le=_LONGEST_PERIOD)]

    def __post_init__(self) -> None:
        """Check the fields, which msgspec does only for those that it reads.

        Raises:
            TypeError: One is of the wrong type.
            ValueError: Its value is not allowed.
        """
        _check_key("Rate", self.key)
        _check_whole("Rate", "count", self.count, 10_000)
        if not isinstance(self.seconds, (int, float)) or isinstance(self.seconds, bool):
            raise TypeError(f"seconds of a Rate must be a number, not {self.seconds!r}")
        if not 0 < self.seconds <= _LONGEST_PERIOD:
            raise ValueError(f"seconds of a Rate must be above 0 and at most 366 days, not {self.seconds!r}")


def _check_key(owner: str, key: object) -> None:
    if not isinstance(key, str):
        raise TypeError(f"key of a {owner} must be text, not {key!r}")
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise ValueError(f"key of a {owner} must have 1 to {_LONGEST_KEY} characters, not {len(key):,}")


def _check_whole(owner: str, field: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{field} of a {owner} must be a whole number, not {value!r}")
    if not 1 <= value <= most:
        raise ValueError(f"{field} of a {owner} must be from 1 to {most:,}, not {value!r}")


class QueueState(Mapped, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One named queue of a server: its settings, and how many of its executions wait and run."""

    name: QueueName
    paused: bool = False
    limit: Count | None = None
    """Maximum number of its executions that run at once; None for no limit of its own."""
    queued: Count = 0
    running: Count = 0


class Schedule(Mapped, msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task that a server submits again and again. Times are in seconds since the epoch."""

    name: ScheduleName
    task: str = ""
    """The ``name`` of its executions."""
    queue: QueueName = "default"
    every: PositiveSeconds | None = None
    """Seconds from one due time to the next; None if it has a ``cron`` text."""
    cron: str | None = None
    timezone: str | None = None
    """Time zone of the ``cron`` text, such as ``Europe/Madrid``; None for UTC."""
    next_due: float
    last_due: float | None = None
    last_execution: str | None = None
    """Id of the execution that was submitted for ``last_due``."""
    trouble: str = ""
    """Why nothing was submitted for the latest due time; empty if something was."""
