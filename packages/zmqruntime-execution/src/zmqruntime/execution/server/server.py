"""A server that runs tasks: stored on disk before they are accepted, run in warm workers, with live progress."""

import abc
import contextlib
import functools
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import msgspec

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import ConfigurationError, PortInUseError
from zmqruntime.execution.compat import EarlierServerCalls
from zmqruntime.execution.events.event_batches import empty_batch
from zmqruntime.execution.events.log_files import log_dir, remove_logs
from zmqruntime.execution.events.result_files import PIECE_BYTES, read_piece, remove_result, result_dir
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.server.audience import Audience
from zmqruntime.execution.server.cancels import cancel_many
from zmqruntime.execution.server.dispatch import Folders
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.gates import checked_resources
from zmqruntime.execution.server.hooks import EndHooks, EndNotices
from zmqruntime.execution.server.named_queues import MOST_QUEUES
from zmqruntime.execution.server.promises import Promises
from zmqruntime.execution.server.pruning import Pruning
from zmqruntime.execution.server.queue import QUEUED_LISTED
from zmqruntime.execution.server.scheduler import Runner
from zmqruntime.execution.server.schedules import STATEMENTS, Schedules
from zmqruntime.execution.server.store import DamagedStoreError, Record, Store, StoreError
from zmqruntime.execution.tasks.hub import sweep_task_sockets
from zmqruntime.execution.tasks.task import current_task
from zmqruntime.execution.workers.descriptor_reserve import DescriptorReserve
from zmqruntime.execution.workers.orphans import adopt_orphans
from zmqruntime.execution.workers.pool import WorkerHandle, WorkerKind, WorkerPool
from zmqruntime.execution.workers.process import ProcessWorker
from zmqruntime.execution.workers.thread import ThreadWorker
from zmqruntime.launch import ServerSpec
from zmqruntime.lock import FileLock
from zmqruntime.loop import Timer
from zmqruntime.messages import (
    MANY_TOPICS,
    PACKED_EXECUTIONS,
    BatchRequest,
    BatchResponse,
    CancelManyRequest,
    CancelRequest,
    CancelResponse,
    ErrorCode,
    ErrorResponse,
    EventBatch,
    EventsRequest,
    EventsResponse,
    ExecuteRequest,
    ExecutionStatus,
    FindRequest,
    FindResponse,
    HistoryRequest,
    Message,
    PingRequest,
    PositionsRequest,
    PositionsResponse,
    ProgressUpdate,
    QueueAction,
    QueueRequest,
    QueueResponse,
    ResultRequest,
    ResultResponse,
    ScheduleRequest,
    SchedulesRequest,
    SchedulesResponse,
    StatusRequest,
    StatusResponse,
    SubmissionRequest,
    SubmissionResponse,
    UnscheduleRequest,
)
from zmqruntime.transport import make_private, prepare_private_dir

__all__ = ["ExecutionServer"]

_log = logging.getLogger(__name__)

_RETRY_WRITE_SECONDS = 1.0
_COMMIT_PAUSE_SECONDS = 0.01  # each commit waits for the disk, so progress and log lines are written in groups
_PAUSE_FOR_WORK = 2.0  # with a slow disk, twice the duration of a commit is left for everything else
_PRUNE_EVERY = 500
_PRUNE_SECONDS = 3600.0
_MAX_QUEUED_SHOWN = 1_000
_CLAIM_SECONDS = 1.0
_IDS_SHOWN = 20
_QUEUES_SHOWN = 100
_SCHEDULES_SHOWN = 100
_REPORT_BYTES = 256 * 1024


