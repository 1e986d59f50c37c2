"""Reports of a task that have not been passed on yet, in the process that made them."""

import threading

import msgspec

from zmqruntime.execution.events.compaction import merge
from zmqruntime.execution.tasks.task import TaskReport

__all__ = ["PendingReports"]

_MERGE_ABOVE = 5_000


class PendingReports:
    """Keeps reports in order, and merges them when there are many. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checkpoints: dict[str, msgspec.Raw] = {}
        self._reports: list[TaskReport] = []

    def add_report(self, report: TaskReport) -> bool:
        """Add a report; return whether nothing was waiting before."""
        with self._lock:
            self._reports.append(report)
            if len(self._reports) > _MERGE_ABOVE and len(self._reports) % _MERGE_ABOVE == 1:
                self._reports = merge(self._reports)
            return len(self._reports) == 1 and not self._checkpoints

    def add_checkpoint(self, key: str, value: msgspec.Raw) -> bool:
        """Add a checkpoint; return whether nothing was waiting before."""
        with self._lock:
            self._checkpoints[key] = value
            return len(self._checkpoints) == 1 and not self._reports

    def take(self) -> tuple[dict[str, msgspec.Raw], list[TaskReport]]:
        """Take all checkpoints and reports. Checkpoints go first, so that no later report overtakes one."""
        with self._lock:
            checkpoints, self._checkpoints = self._checkpoints, {}
            reports, self._reports = self._reports, []
        return checkpoints, reports
