"""The progress of a task that only counts: in loops, or in one number, without axes that are started and ended.

Of such a task nobody knows in advance what it will count. So what it has counted to the end is past, and its progress
is that of the loops that are not at their end.
"""

from typing import Final

import msgspec

from zmqruntime.execution.progress.axes import percent_of
from zmqruntime.execution.progress.values import Work
from zmqruntime.messages import ProgressPhase, ProgressStatus, ProgressUpdate

__all__ = ["CountedLoops", "in_words"]

_FULL: Final = 100.0


class _Count(msgspec.Struct):
    """How far a loop is, and since when."""

    percent: float
    since: float
    first: float
    """The percentage of its first update."""


class CountedLoops:
    """Follows the updates of one attempt of an execution, in order."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._only_counts = True
        self._latest: ProgressUpdate | None = None

    def on_progress(self, update: ProgressUpdate) -> None:
        """Apply an update."""
        if update.phase is not ProgressPhase.PATTERN_GROUP or update.status is not ProgressStatus.RUNNING:
            self._only_counts = False
        if not self._only_counts:
            self._counts.clear()
            return
        self._latest = update
        percent = percent_of(update)
        known = self._counts.get(update.axis_id)
        if known is None or percent < known.percent or known.percent == _FULL:
            self._counts[update.axis_id] = _Count(percent, update.timestamp, percent)
        else:
            known.percent = percent

    @property
    def is_in_use(self) -> bool:
        """Whether the task has counted, and done nothing else."""
        return self._only_counts and bool(self._counts)

    @property
    def percent(self) -> float:
        """The mean of the loops that are not at their end, 0 to 100; 100 if all are."""
        left = [count.percent for count in self._counts.values() if count.percent < _FULL]
        return sum(left) / len(left) if left else _FULL

    @property
    def work(self) -> Work:
        """The work of the loop that will take longest, as far as that is known."""
        works = [
            Work(
                done=(count.percent - count.first) / _FULL,
                left=(_FULL - count.percent) / _FULL,
                since=count.since,
            )
            for count in self._counts.values()
            if count.percent < _FULL
        ]
        return max(works, key=_slowness, default=Work())

    @property
    def text(self) -> str:
        """The latest update in words; empty if there is none."""
        return in_words(self._latest) if self.is_in_use and self._latest is not None else ""


def in_words(update: ProgressUpdate) -> str:
    """Return what an update says of the work: ``epoch 3/10, batch 17/90``."""
    step, message = update.step_name, update.message or ""
    is_said = step == update.axis_id or message == step or message.startswith(f"{step} ")
    label = ", ".join(part for part in (update.axis_id, "" if is_said and update.axis_id else step) if part)
    count = f"{update.completed:,}/{update.total:,}" if update.total else ""
    counted = " ".join(part for part in (label, count) if part)
    return ", ".join(part for part in (counted, message, update.error or "") if part)


def _slowness(work: Work) -> float:
    return work.left / work.done if work.done > 0 else float("inf")
