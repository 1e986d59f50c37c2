"""The dispatcher: chooses a worker for each execution that may start, and hands short ones over ahead."""

import functools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.events.worker_messages import Assign
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.handovers import HandedOver, Pace
from zmqruntime.execution.server.lanes import Key
from zmqruntime.execution.server.needs import NO_NEEDS
from zmqruntime.execution.server.store import Record, StoreError
from zmqruntime.execution.workers.begun import begun_dir, boot, forget_begun, notes_in, read_begun
from zmqruntime.execution.workers.pool import Ahead, WorkerHandle, WorkerPool
from zmqruntime.loop import SocketLoop, Timer
from zmqruntime.messages import PackedExecuteRequest

__all__ = ["Dispatcher", "Folders"]


class Folders(NamedTuple):
    """Where the files of executions are, and how large they may be.

    Attributes:
        server: Folder of the server.
        logs: Folder for the logs of executions.
        log_limit: Maximum size of each log in bytes.
        results: Folder for large results.
        result_limit: Maximum size of a result in bytes.
    """

    server: Path
    logs: Path
    log_limit: int
    results: Path
    result_limit: int


class Dispatcher:
    """Starts executions in their order; on the loop's thread only.

    An execution that a worker was handed ahead is queued, for the user and on disk, until that worker begins it. Until
    then it can be taken back, see :mod:`zmqruntime.execution.workers.work_queue`.

    Args:
        loop: Loop for the timer that takes executions back from workers that are not as fast as expected.
        ledger: The executions.
        pool: The workers.
        folders: Where the files of executions are.
        own_environment: Environment of workers for executions that do not ask for another one.
        on_start: Called with an execution that starts and its request.
        on_unreadable: Called with an execution whose submission cannot be read, and the reason.
    """

    def __init__(
        self,
        loop: SocketLoop,
        ledger: Ledger,
        pool: WorkerPool,
        folders: Folders,
        own_environment: TaskEnvironment | None,
        on_start: Callable[[Record, PackedExecuteRequest], None],
        on_unreadable: Callable[[Record, str], None],
    ) -> None:
        self._loop = loop
        self._ledger = ledger
        self._pool = pool
        self._folders = folders
        self._begun_dir = begun_dir(folders.server)
        self._last_notes = notes_in(self._begun_dir)
        """Those of the last server's workers: this one has none yet."""
        self._own_environment = own_environment
        self._on_start = on_start
        self._on_unreadable = on_unreadable
        self.pace = Pace()
        self._boot = boot()
        self._wave = 0
        self._ahead: dict[str, PackedExecuteRequest] = {}
        self._environments: dict[int, TaskEnvironment | None] = {}
        """Of this turn, by the number in the record."""
        self._requests: dict[str, PackedExecuteRequest | StoreError] = {}
        self._has_changed = False
        self._furthest: Key | None = None
        self._look_timer: Timer | None = None

    # --- starting ------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Reserve workers for the next executions; they start as soon as that is written to disk."""
        if not len(self._ledger.backlog) and not self._has_changed:
            return
        self._wave += 1
        self._environments.clear()
        if self._ahead and (self._ledger.paused or self._is_overtaken()):
            self.take_back_all()
        if not self._ledger.paused:
            self._start_next()
            following = self._ledger.backlog.next_ones(self._pool.size)
            self._pool.prepare([self.environment_of(self._ledger.active[each]) for each in following])
        if self._has_changed:
            self.note_ahead()

    def _start_next(self) -> None:
        admission, active = self._ledger.admission, self._ledger.active
        self._read_requests()
        while (record := admission.next_one(active.__getitem__)) is not None:
            environment = self.environment_of(record)
            if (worker := self._pool.idle(environment)) is not None:
                self._hand_to(worker, record)
            elif (worker := self._with_room(record, environment)) is not None:
                self._hand_ahead_to(worker, record)
            else:
                break
        self._requests.clear()

    def _read_requests(self) -> None:
        """Read the submissions of those that are likely to start now, all at once."""
        ids = self._ledger.backlog.next_ones(self._pool.size)
        if not ids:
            return
        records = self._ledger.active
        room = self._pool.room(self.pace.ahead(records[ids[0]].name))
        if room > 1:
            likely = [records[each] for each in self._ledger.backlog.next_ones(room)]
            self._requests = self._ledger.requests_of(likely)

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """Return the environment as the pool knows it: None for the server's own one, even if requested explicitly."""
        number = record.environment
        if number is None:
            return None
        if number not in self._environments:
            self._environments[number] = self._find_environment(record)
        return self._environments[number]

    def _find_environment(self, record: Record) -> TaskEnvironment | None:
        try:
            environment = self._ledger.environment_of(record)
        except StoreError:  # reported when it is assigned to a worker
            return None
        if environment is None or environment != self._own_environment:
            return environment
        return None if os.path.isdir(environment.folder) else environment

    def _hand_to(self, worker: WorkerHandle, record: Record) -> None:
        assign = self._assignment(record, record.attempts + 1)
        if assign is None:
            return
        worker.reserve(record.execution_id)
        self._on_start(record, assign.request)
        self._ledger.after_commit(record.execution_id, functools.partial(worker.assign, assign))

    def _assignment(self, record: Record, attempt: int) -> Assign | None:
        """Return what to send to a worker; None if it cannot be read, which ends the execution."""
        try:
            request = self._requests.get(record.execution_id) or self._ledger.assignment(record)[0]
            if isinstance(request, StoreError):
                raise request
            checkpoints = self._ledger.checkpoints_of(record)
        except StoreError as error:
            self._on_unreadable(record, str(error))
            return None
        folders, execution_id = self._folders, record.execution_id
        return Assign(
            request=request,
            number=record.number,
            attempt=attempt,
            wave=self._wave,
            checkpoints=checkpoints,
            progress_count=record.progress_count,
            log_count=record.log_count,
            log_path=f"{folders.logs}/{execution_id}.log",
            log_limit=folders.log_limit,
            result_path=f"{folders.results}/{execution_id}.result",
            result_limit=folders.result_limit,
        )

    # --- ahead ---------------------------------------------------------------------------------------------------

    def begin(self, record: Record) -> None:
        """Start an execution that was handed ahead, because its worker has gone on with it."""
        self._on_start(record, self._ahead.pop(record.execution_id))

    def give_back(self, execution_ids: list[str]) -> None:
        """Let executions wait in the queue again that were handed ahead and not begun."""
        for execution_id in execution_ids:
            if self._ahead.pop(execution_id, None) is not None:
                self._ledger.backlog.release(execution_id)
                self._has_changed = True

    def settle(self, execution_id: str) -> None:
        """Make sure that an execution is either running or waits in the queue, and is not ahead at a worker."""
        if execution_id in self._ahead:
            self.take_back_all()

    def take_back_all(self) -> None:
        """Take back all that was handed ahead and not begun, and hear what has been begun."""
        for worker in self._pool.busy_ahead:
            worker.give_back()
            worker.hear_all()

    def drop(self, execution_ids: set[str]) -> None:
        """Forget executions that could not be written, and therefore do not exist; none of them has been sent."""
        for worker in self._pool.busy_ahead:
            for entry in [each for each in worker.ahead if each.execution_id in execution_ids]:
                worker.ahead.remove(entry)
                del self._ahead[entry.execution_id]

    def _with_room(self, record: Record, environment: TaskEnvironment | None) -> WorkerHandle | None:
        """Return a worker to hand an execution to ahead; None if there is none, or if more than a worker decides."""
        if record.needs is not NO_NEEDS or record.queue in self._ledger.admission.queues:
            return None
        room = self.pace.ahead(record.name)
        since = time.monotonic() - self.pace.patience_seconds
        return self._pool.with_room(environment, room, since) if room else None

    def _hand_ahead_to(self, worker: WorkerHandle, record: Record) -> None:
        execution_id = record.execution_id
        assign = self._assignment(record, record.attempts + 1)
        if assign is None:
            return
        entry = Ahead(execution_id, assign.attempt)
        worker.ahead.append(entry)
        self._ahead[execution_id] = assign.request
        self._furthest = self._ledger.backlog.key_of(execution_id)
        self._ledger.backlog.hold(execution_id)
        self._ledger.after_commit(execution_id, functools.partial(self._send_ahead, worker, entry, assign))
        self._has_changed = True

    def _send_ahead(self, worker: WorkerHandle, entry: Ahead, assign: Assign) -> None:
        if not worker.hand_ahead(entry, assign):
            worker.ahead.remove(entry)
            self.give_back([entry.execution_id])

    def note_ahead(self) -> None:
        """Write what is ahead, so that a server that follows a power failure knows what may have been running."""
        active = self._ledger.active
        runs = [
            (active[entry.execution_id].number, entry.attempt)
            for worker in self._pool.busy_ahead
            for entry in worker.ahead
        ]
        self._has_changed = False
        self._ledger.keep_handed_over(HandedOver(boot=self._boot, runs=runs))
        if runs and self._look_timer is None:
            self._look_timer = self._loop.call_later(self.pace.patience_seconds, self._look)

    def _is_overtaken(self) -> bool:
        """Whether an execution has come that has to start before those that are ahead."""
        first = self._ledger.backlog.first_key
        return first is not None and self._furthest is not None and first < self._furthest

    def _look(self) -> None:
        """Take executions back from workers that have been busy with others for too long; other workers get them."""
        self._look_timer = None
        latest = time.monotonic() - self.pace.patience_seconds
        busy = self._pool.busy_ahead
        for worker in busy:
            if worker.busy_since <= latest:
                worker.give_back()
        if busy:
            self._look_timer = self._loop.call_later(self.pace.patience_seconds, self._look)

    # --- the end of a server -------------------------------------------------------------------------------------

    def may_have_run(self) -> set[tuple[int, int]]:
        """Return number and attempt of the executions that workers of the last server have begun, and forget those.

        After a power failure, what they have begun last is not known: then all that they were handed may have run.

        Raises:
            StoreError: That cannot be read.
        """
        handed = self._ledger.handed_over()
        found = set() if handed is None else set(handed.runs)
        if handed is not None and handed.boot == self._boot:
            try:
                found &= read_begun(self._last_notes)
            except OSError as error:
                raise StoreError(f"cannot read what was running in {self._begun_dir}: {error}") from error
        return found

    def forget_begun(self) -> None:
        """Forget what the workers of the last server have begun, once it is on disk what became of that."""
        self._ledger.after_commit("", functools.partial(forget_begun, self._last_notes))

    def forget_worker(self, pid: int) -> None:
        """The same for one worker that has ended."""
        self._ledger.after_commit("", functools.partial(forget_begun, [self._begun_dir / str(pid)]))
