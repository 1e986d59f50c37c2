"""The scheduler: assigns queued executions to workers, and makes sure that each one ends once and in time."""

import logging
import time
from collections import Counter
from collections.abc import Callable

from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.events.worker_messages import (
    NOTHING,
    Finished,
    KeepCheckpoint,
    Outcome,
    TaskReportsRaw,
)
from zmqruntime.execution.lifecycle import OVERDUE
from zmqruntime.execution.server.dispatch import Dispatcher, Folders
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.store import Record
from zmqruntime.execution.server.timers import ExecutionTimers
from zmqruntime.execution.tracing import RunTraces
from zmqruntime.execution.workers.pool import WorkerPool
from zmqruntime.loop import SocketLoop
from zmqruntime.messages import ExecutionStatus, PackedExecuteRequest

__all__ = ["Runner"]

_log = logging.getLogger(__name__)

_LONGEST_RETRY_SECONDS = 3600.0
_POISON_DEATHS = 3
_MOST_DECLINED = 5
_DOOMED_AT_ONCE = 500

_ENDINGS = {
    Outcome.COMPLETE: ExecutionStatus.COMPLETE,
    Outcome.FAILED: ExecutionStatus.FAILED,
    Outcome.CANCELLED: ExecutionStatus.CANCELLED,
}


