"""Progress of the viewer of a run, summed over all workers and reported at most a few times a second.

The stream of each worker counts what became of the images that it sent.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeAlias

from openhcs_runtime.viewer_target import ViewCounts, ViewStep
from zmqruntime.execution import Task
from zmqruntime.messages import ProgressPhase, ProgressStatus

__all__ = ["OnViewed", "ViewTally"]

OnViewed: TypeAlias = Callable[[str, ViewCounts], None]
"""Called as ``(worker, counts)`` with the counts of everything one worker has sent so far, from any thread."""

_SECONDS = 0.25


class ViewTally:
    """Adds up the counts of all workers of a run."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._of_worker: dict[str, ViewCounts] = {}
        self._reported: ViewCounts | None = None
        self._last = 0.0

    def on_counts(self, worker: str, counts: ViewCounts) -> None:
        """Take the latest counts of a worker."""
        with self._lock:
            self._of_worker[worker] = counts
            if time.monotonic() - self._last >= _SECONDS:
                self._report(ProgressStatus.RUNNING)

    def end(self) -> ViewCounts | None:
        """Report for the last time and return the total; None if nothing was sent to a viewer."""
        with self._lock:
            if self._of_worker:
                self._report(ProgressStatus.COMPLETED)
            return self._reported

    def _report(self, status: ProgressStatus) -> None:
        total = sum(self._of_worker.values(), ViewCounts())
        if total == self._reported and status is ProgressStatus.RUNNING:
            return
        known = self._reported or ViewCounts()
        self._last, self._reported = time.monotonic(), total
        for step in (ViewStep.FAILED, ViewStep.SKIPPED):
            if total.count(step) != known.count(step):
                self._report_step(step, total, ProgressStatus.RUNNING)
        self._report_step(ViewStep.DISPLAYED, total, status)

    def _report_step(self, step: ViewStep, total: ViewCounts, status: ProgressStatus) -> None:
        has_ended = status is ProgressStatus.COMPLETED
        self._task.report(
            axis_id="",
            step_name=step.value,
            step_index=list(ViewStep).index(step),
            total_steps=len(ViewStep),
            phase=ProgressPhase.STEP_COMPLETED if has_ended else ProgressPhase.PATTERN_GROUP,
            status=status,
            completed=total.count(step),
            total=total.sent,
        )
