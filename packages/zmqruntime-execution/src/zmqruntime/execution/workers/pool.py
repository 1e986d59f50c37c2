"""The pool of a server's workers, which run one execution after the other and are replaced when they end."""

import abc
import contextlib
import enum
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
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

    def on_begun(self, execution_id: str) -> None:
        """Called when a worker has gone on with an execution that it was handed ahead."""

    def on_given_back(self, execution_ids: list[str]) -> None:
        """Called with executions that were handed ahead to a worker, in order, and that it will not run."""

    def on_not_begun(self, execution_id: str, how: str | None) -> None:
        """Called when the execution assigned to a worker was taken back, because it ended in that way or waits."""

    def on_worker_gone(self, pid: int) -> None:
        """Called when a worker process has ended, after what it means for executions."""

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


@dataclass(slots=True, eq=False)
class Ahead:
    """An execution that a worker goes on with when those before it have ended."""

    execution_id: str
    attempt: int
    packet: bytes = b""
    """What was sent; empty before that, when its hand-over is not on disk yet."""


class WorkerHandle(abc.ABC):
    """The server's handle of one worker; on the loop's thread only.

    Attributes:
        execution_id: The execution that it is running, or about to; None if it is idle.
        ahead: What it goes on with, in order.
        takes_ahead: Whether anything can be handed to it ahead.
        busy_since: When it began the execution, as far as the server knows, by the monotonic clock.
    """

    def __init__(self, pool: "WorkerPool", environment: TaskEnvironment | None) -> None:
        self.environment = environment
        self.state = WorkerState.STARTING
        self.execution_id: str | None = None
        self.failure: str | None = None
        self.ahead: deque[Ahead] = deque()
        self.takes_ahead = False
        self.busy_since = 0.0
        self._pool = pool
        self._is_assigned = False
        self._attempt = 0
        self._packet = b""
        self._early_cancels: list[str | None] = []

    def reserve(self, execution_id: str) -> None:
        """Reserve it for an execution, which is assigned as soon as its new state is on disk."""
        self.state, self.execution_id = WorkerState.BUSY, execution_id
        self._is_assigned = False
        self.busy_since = time.monotonic()

    def release(self) -> None:
        """Make it idle again."""
        self.state, self.execution_id = WorkerState.IDLE, None
        self._is_assigned, self._packet = False, b""
        self._early_cancels.clear()

    def assign(self, assign: Assign) -> None:
        """Run the execution it was reserved for."""
        self._is_assigned, self._attempt = True, assign.attempt
        self._packet = self._give(assign)
        early, self._early_cancels = self._early_cancels, []
        for axis_id in early:
            self._pass_on(axis_id)

    def hand_ahead(self, entry: Ahead, assign: Assign) -> bool:
        """Send what was added to :attr:`ahead`; return False if there is no room for it."""
        if entry not in self.ahead:
            return True
        packet = self._give_ahead(assign)
        entry.packet = packet or b""
        return packet is not None

    def give_back(self) -> None:
        """Take back what it was handed and has not begun, and pass that on to the listener."""
        listener, head, packet = self._pool.listener, self.execution_id, self._packet
        if not self._take_back():
            return
        if not self.ahead:  # it has nothing else, so it keeps what it is about to begin
            self._put_back(packet)
            return
        following = self._go_on()
        if head is not None:
            listener.on_not_begun(head, None)
        if following is not None:
            listener.on_begun(following)

    def _take_back(self) -> bool:
        """Take back what it has not begun; return whether the execution itself is among that.

        The worker may take packets meanwhile, so those that are missing can be any. What is left in :attr:`ahead` it
        has begun without having been heard yet.
        """
        unbegun = set(self._recall())
        back = [entry.execution_id for entry in self.ahead if not entry.packet or entry.packet in unbegun]
        self.ahead = deque(entry for entry in self.ahead if entry.packet and entry.packet not in unbegun)
        if back:
            self._pool.listener.on_given_back(back)
        return self._packet in unbegun

    def hear_all(self) -> None:  # noqa: B027 - of a worker to which nothing is handed ahead, nothing is needed
        """Handle the messages that have arrived from it."""

    def cancel(self, axis_id: str | None) -> None:
        """Pass a cancel request on to the task, even if it has not been assigned yet."""
        if self._is_assigned:
            self._pass_on(axis_id)
        else:
            self._early_cancels.append(axis_id)

    @property
    def may_go_on(self) -> bool:
        """Whether something can be handed to it ahead of the end of what it is running."""
        return self.takes_ahead and not (self._is_assigned and not self._packet)

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
    def _give(self, assign: Assign) -> bytes:
        """Send an assignment; return it encoded if it can be taken back, which may be followed by others ahead."""

    def _give_ahead(self, assign: Assign) -> bytes | None:
        """Send an assignment to go on with and return it encoded; None if there is no room."""
        raise NotImplementedError

    def _recall(self) -> list[bytes]:
        """Take back all that it has been sent and has not begun."""
        return []

    def _put_back(self, packet: bytes) -> None:
        """Send again what was taken back."""
        raise NotImplementedError

    @abc.abstractmethod
    def _pass_on(self, axis_id: str | None) -> None:
        """Ask the task, or one axis of it, to stop."""

    def tell_end(self, how: str) -> None:
        """Tell the listener what its end means for the executions that it had."""
        listener, is_back = self._pool.listener, self._take_back()
        if self.execution_id is not None and is_back:
            listener.on_not_begun(self.execution_id, how)
        elif self.execution_id is not None:
            listener.on_worker_lost(self.execution_id, how)
        for entry in self.ahead:  # begun, and ended with it
            listener.on_begun(entry.execution_id)
            listener.on_worker_lost(entry.execution_id, how)
        self.ahead.clear()

    def _hear(self, message: FromWorker) -> None:
        if isinstance(message, Ready):
            self._hear_ready(message)
        elif not self._is_assigned or (message.execution_id, message.attempt) != (self.execution_id, self._attempt):
            self._pool.note_stray(message.execution_id)
        else:
            self._hear_of_task(message)

    def _hear_ready(self, ready: Ready) -> None:
        self.failure = ready.error
        self.takes_ahead = ready.takes_ahead
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
            case Finished(unclean=None) as finished:
                following = self._go_on()
                listener.on_finished(execution_id, finished)
                if following is not None:
                    listener.on_begun(following)
            case Finished() as finished:
                self._retire()
                listener.on_finished(execution_id, finished)
            case NotRun(reason=reason):
                self._retire()
                listener.on_not_run(execution_id, reason)

    def _go_on(self) -> str | None:
        """Note that it goes on with what it was handed ahead, if there is something; return that."""
        self.release()
        if not self.ahead or not self.ahead[0].packet:
            return None
        entry = self.ahead.popleft()
        self.reserve(entry.execution_id)
        self._is_assigned, self._attempt, self._packet = True, entry.attempt, entry.packet
        return entry.execution_id

    def _retire(self) -> None:
        """Note that it runs nothing more, and replace it."""
        self.give_back()
        self.release()
        self._pool.replace(self, self.environment)


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
            if worker.state is WorkerState.IDLE and not worker.ahead and worker.environment == environment:
                return worker
        return None

    def with_room(self, environment: TaskEnvironment | None, room: int, since: float) -> WorkerHandle | None:
        """Return a worker with this environment to hand something to ahead, or None.

        Args:
            environment: Environment of the process.
            room: How many executions can wait for it.
            since: Time of the monotonic clock after which it has to have begun what it is running.
        """
        found: WorkerHandle | None = None
        for worker in self._workers:
            if (
                worker.state is WorkerState.BUSY
                and worker.may_go_on
                and len(worker.ahead) < room
                and worker.busy_since > since
                and worker.environment == environment
            ):
                found, room = worker, len(worker.ahead)
        return found

    def room(self, each: int) -> int:
        """Return how many executions all workers can take, with ``each`` ahead at those that can go on."""
        idle = sum(worker.state is WorkerState.IDLE for worker in self._workers)
        return idle + sum(max(0, each - len(worker.ahead)) for worker in self._workers if worker.may_go_on)

    @property
    def busy_ahead(self) -> list[WorkerHandle]:
        """The workers that were handed something ahead."""
        return [worker for worker in self._workers if worker.ahead]

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
            worker.tell_end(how)
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
