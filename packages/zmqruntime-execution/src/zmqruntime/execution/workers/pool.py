"""The workers of a server: started, given one execution each, replaced when they end."""

import abc
import contextlib
import enum
import logging
from collections.abc import Callable
from typing import Protocol

from zmqruntime.backoff import Backoff
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.events.worker_messages import (
    Assign,
    Finished,
    FromWorker,
    KeepCheckpoint,
    NotRun,
    Ready,
    TaskReportsRaw,
)
from zmqruntime.loop import SocketLoop, Timer

__all__ = ["BadEnvironmentError", "PoolListener", "WorkerHandle", "WorkerKind", "WorkerPool", "WorkerState"]

_log = logging.getLogger(__name__)

_FAILED_STARTS = 3
_RESTART_PAUSES = (0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.0)


class BadEnvironmentError(Exception):
    """No process can be started with the environment of a submission; the text says why."""


class PoolListener(Protocol):
    """Who owns the pool; called on the loop's thread."""

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """A running task said something."""

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """A running task wants a value kept."""

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """A task ended; its worker is idle again."""

    def on_not_run(self, execution_id: str, reason: str) -> None:
        """A worker that was given an execution has not begun it, and another one has to."""

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """A worker process ended under a task."""

    def on_worker_ready(self) -> None:
        """A worker can be given an execution."""

    def on_worker_failed(self, environment: TaskEnvironment | None, reason: str) -> None:
        """A worker process of an environment cannot be made ready, and trying again would not help."""


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

    def __init__(self, pool: "WorkerPool", environment: TaskEnvironment | None) -> None:
        self.environment = environment
        self.state = WorkerState.STARTING
        self.execution_id: str | None = None
        self.failure: str | None = None
        self._pool = pool
        self._is_assigned = False
        self._attempt = 0
        self._early_cancels: list[str | None] = []

    def reserve(self, execution_id: str) -> None:
        """Keep it for an execution that will be assigned as soon as that is on disk."""
        self.state, self.execution_id = WorkerState.BUSY, execution_id
        self._is_assigned = False

    def release(self) -> None:
        """It will not be assigned after all."""
        self.state, self.execution_id = WorkerState.IDLE, None
        self._is_assigned = False
        self._early_cancels.clear()

    def assign(self, assign: Assign) -> None:
        """Let it run the execution that it was reserved for."""
        self._is_assigned, self._attempt = True, assign.attempt
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

    @property
    def pid(self) -> int | None:
        """Of its process, if it has one of its own."""
        return None

    @property
    def gave_up(self) -> bool:
        """Whether it ended by itself, and was not killed."""
        return False

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
        if isinstance(message, Ready):
            self._hear_ready(message)
        elif not self._is_assigned or (message.execution_id, message.attempt) != (self.execution_id, self._attempt):
            self._pool.note_stray(message.execution_id)
        else:
            self._hear_of_task(message)

    def _hear_ready(self, ready: Ready) -> None:
        self.failure = ready.error
        if ready.error is None and self.state is WorkerState.STARTING:
            self.state = WorkerState.IDLE
            self._pool.note_ready(self)

    def _hear_of_task(self, message: TaskReportsRaw | KeepCheckpoint | Finished | NotRun) -> None:
        listener, execution_id = self._pool.listener, message.execution_id
        match message:
            case TaskReportsRaw() as reports:
                listener.on_reports(execution_id, reports)
            case KeepCheckpoint() as checkpoint:
                listener.on_checkpoint(execution_id, checkpoint)
            case Finished() as finished:
                self.release()
                if finished.unclean is not None:
                    self._pool.replace(self, self.environment)
                listener.on_finished(execution_id, finished)
            case NotRun(reason=reason):
                self.release()
                self._pool.replace(self, self.environment)
                listener.on_not_run(execution_id, reason)