class ExecutionServer(EarlierServerCalls, abc.ABC):
    """Runs the tasks that clients submit, ``max_concurrent`` at a time, by priority and then in order of submission.

    Implement :meth:`execute_task`. It runs in a worker process, which creates its own instance of your class with the
    same port, the same configuration, and the options that :meth:`worker_options` returns. With ``worker_kind`` set to
    a thread it runs in a thread of the server's process instead, on this same object.

    Args:
        port: Data port of the server; see :class:`zmqruntime.ZMQServer`.
        host: Interface to listen on; see :class:`zmqruntime.ZMQServer`.
        transport_mode: IPC or TCP; see :class:`zmqruntime.ZMQServer`.
        config: Settings shared by the server and its clients.
        max_concurrent: Number of executions that run at the same time, each in its own worker.
        max_queued: Maximum number of queued executions; further submissions are refused.
        keep_history: Maximum number of ended executions to keep.
        keep_history_seconds: How long to keep ended executions. Only time while the server is running counts, so that
            a change of the system clock never deletes any.
        log_limit: Maximum size of an execution's log file in bytes; older lines are dropped.
        max_result_bytes: Maximum size of an encoded task result in bytes; a larger one fails the task. A result
            larger than 64 KiB is kept in a file next to the database and sent to clients in pieces.
        resources: What executions can ask for with ``resources``, such as ``{"gpu": 2}``. Memory in bytes and
            ``threads`` are those of the machine unless they are given here.
        on_end_command: Command to run for each execution that has ended, with its snapshot as JSON on standard input;
            by default that in the environment variable ``ZMQRUNTIME_ON_END_COMMAND``, if any.
        on_end_webhook: HTTP address to post that JSON to; by default that in ``ZMQRUNTIME_ON_END_WEBHOOK``, if any.
    """

    vocabulary = PACKED_EXECUTIONS
    worker_kind: ClassVar[WorkerKind] = WorkerKind.PROCESS
    """What tasks run in. A task in a thread must be trusted: it can end or block the whole server process, and shares
    it with the other tasks that are running. It can only be cancelled where it checks, so a cancel with a grace is
    refused and a hard time limit acts as a soft one. Only logged output is captured, from ``current_task().log`` or
    :mod:`logging` in its context, not printed output; its peak memory is unknown."""

    worker_preload: ClassVar[str] = ""
    """Module that each worker process imports first, while it has a single thread, so that it may fork."""

    reruns_lost_tasks: ClassVar[bool] = False
    """Whether a resumable execution is run again after its worker process has died, up to three deaths; otherwise it
    has failed."""

    thread_stop_seconds: ClassVar[float] = 8.0
    """How long a server that is shutting down waits for tasks in threads after it has asked them to stop; a task that
    is still running then is abandoned. Shorter than the time a client waits for a server to end."""

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        max_concurrent: int = 1,
        max_queued: int = 100_000,
        keep_history: int = 100_000,
        keep_history_seconds: float = 90 * 86_400.0,
        log_limit: int = 10_000_000,
        max_result_bytes: int = 256 * 1024 * 1024,
        resources: dict[str, float] | None = None,
        on_end_command: str | Sequence[str] | None = None,
        on_end_webhook: str | None = None,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        self.max_concurrent = max_concurrent
        self.max_queued = max_queued
        self.keep_history = keep_history
        self.keep_history_seconds = keep_history_seconds
        self.log_limit = log_limit
        self.max_result_bytes = max_result_bytes
        self.resources = checked_resources(resources or {})
        self._notices = EndNotices.of(on_end_command, on_end_webhook)
        self._changed: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._commit_timer: Timer | None = None
        self._next_commit = 0.0
        self._pause: Timer | None = None
        self._endings = 0
        self._audience = Audience(self.publish)

    # --- in the worker -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Run the task that ``request.payload`` describes.

        Called in a worker process, or in a thread, depending on ``worker_kind``. Use ``current_task()`` for progress,
        cancellation, logging and checkpoints. An exception fails the execution, with the traceback in its status.
        Nothing a task does in a worker process can affect the server.

        Args:
            execution_id: Id of the execution.
            request: The submission.

        Returns:
            A result that msgpack can encode.
        """

    def send_progress_update(self, update: ProgressUpdate | Mapping[str, Any]) -> None:
        """Send a complete progress update from inside :meth:`execute_task`; its ``sequence`` is assigned on the way.

        Raises:
            InvalidProgressError: The update violates the schema; nothing was sent.
        """
        current_task().send_progress(update)

    def worker_options(self) -> dict[str, Any]:
        """Return keyword arguments for the instances in worker processes, besides port and configuration.

        Override it together with ``__init__``. The values must be encodable by msgpack.
        """
        return {}

    def why_unfit(self) -> str | None:
        """Return why this process must not run another task; None if it can.

        Called after each task in the worker process that has run it; a new process takes its place. Environment
        variables, working folder and the like are restored anyway: override this for what else tasks leave behind.
        """
        return None

    def own_environment(self) -> TaskEnvironment | None:
        """Return the environment of executions that do not ask for another one; None to inherit that of this process.

        Called once, when the server starts.
        """
        return _environment_here()

    # --- requests ------------------------------------------------------------------------------------------------

    def handle_request(self, request: Message) -> Message:
        """Answer a request of an execution client; see :class:`zmqruntime.ZMQServer`."""
        try:
            return self._promises.handle(request, len(self.pending_replies), self._handle)
        except StoreError as error:
            _log.error("%s", error)
            return ErrorResponse(code=ErrorCode.STORAGE, message=str(error))

    def _handle(self, request: Message) -> Message:
        if type(request) is PingRequest:  # the most frequent one, before two dozen comparisons
            return super().handle_request(request)
        match request:
            case ExecuteRequest():
                known = self._ledger.find_many([request.submission_id])
                return self._refusal([request], known) or self._ledger.accept(request, known)
            case BatchRequest(requests=requests):
                known = self._ledger.find_many(request.submission_id for request in requests)
                refusal = self._refusal(requests, known)
                return refusal or BatchResponse(accepted=[self._ledger.accept(one, known) for one in requests])
            case StatusRequest(execution_id=None, limit=limit):
                return self._report(self._overview(limit), is_brief=True)
            case HistoryRequest(limit=limit, before=before, older_than=older_than):
                return self._report(self._ledger.ended(limit, before, older_than), is_brief=True)
            case FindRequest(prefix=prefix):
                found = self._ledger.ids_from(prefix, _IDS_SHOWN + 1)
                return FindResponse(execution_ids=found[:_IDS_SHOWN], more=len(found) > _IDS_SHOWN)
            case PositionsRequest(execution_ids=execution_ids):
                found_many = self._ledger.find_many(execution_ids)
                return PositionsResponse(positions={each: r.known_count for each, r in found_many.items()})
            case CancelManyRequest():
                return cancel_many(request, self._ledger, self._runner, self.worker_kind)
            case QueueRequest():
                return self._change_queue(request)
            case ScheduleRequest() | SchedulesRequest() | UnscheduleRequest():
                return self._about_schedules(request)
            case StatusRequest() | CancelRequest() | EventsRequest() | SubmissionRequest() | ResultRequest():
                record = self._ledger.find(request.execution_id or "")
                if record is None:
                    return _not_found(request.execution_id)
                return self._about(record, request)
            case _:
                return super().handle_request(request)

    def _about(
        self, record: Record, request: StatusRequest | CancelRequest | EventsRequest | SubmissionRequest | ResultRequest
    ) -> Message:
        match request:
            case StatusRequest():
                return self._report([self._ledger.in_full(record.execution_id) or record], is_brief=False)
            case ResultRequest(offset=offset):
                return self._piece_of_result(record, offset)
            case CancelRequest():
                return self._cancel(record, request)
            case SubmissionRequest():
                return SubmissionResponse(request=self._ledger.assignment(record)[0])
            case EventsRequest(after=after):
                found, upto = self._ledger.events_after(record, after)
                # Batches are sent as they are stored: the server does not look into them, so they cannot break it.
                batches = cast(list[EventBatch], [msgspec.Raw(batch) for batch in found])
                return EventsResponse(execution_id=record.execution_id, batches=batches, upto=upto)

    def _refusal(self, requests: list[ExecuteRequest], known: Mapping[str, Record]) -> ErrorResponse | None:
        """Why these are not accepted, or None. Requests that were accepted before and are resent are not refused."""
        new = [request for request in requests if request.submission_id not in known]
        conflict = self._ledger.find_conflict(requests, known)
        if conflict is not None:
            text = f"submission_id {conflict} was already used for another submission; use a new id for each one"
            return ErrorResponse(code=ErrorCode.CONFLICT, message=text)
        if self._ledger.draining and new:
            text = "the queue is draining and does not accept submissions"
            return ErrorResponse(code=ErrorCode.CLOSING, message=text)
        if new and len(self._ledger.backlog) + len(new) > self.max_queued:
            queued = len(self._ledger.backlog)
            text = f"{queued} executions are queued, and the maximum is {self.max_queued}; submit again later"
            return ErrorResponse(code=ErrorCode.QUEUE_FULL, message=text)
        environments = {id(request.environment): request.environment for request in requests}
        problems = filter(None, map(self._problem_of, environments.values()))
        problem = next(problems, None)
        if problem is not None:
            return ErrorResponse(code=ErrorCode.INVALID, message=problem)
        return self._ledger.admission.refusal(new)

    def _problem_of(self, environment: TaskEnvironment | None) -> str | None:
        """Why a task cannot run in this environment, as text; None if it can."""
        if environment is None or environment == self._own_environment:
            return None
        if self.worker_kind is WorkerKind.THREAD:
            return (
                "this server runs its tasks in threads of its own process, so a task cannot have its own environment; "
                "submit without one, or set worker_kind = WorkerKind.PROCESS in the server class"
            )
        return environment.problem()

    def _overview(self, limit: int) -> list[Record]:
        return [*self._ledger.running(), *self._ledger.queued(QUEUED_LISTED), *self._ledger.ended(limit)]

    def _piece_of_result(self, record: Record, offset: int) -> Message:
        if record.result_bytes is None:
            text = f"execution {record.execution_id} has no result; it is {record.status}"
            return ErrorResponse(code=ErrorCode.CONFLICT, message=text)
        path = self._result_dir / f"{record.execution_id}.result"
        try:
            with self._reserve.lent():
                is_file = path.exists()
                data = read_piece(path, offset) if is_file else self._ledger.result_piece(record, offset, PIECE_BYTES)
        except (OSError, StoreError) as error:
            text = f"the result of execution {record.execution_id} cannot be read from {path}: {error}"
            return ErrorResponse(code=ErrorCode.STORAGE, message=text)
        return ResultResponse(execution_id=record.execution_id, offset=offset, total=record.result_bytes, data=data)

    def _report(self, records: list[Record], *, is_brief: bool) -> StatusResponse:
        place_of = self._ledger.backlog.place_of
        is_busy = self._ledger.running_count >= self.max_concurrent
        shown = _fitting(records)
        return StatusResponse(
            executions=[
                record.snapshot(
                    place_of(record.execution_id),
                    is_brief=is_brief,
                    waits_for=self._ledger.admission.waits_for(record, self._ledger.paused, is_busy=is_busy),
                )
                for record in shown
            ],
            queues=self._ledger.admission.queue_states()[:_QUEUES_SHOWN],
            more=len(shown) < len(records),
            trouble=self._runner.trouble,
            queued=self._ledger.queued_count,
            running=self._ledger.running_count,
            workers=self._runner.worker_count,
            paused=self._ledger.paused,
            draining=self._ledger.draining,
            ended=dict(self._ledger.ended_counts),
            schedules=self._schedules.listed()[:_SCHEDULES_SHOWN] if is_brief else [],
        )

    def _change_queue(self, request: QueueRequest) -> Message:
        ledger = self._ledger
        self._runner.settle_all()
        match request.action:
            case QueueAction.LIMIT | QueueAction.PAUSE | QueueAction.RESUME if request.queue is not None:
                if (refusal := self._change_named_queue(request, request.queue)) is not None:
                    return refusal
            case QueueAction.LIMIT:
                text = "the request names no queue to limit: name one, such as 'default'"
                return ErrorResponse(code=ErrorCode.INVALID, message=text)
            case QueueAction.PAUSE:
                ledger.set_paused(True)
            case QueueAction.DRAIN:
                ledger.set_draining(True)
            case QueueAction.RESUME:
                ledger.set_paused(False)
                ledger.set_draining(False)
            case action:
                execution_id = request.execution_id or ""
                if execution_id not in ledger.backlog:
                    text = f"execution {execution_id} is not in the queue"
                    return ErrorResponse(code=ErrorCode.CONFLICT, message=text)
                record = ledger.active[execution_id]
                if action is QueueAction.MOVE:
                    ledger.reorder(record, request.position)
                else:
                    ledger.set_held(record, action is QueueAction.HOLD)
        return QueueResponse(
            paused=ledger.paused,
            draining=ledger.draining,
            queued=ledger.backlog.ordered(_MAX_QUEUED_SHOWN),
            count=len(ledger.backlog),
            queues=ledger.admission.queue_states(),
        )

    def _change_named_queue(self, request: QueueRequest, name: str) -> ErrorResponse | None:
        admission = self._ledger.admission
        if name not in admission.queues and admission.queues.is_full:
            text = f"{MOST_QUEUES} queues have settings already: resume those that are not used any more"
            return ErrorResponse(code=ErrorCode.QUEUE_FULL, message=text)
        if request.action is QueueAction.LIMIT:
            admission.limit_queue(name, request.limit)
        else:
            admission.pause_queue(name, request.action is QueueAction.PAUSE)
        return None

    def _about_schedules(self, request: ScheduleRequest | SchedulesRequest | UnscheduleRequest) -> Message:
        match request:
            case SchedulesRequest():
                return SchedulesResponse(schedules=self._schedules.listed())
            case UnscheduleRequest(name=name):
                found = self._schedules.remove(name)
            case ScheduleRequest(request=task):
                found = self._ledger.admission.refusal([task]) or self._schedules.put(request)
        return found if isinstance(found, ErrorResponse) else SchedulesResponse(schedules=[found])

    def _submit_due(self, request: ExecuteRequest) -> ErrorResponse | None:
        """Accept a submission of a schedule, or return why not."""
        try:
            known = self._ledger.find_many([request.submission_id])
            refusal = self._refusal([request], known)
            if refusal is None:
                self._ledger.accept(request, known)
        except StoreError as error:
            return ErrorResponse(code=ErrorCode.STORAGE, message=str(error))
        return refusal

    def _cancel(self, record: Record, request: CancelRequest) -> Message:
        self._runner.settle(record.execution_id)
        if has_ended(record.status, record.resumable):
            status, text = "ended", f"it is already {record.status}; nothing was changed"
        elif record.status is ExecutionStatus.QUEUED and request.axis_id is not None:
            status, text = "refused", "it has not started, so it has no axes yet; cancel the whole execution"
        elif request.axis_id is not None and request.grace_seconds is not None:
            status, text = "refused", "one axis cannot be killed without the others; cancel it without a grace"
        elif request.axis_id is not None:
            self._runner.cancel_axis(record, request.axis_id)
            status, text = "ok", f"axis {request.axis_id} will stop at its next check, the others continue"
        elif self._cannot_kill(record) and request.grace_seconds is not None:
            status, text = "refused", "it is running in a thread, which cannot be killed; cancel it without a grace"
        else:
            status, text = "ok", self._runner.cancel(record, request.grace_seconds)
        return CancelResponse(
            execution_id=record.execution_id,
            status=status,
            execution_status=record.status,
            message=f"execution {record.execution_id}: {text}",
        )

    def _cannot_kill(self, record: Record) -> bool:
        return self.worker_kind is WorkerKind.THREAD and record.status is not ExecutionStatus.QUEUED

    # --- life ----------------------------------------------------------------------------------------------------

    def serve_forever(self, on_ready: Callable[[], None] | None = None) -> None:
        """Serve like :class:`zmqruntime.ZMQServer`; processes that tasks leave behind are adopted and ended."""
        if self.worker_kind is WorkerKind.PROCESS:
            adopt_orphans()
        super().serve_forever(on_ready)

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the database, take over executions of the previous run, and start the workers."""
        folder = prepare_private_dir(self.config.server_dir(self.port))
        stack.callback(self._claim_folder(folder).release)
        make_private(folder)
        store = Store(folder / "executions.sqlite")
        stack.callback(store.close)
        self._promises = Promises(lambda: store.promised)
        sweep_task_sockets(self.config)
        self._log_dir = log_dir(self.config, self.port)
        self._result_dir = result_dir(self.config, self.port)
        with _readable():
            self._ledger = Ledger(store, self._audience.tell, self._note_events, self.resources)
        self._pruning = Pruning(self.loop, self._prune)
        self._own_environment = self.own_environment()
        self._reserve = DescriptorReserve()
        stack.callback(self._reserve.close)
        pool = WorkerPool(self.loop, self._worker_starter(), self.max_concurrent)
        self._runner = Runner(
            self.loop,
            self._ledger,
            pool,
            self._on_ended,
            own_environment=self._own_environment,
            folders=Folders(folder, self._log_dir, self.log_limit, self._result_dir, self.max_result_bytes),
            reruns_lost=self.reruns_lost_tasks,
        )
        with _readable():
            self._runner.take_over()
            rows = store.schedule_rows()
        write = functools.partial(store.write_latest, among=STATEMENTS)
        self._schedules = Schedules(rows, write, self._submit_due, self.loop)
        self.loop.call_soon(self._schedules.run_due)
        hooks = EndHooks(self._notices)
        self._ledger.on_end = lambda record: hooks.note(record.snapshot())
        stack.callback(hooks.close)
        stack.callback(self._commit_last)
        stack.callback(self._runner.close)
        self.loop.call_soon(pool.fill)
        self._pruning.begin()
        self.loop.call_later(_PRUNE_SECONDS, self._prune_in_time)

    def _claim_folder(self, folder: Path) -> FileLock:
        """Lock the folder for this server, even if sockets and their lock files have been removed."""
        lock = FileLock(folder / "lock")
        if not lock.acquire(timeout=_CLAIM_SECONDS):
            holder = (folder / "lock").read_text(encoding="ascii", errors="replace")[:20]
            raise PortInUseError(
                f"the data in {folder} is in use by server process {holder}, whose sockets may have been removed: "
                "it recreates them within a few seconds, so connect again; or end that process"
            )
        lock.write(str(os.getpid()).encode())
        return lock

    def _worker_starter(self) -> Callable[[WorkerPool, TaskEnvironment | None], WorkerHandle]:
        match self.worker_kind:
            case WorkerKind.PROCESS:
                own, spec = self._own_environment, self._worker_spec()

                def start_process(pool: WorkerPool, environment: TaskEnvironment | None) -> WorkerHandle:
                    with self._reserve.lent():
                        return ProcessWorker(pool, environment, spec, own, self.worker_preload)

                return start_process
            case WorkerKind.THREAD:
                return lambda pool, environment: ThreadWorker(
                    pool, self.execute_task, self.config, self.thread_stop_seconds
                )

    def _worker_spec(self) -> ServerSpec:
        return ServerSpec(
            target=ServerSpec.target_of(type(self)),
            port=self.port,
            host=self.host if self.transport_mode is TransportMode.TCP else None,
            transport_mode=self.transport_mode,
            config=self.config,
            options=self.worker_options(),
            sys_path=sys.path,
        )

    def _prune(self, at_most: int) -> int:
        """Delete some of the oldest executions with their files; return how many."""
        try:
            pruned = self._ledger.prune(self.keep_history, self.keep_history_seconds, at_most)
        except StoreError as error:
            _log.error("%s", error)
            return 0
        for execution_id in pruned:
            remove_logs(self._log_dir / f"{execution_id}.log")
            remove_result(self._result_dir / f"{execution_id}.result")
        return len(pruned)

    def _prune_in_time(self) -> None:
        self._pruning.begin()
        self._ledger.admission.rates.sweep()
        self.loop.call_later(_PRUNE_SECONDS, self._prune_in_time)

    def _on_ended(self) -> None:
        self._endings += 1
        self._pruning.note_end()
        if self._endings % _PRUNE_EVERY == 0:
            self._pruning.begin()

    # --- turn ----------------------------------------------------------------------------------------------------

    def before_replies(self) -> None:
        """Dispatch executions, write the turn to disk, then start the workers on them."""
        if self._commit_timer is None:
            self._runner.dispatch()
        self._commit()

    def after_replies(self) -> None:
        """Publish what was written, for which neither a worker nor a submitter has to wait."""
        self._ledger.tell()

    def _commit(self) -> None:
        """Write all changes; if that fails, try again later. Nothing is lost in between."""
        if self._commit_timer is not None:
            self._refuse_new("the server cannot write to its disk at the moment")
            return
        pause = self._next_commit - time.monotonic()
        if pause > 0 and not self._ledger.is_urgent:
            if self._pause is None:  # the end of that turn will commit
                self._pause = self.loop.call_later(pause, self._end_pause)
            return
        try:
            begun = time.monotonic()
            self._ledger.commit()
            self._promises.take()
            self._schedules.note_written()
            took = time.monotonic() - begun
            self._next_commit = begun + took + max(_COMMIT_PAUSE_SECONDS, _PAUSE_FOR_WORK * took)
        except StoreError as error:
            _log.error("%s", error)
            self._refuse_new(str(error))
            if isinstance(error, DamagedStoreError):  # who waits for an end learns it, and why, from the next start
                self.loop.stop()
            self._commit_timer = self.loop.call_later(_RETRY_WRITE_SECONDS, self._commit_again)
            self._runner.pause()

    def _commit_last(self) -> None:
        self._ledger.keep_uptime()
        self._next_commit = 0.0
        self._commit()
        self._ledger.tell()

    def _end_pause(self) -> None:
        self._pause = None

    def _commit_again(self) -> None:
        self._commit_timer = None
        self._runner.resume()
        self._commit()

    def _refuse_new(self, reason: str) -> None:
        """Refuse submissions and schedules that could not be written, whatever their replies are."""
        dropped = self._ledger.drop_new()
        self._runner.take_back(dropped)
        self._schedules.take_back(dropped)
        refusal = ErrorResponse(code=ErrorCode.STORAGE, message=f"not accepted: {reason}")
        for place in self._promises.take():
            envelope, _ = self.pending_replies[place]
            self.pending_replies[place] = (envelope, refusal)

    # --- data channel --------------------------------------------------------------------------------------------

    def on_subscribed(self, topic: bytes) -> None:
        """Send a new subscriber of an execution its event count, so that it can request missing events."""
        if topic.startswith(MANY_TOPICS):
            return
        try:
            record = self._ledger.find(topic.decode(errors="replace"))
        except StoreError as error:  # requests for this execution report it
            _log.error("%s", error)
            return
        if record is not None:
            self.publish(topic, empty_batch(record.execution_id, record.known_count))

    def on_topic(self, topic: bytes, is_subscribed: bool) -> None:
        """Note which executions are followed."""
        self._audience.note(topic, is_subscribed)

    def event_positions(self) -> dict[str, int]:
        """Return the event counts that changed since the last heartbeat but one."""
        now, before = self._changed
        self._changed = ({}, now)
        return {**before, **now}

    def _note_events(self, execution_id: str, count: int) -> None:
        if self.has_listeners:
            self._changed[0][execution_id] = count


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Turn an unreadable database into a ``ConfigurationError`` while the server is starting."""
    try:
        yield
    except StoreError as error:
        raise ConfigurationError(str(error)) from error


def _fitting(records: list[Record]) -> list[Record]:
    """Return as many of the records as fit into one reply, and at least one."""
    size = 0
    for place, record in enumerate(records):
        size += record.brief_size
        if size > _REPORT_BYTES and place:
            return records[:place]
    return records


def _environment_here() -> TaskEnvironment | None:
    """Return the default environment of workers; None if it cannot be encoded and they simply inherit it."""
    try:
        return TaskEnvironment.current()
    except ConfigurationError as error:
        _log.warning("workers inherit the environment of this process as it is: %s", error)
        return None


def _not_found(execution_id: str | None) -> ErrorResponse:
    return ErrorResponse(code=ErrorCode.NOT_FOUND, message=f"this server has no execution {execution_id}")
