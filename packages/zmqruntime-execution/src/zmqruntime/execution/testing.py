"""For tests: servers in a temporary home, and events of made-up executions; nothing at run time imports this module.

The fixtures ``task_server``, ``task_executor`` and ``inline_executor`` are in the pytest plug-in of this distribution.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psutil

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.client.client import ExecutionClient
from zmqruntime.execution.executor.executor import Executor
from zmqruntime.execution.executor.names import known_names
from zmqruntime.execution.executor.places import executors_apart, inline_executors
from zmqruntime.execution.home_keeper import HomeKeeper, processes_of
from zmqruntime.messages import (
    ExecutionSnapshot,
    ExecutionStatus,
    ProgressPhase,
    ProgressStatus,
    ProgressUpdate,
    StateChange,
)

__all__ = ["EventScript", "TaskServer", "executors_apart", "inline_executors"]

_CANCEL_SECONDS = 30.0
_HOMES = ("HOME", "USERPROFILE")
_FOLDERS = ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


class TaskServer:
    """The servers of executors in a temporary home, apart from those of the user; for a ``with`` block.

    A server is started when an executor first needs it. At the end of the block, and when this process ends in any
    other way, even by SIGKILL, all processes of the home are ended and the home is removed.

    Attributes:
        home: The temporary home.
    """

    def __init__(self) -> None:
        # Paths of sockets are limited to about 100 bytes, which the folder for temporary files may need by itself.
        self.home = Path(tempfile.mkdtemp(prefix="zrt", dir="/tmp" if os.name == "posix" else None))
        self._keeper = HomeKeeper(self.home)

    @property
    def environment(self) -> Mapping[str, str | None]:
        """The environment variables of a process in this home; None for those that must not be set."""
        return {**dict.fromkeys(_HOMES, str(self.home)), **dict.fromkeys(_FOLDERS)}

    def executor(self, name: str = "tests", **options: Any) -> Executor:
        """Return an executor; its server is started in this home if the environment is that of the home.

        Args:
            name: Name of the executor.
            options: Those of :class:`zmqruntime.execution.Executor`.
        """
        return Executor(name, **options)

    def cancel_all(self) -> None:
        """End what is running or queued on the servers of this home, and wait for the end."""
        for port in known_names(ZMQConfig()).values():
            with contextlib.suppress(ZMQRuntimeError), _Visitor(port) as client:
                client.cancel_all()

    def processes(self) -> list[psutil.Process]:
        """Return the processes whose home this is."""
        return processes_of(self.home)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._keeper.end()


class _Visitor(ExecutionClient):
    """A client that starts no server."""

    def cancel_all(self) -> None:
        """Cancel every execution that has not ended and wait for the end."""
        while active := [each for each in self.status(limit=0).executions if each.ended_at is None]:
            for each in reversed(active):
                self.cancel(each.execution_id, grace_seconds=0)
            for each in active:
                self.wait(each.execution_id, _CANCEL_SECONDS)


class EventScript:
    """Makes the events that a server would send for one execution.

    Each method appends to ``events`` and returns the script, so that calls can be chained. Time passes only in
    :meth:`wait`.

    Args:
        steps: names of the steps of each axis.
        groups: how many pattern groups each step has.
        execution_id: of the execution.
        plate_id: what it is about.
    """

    def __init__(
        self,
        steps: Sequence[str] = ("Denoise", "Segment", "Measure"),
        groups: int = 4,
        *,
        execution_id: str = "e",
        plate_id: str = "/plate",
    ) -> None:
        self.events: list[ProgressUpdate | StateChange] = []
        self.now = 1000.0
        self.snapshot: ExecutionSnapshot | None = None
        self._steps = tuple(steps)
        self._groups = groups
        self._ids = execution_id, plate_id
        self._updates = self._changes = 0
        self._place: dict[str, int] = {}
        self._started_at: float | None = None
        self._attempts = 0

    @property
    def updates(self) -> list[ProgressUpdate]:
        """The progress updates among the events."""
        return [event for event in self.events if isinstance(event, ProgressUpdate)]

    # --- the execution -------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> "EventScript":
        """Let time pass."""
        self.now += seconds
        return self

    def status(self, status: ExecutionStatus, **fields: Any) -> "EventScript":
        """The execution goes to another status; ``fields`` are of its snapshot."""
        if status is ExecutionStatus.QUEUED:
            self._started_at = None
        if status is ExecutionStatus.RUNNING:
            self._started_at = self.now
            self._attempts += 1
        execution_id, plate_id = self._ids
        times = {"submitted_at": 1000.0, "started_at": self._started_at, "attempts": self._attempts}
        snapshot = ExecutionSnapshot(execution_id=execution_id, plate_id=plate_id, status=status, **{**times, **fields})
        self._changes += 1
        self.snapshot = snapshot
        self.events.append(StateChange(sequence=self._changes, timestamp=self.now, execution=snapshot))
        return self

    def run(self) -> "EventScript":
        """It leaves the queue."""
        return self.status(ExecutionStatus.QUEUED).status(ExecutionStatus.RUNNING)

    def prepare(self, *axes: str) -> "EventScript":
        """The plate is read and checked, and its axes are announced."""
        for phase in (ProgressPhase.INIT, ProgressPhase.COMPILE):
            for status in (ProgressStatus.STARTED, ProgressStatus.COMPLETED):
                self.report("", phase, status, completed=int(status is ProgressStatus.COMPLETED), total=1)
        for axis_id in axes:
            self.report(axis_id, ProgressPhase.COMPILE, ProgressStatus.COMPLETED, completed=1, total=1)
        return self

    # --- its axes ------------------------------------------------------------------------------------------------

    def start(self, *axes: str) -> "EventScript":
        """These axes are started."""
        for axis_id in axes:
            self._place[axis_id] = 0
            self.report(axis_id, ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED)
        return self

    def work(self, axis_id: str, groups: int, *, step: int | None = None) -> "EventScript":
        """Do this many groups of a step, by default of the one that the axis is in."""
        place = self._place.get(axis_id, 0) if step is None else step
        self._place[axis_id] = place
        self.report(axis_id, ProgressPhase.STEP_STARTED, ProgressStatus.STARTED, step=place)
        for done in range(1, groups + 1):
            self.report(axis_id, ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, step=place, completed=done)
        return self

    def finish_step(self, axis_id: str) -> "EventScript":
        """Do all groups of the step that the axis is in."""
        place = self._place.get(axis_id, 0)
        self.work(axis_id, self._groups)
        self.report(axis_id, ProgressPhase.STEP_COMPLETED, ProgressStatus.COMPLETED, step=place, completed=self._groups)
        self._place[axis_id] = place + 1
        return self

    def finish(self, *axes: str) -> "EventScript":
        """Do the remaining steps of these axes."""
        for axis_id in axes:
            while self._place.get(axis_id, 0) < len(self._steps):
                self.finish_step(axis_id)
            self.end(axis_id, ProgressStatus.COMPLETED)
        return self

    def take_over(self, *axes: str) -> "EventScript":
        """These axes were done by an earlier run."""
        for axis_id in axes:
            self.end(axis_id, ProgressStatus.COMPLETED)
        return self

    def fail(self, axis_id: str, error: str, traceback: str | None = None) -> "EventScript":
        """The axis fails."""
        return self.end(axis_id, ProgressStatus.ERROR, error, traceback)

    def cancel(self, *axes: str) -> "EventScript":
        """These axes are cancelled."""
        for axis_id in axes:
            self.end(axis_id, ProgressStatus.CANCELLED)
        return self

    def end(
        self, axis_id: str, status: ProgressStatus, error: str | None = None, traceback: str | None = None
    ) -> "EventScript":
        """The axis ends with this status."""
        step = min(self._place.get(axis_id, 0), len(self._steps) - 1)
        return self.report(axis_id, ProgressPhase.AXIS_COMPLETED, status, step=step, error=error, traceback=traceback)

    def report(
        self,
        axis_id: str,
        phase: ProgressPhase,
        status: ProgressStatus,
        *,
        step: int = 0,
        completed: int = 0,
        total: int | None = None,
        error: str | None = None,
        traceback: str | None = None,
    ) -> "EventScript":
        """Any update; ``total`` is the number of groups of a step by default."""
        of = self._groups if total is None else total
        self._updates += 1
        self.events.append(
            ProgressUpdate(
                execution_id=self._ids[0],
                plate_id=self._ids[1],
                axis_id=axis_id,
                step_name=self._steps[min(step, len(self._steps) - 1)],
                step_index=step,
                total_steps=len(self._steps),
                phase=phase,
                status=status,
                completed=completed,
                total=of,
                percent=100.0 * completed / of if of else 0.0,
                timestamp=self.now,
                sequence=self._updates,
                error=error,
                traceback=traceback,
            )
        )
        return self
