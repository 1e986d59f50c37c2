"""The workers of a server: started, given one execution each, replaced when they end."""

import abc
import enum
from collections.abc import Callable
from typing import Protocol

from zmqruntime.execution.worker_protocol import Assign, Finished, FromWorker, KeepCheckpoint, Ready, TaskReportsRaw
from zmqruntime.loop import SocketLoop

__all__ = ["PoolListener", "WorkerHandle", "WorkerKind", "WorkerPool", "WorkerState"]

_FAILED_STARTS = 3
_RESTART_SECONDS = 0.02
_LONGEST_RESTART_SECONDS = 10.0


class PoolListener(Protocol):
    """Who owns the pool; called on the loop's thread."""

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """A running task said something."""

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """A running task wants a value kept."""

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """A task ended; its worker is idle again."""

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """A worker process ended under a task."""

    def on_worker_ready(self) -> None:
        """A worker can be given an execution."""

    def on_worker_failed(self, reason: str) -> None:
        """A worker process could not be made ready."""


class WorkerKind(enum.Enum):
    """In what a server's tasks run."""

    PROCESS = "process"
    """A process for each worker: whatever a task does to it, the server goes on, and a forced cancel kills it."""
    THREAD = "thread"
    """A thread of the server's process for each worker: nothing has to be loaded twice, and nothing can be killed."""


class WorkerState(enum.Enum):
    """What a worker is doing."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ENDED = "ended"


class WorkerHandle(abc.ABC):
    """One worker as its server sees it; on the loop's thread only."""

    def __init__(self, pool: "WorkerPool") -> None:
        self.state = WorkerState.STARTING
        self.execution_id: str | None = None
        self.failure: str | None = None
        self._pool = pool
        self._is_assigned = False
        self._early_cancels: list[str | None] = []

    def reserve(self, execution_id: str) -> None:
        """Keep it for an execution that will be assigned as soon as that is on disk."""
        self.state, self.execution_id = WorkerState.BUSY, execution_id
        self._is_assigned = False

    def release(self) -> None:
        """It will not be assigned after all."""
        self.state, self.execution_id = WorkerState.IDLE, None
        self._early_cancels.clear()

    def assign(self, assign: Assign) -> None:
        """Let it run the execution that it was reserved for."""
        self._is_assigned = True
        self._give(assign)
        early, self._early_cancels = self._early_cancels, []
        for axis_id in early:
            self._pass_on(axis_id)

    def cancel(self, axis_id: str | None) -> None:
        """Pass a wish to stop on to the task, also to one that has still to be assigned."""
        if self._is_assigned:
            self._pass_on(axis_id)
        else:
            self._early_cancels.append(axis_id)

    @abc.abstractmethod
    def pause(self) -> None:
        """Leave what it says where it is, so that it waits, and merges progress, on its own side."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Listen again."""

    @abc.abstractmethod
    def kill(self) -> None:
        """End what it runs at once, if that is possible; whatever it does then, its execution does not succeed."""

    @abc.abstractmethod
    def end(self) -> None:
        """Begin to end the worker: an idle one in good order, with what it runs otherwise."""

    @abc.abstractmethod
    def join(self) -> None:
        """Wait until it has ended, after :meth:`end`, and release what is ours of it."""

    @abc.abstractmethod
    def _give(self, assign: Assign) -> None:
        """Hand over what to run."""

    @abc.abstractmethod
    def _pass_on(self, axis_id: str | None) -> None:
        """Tell the task that it, or one axis of it, is to stop."""

    def _hear(self, message: FromWorker) -> None:
        listener, execution_id = self._pool.listener, self.execution_id or ""
        match message:
            case Ready(error=error):
                self.failure = error
                if error is None:
                    self.state = WorkerState.IDLE
                    self._pool.note_ready()
            case TaskReportsRaw() as reports:
                listener.on_reports(execution_id, reports)
            case KeepCheckpoint() as checkpoint:
                listener.on_checkpoint(execution_id, checkpoint)
            case Finished() as finished:
                self.release()
                listener.on_finished(execution_id, finished)


class WorkerPool:
    """Keeps ``size`` workers; all calls on the loop's thread.

    Args:
        loop: the server's.
        start: starts one worker of a pool.
        size: how many.

    Attributes:
        listener: hears what the workers say; set it before :meth:`fill`.
    """

    def __init__(self, loop: SocketLoop, start: Callable[["WorkerPool"], WorkerHandle], size: int) -> None:
        self.loop = loop
        self.listener: PoolListener
        self._start = start
        self._size = size
        self._workers: list[WorkerHandle] = []
        self._closing = False
        self._failed_starts = 0

    def fill(self) -> None:
        """Start the workers that are missing."""
        while len(self._workers) < self._size and not self._closing:
            self._workers.append(self._start(self))

    def idle(self) -> WorkerHandle | None:
        """A worker that can be given an execution."""
        return next((worker for worker in self._workers if worker.state is WorkerState.IDLE), None)

    def running(self, execution_id: str) -> WorkerHandle | None:
        """The worker that runs the execution."""
        return next((worker for worker in self._workers if worker.execution_id == execution_id), None)

    def pause(self) -> None:
        """Do not listen to the workers for a while."""
        for worker in self._workers:
            worker.pause()

    def resume(self) -> None:
        """Listen to them again."""
        for worker in self._workers:
            worker.resume()

    def __len__(self) -> int:
        return len(self._workers)

    def forget(self, worker: WorkerHandle, how: str) -> None:
        """A worker has ended by itself, or was killed: say so, and start another."""
        self._workers.remove(worker)
        state, worker.state = worker.state, WorkerState.ENDED
        if self._closing:
            return
        if state is WorkerState.STARTING:
            self._on_failed_start(worker.failure, how)
            return
        if worker.execution_id is not None:
            self.listener.on_worker_lost(worker.execution_id, how)
        self.fill()

    def note_ready(self) -> None:
        """A worker has loaded all that it needs."""
        self._failed_starts = 0
        self.listener.on_worker_ready()

    def _on_failed_start(self, failure: str | None, how: str) -> None:
        """Try again, ever less often; what says why it cannot load, or fails time after time, is worth an execution."""
        self._failed_starts += 1
        if failure is not None or self._failed_starts >= _FAILED_STARTS:
            self.listener.on_worker_failed(failure or f"the worker process {how} while it was starting")
        self.loop.call_later(min(_RESTART_SECONDS * 2.0**self._failed_starts, _LONGEST_RESTART_SECONDS), self.fill)

    def close(self) -> None:
        """End all workers with what they run, idle ones in good order, and wait for them."""
        self._closing = True
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.join()
        self._workers = []
