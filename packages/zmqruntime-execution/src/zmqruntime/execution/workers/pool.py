"""The pool of a server's workers, which run one execution at a time and are replaced when they end."""

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
    """No process can be started with the environment of a submission; the message says why."""


class PoolListener(Protocol):
    """The owner of the pool; called on the loop's thread."""

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """Called when a running task sent reports."""

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """Called when a running task wants to keep a value."""

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """Called when a task has ended; its worker is idle again."""

    def on_not_run(self, execution_id: str, reason: str) -> None:
        """Called when a worker did not start the execution assigned to it, so that another worker has to run it."""

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """Called when a worker process ended while running a task."""

    def on_worker_ready(self) -> None:
        """Called when a worker is ready for an execution."""

    def on_worker_failed(self, environment: TaskEnvironment | None, reason: str) -> None:
        """Called when no worker can be started for an environment, and trying again would not help."""


class WorkerKind(enum.Enum):
    """What a server's tasks run in."""

    PROCESS = "process"
    """One process per worker: a task cannot affect the server, and a forced cancel kills the process."""
    THREAD = "thread"
    """One thread of the server's process per worker: nothing is loaded twice, and nothing can be killed."""


class WorkerState(enum.Enum):
    """The state of a worker."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    ENDED = "ended"


class WorkerHandle(abc.ABC):
    """The server's handle of one worker; on the loop's thread only."""

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
        """Reserve it for an execution, which is assigned as soon as its new state is on disk."""
        self.state, self.execution_id = WorkerState.BUSY, execution_id
        self._is_assigned = False

    def release(self) -> None:
        """Make it idle again."""
        self.state, self.execution_id = WorkerState.IDLE, None
        self._is_assigned = False
        self._early_cancels.clear()

    def assign(self, assign: Assign) -> None:
        """Run the execution it was reserved for."""
        self._is_assigned, self._attempt = True, assign.attempt
        self._give(assign)
        early, self._early_cancels = self._early_cancels, []
        for axis_id in early:
            self._pass_on(axis_id)

    def cancel(self, axis_id: str | None) -> None:
        """Pass a cancel request on to the task, even if it has not been assigned yet."""
        if self._is_assigned:
            self._pass_on(axis_id)
        else:
            self._early_cancels.append(axis_id)

    @property
    def pid(self) -> int | None:
        """Id of its process; None if it runs in the server's process."""
        return None

    @property
    def gave_up(self) -> bool:
        """Whether it ended on its own, without being killed."""
        return False

    @abc.abstractmethod
    def pause(self) -> None:
        """Stop receiving its messages, so that they wait, and progress is merged, on the worker's side."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Receive its messages again."""

    @abc.abstractmethod
    def kill(self) -> None:
        """Kill its task, if that is possible; in any case the execution does not succeed any more."""

    @abc.abstractmethod
    def end(self) -> None:
        """Start ending the worker: an idle one cleanly, a busy one together with its task."""

    @abc.abstractmethod
    def join(self) -> None:
        """Wait until it has ended after :meth:`end`, and release its resources."""

    @abc.abstractmethod
    def _give(self, assign: Assign) -> None:
        """Send an assignment."""

    @abc.abstractmethod
    def _pass_on(self, axis_id: str | None) -> None:
        """Ask the task, or one axis of it, to stop."""

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
    """Maintains ``size`` workers; all calls on the loop's thread.

    If a worker cannot be started, the pool keeps trying, with increasing pauses.

    Args:
        loop: Loop of the server.
        start: Starts one worker of a pool with an environment; None for the server's own. Raises ``OSError`` if that
            is not possible at the moment, and ``BadEnvironmentError`` if it never is.
        size: Number of workers.

    Attributes:
        listener: Receives the messages of the workers; set it before :meth:`fill`.
        trouble: Why workers are missing, as text; empty if none are.
        strays: Number of dropped messages that were not about the execution assigned to their worker.
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
        """Start missing workers."""
        self._retry = None
        while len(self._workers) < self.size and not self._closing and self._retry is None:
            self._start_one(self._next_environment)

    def prepare(self, wanted: list[TaskEnvironment | None]) -> None:
        """Replace idle workers so that there are workers with these environments, which are needed next."""
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
        """End an idle worker and start another one."""
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
        """Return an idle worker with this environment, or None."""
        for worker in self._workers:
            if worker.state is WorkerState.IDLE and worker.environment == environment:
                return worker
        return None

    def running(self, execution_id: str) -> WorkerHandle | None:
        """Return the worker that is running the execution, or None."""
        return next((worker for worker in self._workers if worker.execution_id == execution_id), None)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in [*self._workers, *self._leaving] if worker.pid is not None]

    def pause(self) -> None:
        """Stop receiving messages from the workers."""
        for worker in self._workers:
            worker.pause()

    def resume(self) -> None:
        """Receive messages from the workers again."""
        for worker in self._workers:
            worker.resume()

    def __len__(self) -> int:
        return len(self._workers)

    def forget(self, worker: WorkerHandle, how: str) -> None:
        """Report that a worker has ended or was killed, and start another one."""
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
        """Note that a worker is ready."""
        self._backoff.reset()
        self.trouble = ""
        self.listener.on_worker_ready()

    def note_stray(self, execution_id: str) -> None:
        """Note that a worker sent a message about an execution that it is not running."""
        self.strays += 1
        _log.warning("dropped a message of a worker about execution %r, which it is not running", execution_id)

    def _start_one(self, environment: TaskEnvironment | None) -> None:
        try:
            self._workers.append(self._start(self, environment))
        except BadEnvironmentError as error:
            self._next_environment = None
            self._retry = self.loop.call_later(0, self.fill)
            self.listener.on_worker_failed(environment, str(error))
        except OSError as error:
            self._next_environment = environment
            self._try_again(f"cannot start a worker process: {error.strerror or error}")

    def _on_failed_start(self, worker: WorkerHandle, how: str) -> None:
        """Try again, and fail an execution if the worker gave a reason or repeatedly fails in a task's environment."""
        is_hopeless = worker.environment is not None and self._backoff.count + 1 >= _FAILED_STARTS and worker.gave_up
        self._next_environment = worker.environment
        self._try_again(f"the worker process {how} while it was starting")
        if worker.failure is not None or is_hopeless:
            self._next_environment = None
            self.listener.on_worker_failed(worker.environment, worker.failure or self.trouble)

    def _try_again(self, trouble: str) -> None:
        self._backoff.note()
        self.trouble = trouble
        _log.error("%s; trying again", trouble)
        if self._retry is not None:
            self._retry.cancel()
        self._retry = self.loop.call_later(self._backoff.pause, self.fill)

    def close(self) -> None:
        """End all workers with their tasks, idle ones cleanly, and wait for them."""
        self._closing = True
        for worker in self._workers:
            worker.end()
        for worker in [*self._workers, *self._leaving]:
            with contextlib.suppress(OSError):
                worker.join()
        self._workers, self._leaving = [], []