class Runner:
    """Connects the ledger and the workers; on the loop's thread only.

    Args:
        loop: Loop for time limits, graces and pauses before retries.
        ledger: The executions.
        pool: The workers; their messages are passed to this object.
        on_ended: Called for each execution that has ended.
        own_environment: Environment of workers for executions that do not ask for another one.
        folders: Where the files of executions are.
        reruns_lost: Whether a resumable execution is run again after its worker process has died.

    Attributes:
        dispatcher: Chooses the workers.
    """

    def __init__(
        self,
        loop: SocketLoop,
        ledger: Ledger,
        pool: WorkerPool,
        on_ended: Callable[[], None],
        *,
        own_environment: TaskEnvironment | None,
        folders: Folders,
        reruns_lost: bool = False,
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._on_ended = on_ended
        self.dispatcher = Dispatcher(loop, ledger, pool, folders, own_environment, self._on_start, self._on_unreadable)
        self._loop = loop
        self._reruns_lost = reruns_lost
        self._timers = ExecutionTimers(loop)
        ledger.admission.loop = loop
        self._overdue: dict[str, str] = {}
        self._killed: dict[str, str] = {}
        self._declined: Counter[str] = Counter()
        self._traces = RunTraces()
        self._is_closing = False
        pool.listener = self

    @property
    def worker_count(self) -> int:
        """Number of workers."""
        return len(self._pool)

    @property
    def trouble(self) -> str:
        """Why workers are missing, as text; empty if none are."""
        return self._pool.trouble

    def pause(self) -> None:
        """Leave messages from workers in their pipes."""
        self._pool.pause()

    def resume(self) -> None:
        """Receive messages from workers again."""
        self._pool.resume()

    # --- starting ------------------------------------------------------------------------------------------------

    def take_over(self) -> None:
        """Continue with the open executions of the previous run of the server."""
        may_have_run = self.dispatcher.may_have_run()
        self.dispatcher.forget_begun()
        for record in self._ledger.take_over():
            if (record.number, record.attempts + 1) in may_have_run and record.status is ExecutionStatus.QUEUED:
                self._ledger.set_status(record, ExecutionStatus.RUNNING)
            if record.status is ExecutionStatus.QUEUED:
                self._enqueue_when_due(record)
            elif record.status is ExecutionStatus.CANCELLING:
                self._ledger.set_status(record, ExecutionStatus.CANCELLED)
            else:
                record.worker_deaths += 1
                self._interrupt(record, "the server ended while the execution was running")
                if record.resumable and self._is_poison(record):
                    self._ledger.set_status(record, ExecutionStatus.FAILED)
                elif record.resumable:
                    self._ledger.set_status(record, ExecutionStatus.QUEUED)
                    self._ledger.enqueue(record)

    def dispatch(self) -> None:
        """Reserve workers for the next executions; they start as soon as that is written to disk."""
        self._fail_doomed()
        self.dispatcher.dispatch()

    def _fail_doomed(self) -> None:
        """Fail some of the executions whose dependency did not complete; the next turn continues."""
        dependencies = self._ledger.admission.dependencies
        for execution_id, reason in dependencies.take_doomed(_DOOMED_AT_ONCE):
            record = self._ledger.active.get(execution_id)
            if record is not None and record.status is ExecutionStatus.QUEUED:
                self._timers.cancel(execution_id)
                record.error = reason
                self._ledger.set_status(record, ExecutionStatus.FAILED)
                self._on_ended()
        if dependencies.has_doomed:
            self._loop.call_soon(lambda: None)

    def _on_start(self, record: Record, request: PackedExecuteRequest) -> None:
        self._ledger.set_status(record, ExecutionStatus.RUNNING)
        self._traces.on_start(request, record.submitted_at, record.attempts)
        self._start_limits(record)

    def _on_unreadable(self, record: Record, reason: str) -> None:
        record.error = reason
        self._ledger.set_status(record, ExecutionStatus.FAILED)
        self._on_ended()

    def take_back(self, execution_ids: set[str]) -> None:
        """Release the workers reserved for these executions, which could not be written and therefore do not exist."""
        self.dispatcher.drop(execution_ids)
        for execution_id in execution_ids:
            self._timers.cancel(execution_id)
            worker = self._pool.running(execution_id)
            if worker is not None:
                worker.release()

    def settle(self, execution_id: str) -> None:
        """Decide whether an execution that a worker was handed ahead is running or queued, before that is relied on."""
        self.dispatcher.settle(execution_id)

    def settle_all(self) -> None:
        """The same for all executions, before the order or the conditions of the queue change."""
        self.dispatcher.take_back_all()

    # --- cancel --------------------------------------------------------------------------------------------------

    def cancel(self, record: Record, grace_seconds: float | None) -> str:
        """Ask an execution to stop; return a text that says how it will."""
        if record.status is ExecutionStatus.QUEUED:
            self._timers.cancel(record.execution_id)
            self._ledger.set_status(record, ExecutionStatus.CANCELLED)
            return "it was still queued and will not run"
        worker = self._pool.running(record.execution_id)
        if worker is not None:
            worker.cancel(None)
        if record.status is ExecutionStatus.RUNNING:
            self._ledger.set_status(record, ExecutionStatus.CANCELLING)
        if grace_seconds is None:
            return "it will stop at its next check"
        self._timers.add(record.execution_id, grace_seconds, lambda: self._cut_off(record, grace_seconds))
        if grace_seconds == 0:
            return "its processes are being killed"
        return f"it will stop at its next check, or its processes will be killed in {grace_seconds:g} s"

    def cancel_axis(self, record: Record, axis_id: str) -> None:
        """Ask one axis of a running execution to stop."""
        worker = self._pool.running(record.execution_id)
        if worker is not None:
            worker.cancel(axis_id)

    def close(self) -> None:
        """End the workers; running executions are interrupted, and queued for the next server if they are resumable."""
        self.dispatcher.take_back_all()
        self.dispatcher.note_ahead()
        self._is_closing = True
        self._pool.close()
        for record in self._ledger.running():
            if record.status is ExecutionStatus.CANCELLING:
                self._ledger.set_status(record, ExecutionStatus.CANCELLED)
                continue
            self._interrupt(record, "the server was stopped while the execution was running")
            if record.resumable:
                self._ledger.set_status(record, ExecutionStatus.QUEUED)

    # --- messages from workers -----------------------------------------------------------------------------------

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """Pass on progress and log lines of a running task."""
        self._ledger.add_reports(self._ledger.active[execution_id], reports)

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """Keep a value for a resumed run."""
        self._ledger.keep_checkpoint(self._ledger.active[execution_id], checkpoint.key, checkpoint.value)

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """Handle a task that ended on its own."""
        if self._is_closing and finished.outcome is not Outcome.COMPLETE:
            return  # the server made it stop, and :meth:`close` records that
        record = self._ledger.active[execution_id]
        record.cpu_seconds, record.peak_memory_bytes = finished.cpu_seconds, finished.peak_memory_bytes
        record.traceback = finished.traceback
        is_inline = finished.result_bytes is None and finished.result != NOTHING
        record.result = bytes(finished.result) if is_inline else None
        record.result_bytes = len(record.result) if record.result is not None else finished.result_bytes
        record.has_new_outcome = True
        if finished.seconds is not None:
            self.dispatcher.pace.note(record.name, finished.seconds)
        status = _ENDINGS[finished.outcome]
        if status is ExecutionStatus.CANCELLED and execution_id in self._overdue:
            status = ExecutionStatus.FAILED
        elif status is ExecutionStatus.CANCELLED and record.status is ExecutionStatus.RUNNING:
            self._ledger.set_status(record, ExecutionStatus.CANCELLING)  # the task itself asked for it
        self._end(record, status, finished.error, may_retry=finished.may_retry)

    def on_begun(self, execution_id: str) -> None:
        """Note that a worker has begun an execution that it was handed ahead."""
        self.dispatcher.begin(self._ledger.active[execution_id])

    def on_given_back(self, execution_ids: list[str]) -> None:
        """Queue executions that a worker was handed ahead and has not begun."""
        self.dispatcher.give_back(execution_ids)

    def on_not_begun(self, execution_id: str, how: str | None) -> None:
        """Queue an execution again that its worker has not begun, unless the worker was to end with it."""
        if how is None:
            self._queue_again(self._ledger.active[execution_id])
        elif execution_id in self._killed or execution_id in self._overdue:
            self.on_worker_lost(execution_id, how)
        else:
            self.on_not_run(execution_id, f"the worker process {how} before it began")

    def on_worker_gone(self, pid: int) -> None:
        """Forget what a worker has begun."""
        self.dispatcher.forget_worker(pid)

    def on_not_run(self, execution_id: str, reason: str) -> None:
        """Queue an execution again, as the next one, because its worker did not start it."""
        record = self._ledger.active[execution_id]
        _log.info("execution %s needs a new worker: %s", execution_id, reason)
        self._declined[execution_id] += 1
        if self._declined[execution_id] >= _MOST_DECLINED and record.status is not ExecutionStatus.CANCELLING:
            self._end(record, ExecutionStatus.FAILED, f"no worker was able to run it: {reason}")
            return
        self._queue_again(record)

    def _queue_again(self, record: Record) -> None:
        """Queue an execution as the next one, as if it had not been started."""
        if record.status is ExecutionStatus.CANCELLING:
            self._end(record, ExecutionStatus.CANCELLED, None)
            return
        self._timers.cancel(record.execution_id)
        self._ledger.set_status(record, ExecutionStatus.QUEUED)
        record.attempts -= 1
        self._ledger.enqueue(record)

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """Fail the execution whose worker ended while running it; no other one is affected."""
        record = self._ledger.active[execution_id]
        record.worker_deaths += 1
        asked = ", after it was asked to stop" if record.status is ExecutionStatus.CANCELLING else ""
        text = self._killed.get(execution_id) or f"the worker process {how} while it was running the task{asked}"
        self._traces.on_lost(execution_id, record.started_at, record.attempts, text)
        is_rerun = self._reruns_lost and record.resumable and execution_id not in self._overdue
        self._end(record, ExecutionStatus.FAILED, text, is_rerun=is_rerun)

    def on_worker_ready(self) -> None:
        """Do nothing: the end of the turn dispatches."""

    def on_worker_failed(self, environment: TaskEnvironment | None, reason: str) -> None:
        """Fail the next execution of an environment no worker can be started in, instead of letting it wait forever."""
        _log.error("a worker could not be started: %s", reason)
        for execution_id in self._ledger.backlog.next_ones(self._pool.size):
            record = self._ledger.active[execution_id]
            if self.dispatcher.environment_of(record) == environment:
                record.error = f"no worker could be started for it: {reason}"
                self._ledger.set_status(record, ExecutionStatus.FAILED)
                self._on_ended()
                return

    # --- ending --------------------------------------------------------------------------------------------------

    def _end(
        self,
        record: Record,
        status: ExecutionStatus,
        error: str | None,
        *,
        may_retry: bool = True,
        is_rerun: bool = False,
    ) -> None:
        """End the run of an execution; every run ends here."""
        self._timers.cancel(record.execution_id)
        overdue = self._overdue.pop(record.execution_id, None)
        self._declined.pop(record.execution_id, None)
        self._killed.pop(record.execution_id, None)
        if record.status is ExecutionStatus.CANCELLING:
            status = ExecutionStatus.CANCELLED
        record.error = overdue if overdue is not None and status is ExecutionStatus.FAILED else error
        is_tried_again = is_rerun or (may_retry and record.attempts <= record.max_retries)
        if status is ExecutionStatus.FAILED and is_tried_again and not self._is_poison(record):
            delay = self._retry_pause(record)
            record.not_before = time.time() + delay
            self._ledger.set_status(record, ExecutionStatus.QUEUED)
            self._traces.on_end(record.execution_id, is_retried=True)
            self._enqueue_when_due(record)
            return
        self._ledger.set_status(record, status)
        self._traces.on_end(record.execution_id, is_retried=False)
        self._on_ended()

    def _interrupt(self, record: Record, reason: str) -> None:
        record.error = reason
        self._ledger.set_status(record, ExecutionStatus.INTERRUPTED)

    def _is_poison(self, record: Record) -> bool:
        """Whether it has killed too many workers to try it again."""
        if record.worker_deaths < _POISON_DEATHS:
            return False
        record.error = f"{record.error}; its worker died {record.worker_deaths} times, so it is not retried"
        return True

    # --- retries and limits --------------------------------------------------------------------------------------

    def _retry_pause(self, record: Record) -> float:
        """The pause doubles with the attempts on disk, so a new server continues where the last one was."""
        return min(record.retry_delay * 2.0 ** max(0, record.attempts - 1), _LONGEST_RETRY_SECONDS)

    def _enqueue_when_due(self, record: Record) -> None:
        """Add it to the backlog after the pause before its retry; a change of the clock never makes that longer."""
        pause = 0.0 if record.not_before is None else record.not_before - time.time()
        if pause <= 0:
            self._ledger.enqueue(record)
            return
        pause = min(pause, self._retry_pause(record))
        self._timers.add(record.execution_id, pause, lambda: self._ledger.enqueue(record))

    def _start_limits(self, record: Record) -> None:
        self._timers.cancel(record.execution_id)
        if record.soft_time_limit is not None:
            self._timers.add(record.execution_id, record.soft_time_limit, lambda: self._overrun(record, is_hard=False))
        if record.time_limit is not None:
            self._timers.add(record.execution_id, record.time_limit, lambda: self._overrun(record, is_hard=True))

    def _overrun(self, record: Record, *, is_hard: bool) -> None:
        limit = record.time_limit if is_hard else record.soft_time_limit
        self._overdue.setdefault(record.execution_id, f"{OVERDUE}{limit:g} s")
        worker = self._pool.running(record.execution_id)
        if is_hard:
            self._kill(record.execution_id)
        elif worker is not None:
            worker.cancel(None)

    def _cut_off(self, record: Record, grace_seconds: float) -> None:
        """Kill a task that was cancelled and has not stopped."""
        what = f"did not stop within {grace_seconds:g} s, so" if grace_seconds else "was to stop at once:"
        self._killed[record.execution_id] = f"it was cancelled and {what} its processes were killed"
        self._kill(record.execution_id)

    def _kill(self, execution_id: str) -> None:
        worker = self._pool.running(execution_id)
        if worker is not None:
            worker.kill()