class WorkerPool:
    """Keeps ``size`` workers; all calls on the loop's thread.

    A worker that cannot be started is tried again, ever less often and for as long as it takes.

    Args:
        loop: the server's.
        start: starts one worker of a pool with an environment, or the server's own; raises OSError if it cannot now,
            and BadEnvironmentError if it never can.
        size: how many.

    Attributes:
        listener: hears what the workers say; set it before :meth:`fill`.
        trouble: why workers are missing, in words; empty while none are.
        strays: how many messages were dropped since they were not of the execution that their worker had.
    """

    def __init__(
        self, loop: SocketLoop, start: Callable[["WorkerPool", TaskEnvironment | None], WorkerHandle], size: int
    ) -> None:
        self.loop = loop
        self.listener: PoolListener
        self.size = size
        self.trouble = ""
        self.strays = 0
        self._start = start
        self._workers: list[WorkerHandle] = []
        self._leaving: list[WorkerHandle] = []
        self._closing = False
        self._backoff = Backoff(_RESTART_PAUSES)
        self._retry: Timer | None = None
        self._next_environment: TaskEnvironment | None = None

    def fill(self) -> None:
        """Start the workers that are missing."""
        self._retry = None
        while len(self._workers) < self.size and not self._closing and self._retry is None:
            self._start_one(self._next_environment)

    def prepare(self, wanted: list[TaskEnvironment | None]) -> None:
        """Let there be workers of these environments, the next ones to be used, in place of others that do nothing."""
        spare = [worker for worker in self._workers if worker.state in (WorkerState.IDLE, WorkerState.STARTING)]
        missing: list[TaskEnvironment | None] = []
        for environment in wanted[: len(spare)]:
            fitting = next((worker for worker in spare if worker.environment == environment), None)
            if fitting is None:
                missing.append(environment)
            else:
                spare.remove(fitting)
        for environment, worker in zip(missing, spare, strict=False):
            self.replace(worker, environment)
        if wanted:
            self._next_environment = wanted[0]

    def replace(self, worker: WorkerHandle, environment: TaskEnvironment | None) -> None:
        """End a worker that has nothing to do, and start another."""
        if worker not in self._workers or self._closing:
            return
        self._workers.remove(worker)
        self._leaving.append(worker)
        worker.end()
        worker.state = WorkerState.ENDED
        if self._retry is None:
            self._start_one(environment)
        else:
            self._next_environment = environment

    def idle(self, environment: TaskEnvironment | None) -> WorkerHandle | None:
        """A worker of that environment that can be given an execution."""
        for worker in self._workers:
            if worker.state is WorkerState.IDLE and worker.environment == environment:
                return worker
        return None

    def running(self, execution_id: str) -> WorkerHandle | None:
        """The worker that runs the execution."""
        return next((worker for worker in self._workers if worker.execution_id == execution_id), None)

    @property
    def pids(self) -> list[int]:
        """The processes of the workers."""
        return [worker.pid for worker in [*self._workers, *self._leaving] if worker.pid is not None]

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
        if worker in self._leaving:
            self._leaving.remove(worker)
            return
        self._workers.remove(worker)
        state, worker.state = worker.state, WorkerState.ENDED
        if self._closing:
            return
        if state is WorkerState.STARTING:
            self._on_failed_start(worker, how)
            return
        self._next_environment = worker.environment
        try:
            if worker.execution_id is not None:
                self.listener.on_worker_lost(worker.execution_id, how)
        finally:
            if self._retry is None:
                self.fill()

    def note_ready(self, worker: WorkerHandle) -> None:
        """A worker has loaded all that it needs."""
        self._backoff.reset()
        self.trouble = ""
        self.listener.on_worker_ready()

    def note_stray(self, execution_id: str) -> None:
        """A worker spoke of an execution that it does not have."""
        self.strays += 1
        _log.warning("a worker spoke of %s, which it does not run; that was dropped", execution_id or "no execution")

    def _start_one(self, environment: TaskEnvironment | None) -> None:
        try:
            self._workers.append(self._start(self, environment))
        except BadEnvironmentError as error:
            self._next_environment = None
            self._retry = self.loop.call_later(0, self.fill)
            self.listener.on_worker_failed(environment, str(error))
        except OSError as error:
            self._next_environment = environment
            self._try_again(f"a worker process cannot be started: {error.strerror or error}")

    def _on_failed_start(self, worker: WorkerHandle, how: str) -> None:
        """What says why it cannot load is worth an execution, and so is what cannot begin in its own environment."""
        is_hopeless = worker.environment is not None and self._backoff.count + 1 >= _FAILED_STARTS and worker.gave_up
        self._next_environment = worker.environment
        self._try_again(f"the worker process {how} while it was starting")
        if worker.failure is not None or is_hopeless:
            self._next_environment = None
            self.listener.on_worker_failed(worker.environment, worker.failure or self.trouble)

    def _try_again(self, trouble: str) -> None:
        self._backoff.note()
        self.trouble = trouble
        _log.error("%s; tried again", trouble)
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self.loop.call_later(self._backoff.pause, self.fill)

    def close(self) -> None:
        """End all workers with what they run, idle ones in good order, and wait for them."""
        self._closing = True
        for worker in self._workers:
            worker.end()
        for worker in [*self._workers, *self._leaving]:
            with contextlib.suppress(OSError):
                worker.join()
        self._workers, self._leaving = [], []
