"""A server that runs tasks: accepted once on disk, run in warm worker processes, reported live, cancelled on demand."""

import abc
import contextlib
import functools
import heapq
import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from zmqruntime.codec import Decoder, encode
from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.execution.batching import empty_batch, pack, pack_state
from zmqruntime.execution.lifecycle import TERMINAL, advance
from zmqruntime.execution.pool import WorkerPool
from zmqruntime.execution.store import Record, Store, StoreError
from zmqruntime.execution.task import current_task
from zmqruntime.execution.worker_protocol import Assign, Finished, KeepCheckpoint, Outcome, TaskReportsRaw
from zmqruntime.launch import ServerSpec
from zmqruntime.loop import Timer
from zmqruntime.messages import (
    AcceptedResponse,
    CancelRequest,
    CancelResponse,
    ErrorCode,
    ErrorResponse,
    EventBatch,
    EventsRequest,
    EventsResponse,
    ExecuteRequest,
    ExecutionStatus,
    ProgressUpdate,
    Request,
    Response,
    StatusRequest,
    StatusResponse,
)
from zmqruntime.server import ZMQServer

__all__ = ["ExecutionServer"]

_log = logging.getLogger(__name__)
_RETRY_WRITE_SECONDS = 1.0

_ENDINGS = {
    Outcome.COMPLETE: ExecutionStatus.COMPLETE,
    Outcome.FAILED: ExecutionStatus.FAILED,
    Outcome.CANCELLED: ExecutionStatus.CANCELLED,
}


class ExecutionServer(ZMQServer, abc.ABC):
    """Runs what clients submit, ``max_concurrent`` at a time, in order of priority, then of submission.

    Implement :meth:`execute_task`. It runs in a worker process, which makes its own object of your class: with the
    same port and configuration and with what :meth:`worker_options` returns.

    Args:
        max_concurrent: how many executions run at once, each in its own worker process.
        port, host, transport_mode, config: as for :class:`zmqruntime.ZMQServer`.
    """

    def __init__(
        self,
        port: int | None = None,
        *,
        host: str | None = None,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        max_concurrent: int = 1,
    ) -> None:
        super().__init__(port, host=host, transport_mode=transport_mode, config=config)
        self.max_concurrent = max_concurrent
        self._active: dict[str, Record] = {}
        self._new: set[str] = set()
        self._queue: list[tuple[int, int, str]] = []
        self._after_commit: list[tuple[str, Callable[[], None]]] = []
        self._changed: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._retry: Timer | None = None
        self._decode_batch: Decoder[EventBatch] = Decoder(EventBatch)

    # --- in the worker process -----------------------------------------------------------------------------------

    @abc.abstractmethod
    def execute_task(self, execution_id: str, request: ExecuteRequest) -> Any:
        """Do what ``request.payload`` says and return a result that msgpack can hold.

        Runs in a worker process. Use ``current_task()`` for progress, cancel, log and checkpoints. What it raises
        fails the execution, with the traceback in its status; nothing it does can harm the server.
        """

    def send_progress_update(self, update: ProgressUpdate | Mapping[str, Any]) -> None:
        """Send a whole progress update from inside :meth:`execute_task`; ``sequence`` is numbered anew.

        Raises:
            InvalidProgressError: it breaks the schema; nothing was sent.
        """
        current_task().send_progress(update)

    def worker_options(self) -> dict[str, Any]:
        """Keyword arguments, besides port and configuration, with which workers make their object of this class.

        Override it together with ``__init__``. Values must be ones that msgpack can hold.
        """
        return {}

    # --- requests ------------------------------------------------------------------------------------------------

    def handle_request(self, request: Request) -> Response:
        """Answers what an execution client asks; see :class:`ZMQServer`."""
        match request:
            case ExecuteRequest():
                return self._accept(request)
            case StatusRequest():
                return self._status(request)
            case CancelRequest():
                return self._cancel(request)
            case EventsRequest():
                return self._events(request)
            case _:
                return super().handle_request(request)

    def _accept(self, request: ExecuteRequest) -> Response:
        known = self._find(request.submission_id)
        if known is None:
            record = self._store.insert(request)
            self._active[record.execution_id] = record
            self._new.add(record.execution_id)
            heapq.heappush(self._queue, (-record.priority, record.number, record.execution_id))
            self._tell_state(record)
        record = known or record
        return AcceptedResponse(execution_id=record.execution_id, duplicate=known is not None, status=record.status)

    def _status(self, request: StatusRequest) -> Response:
        places = self._queue_places()
        if request.execution_id is not None:
            record = self._find(request.execution_id)
            if record is None:
                return _not_found(request.execution_id)
            chosen = [record]
        else:
            running = [record for record in self._active.values() if record.execution_id not in places]
            queued = [self._active[execution_id] for execution_id in places]
            chosen = [*running, *queued[: request.limit], *self._store.ended_records(request.limit)]
        return StatusResponse(
            executions=[record.snapshot(places.get(record.execution_id)) for record in chosen],
            queued=len(places),
            running=len(self._active) - len(places),
            workers=len(self._pool),
        )

    def _cancel(self, request: CancelRequest) -> Response:
        record = self._active.get(request.execution_id)
        if record is None:
            ended = self._store.find(request.execution_id)
            if ended is None:
                return _not_found(request.execution_id)
            return _cancel_report(ended, "ended", f"it is {ended.status} already; nothing was changed")
        if record.status is ExecutionStatus.QUEUED:
            if request.axis_id is not None:
                return _cancel_report(record, "refused", "it has not started, so it has no axes yet; cancel it whole")
            self._set_status(record, ExecutionStatus.CANCELLED)
            return _cancel_report(record, "ok", "it was queued and will not run")
        worker = self._pool.running(record.execution_id)
        if worker is not None:
            worker.cancel(request.axis_id)
        if request.axis_id is not None:
            return _cancel_report(record, "ok", f"axis {request.axis_id} stops at its next check, the others go on")
        if record.status is ExecutionStatus.RUNNING:
            self._set_status(record, ExecutionStatus.CANCELLING)
        return _cancel_report(record, "ok", "it stops at its next check")

    def _events(self, request: EventsRequest) -> Response:
        record = self._find(request.execution_id)
        if record is None:
            return _not_found(request.execution_id)
        batches = [self._decode_batch(batch) for batch in self._store.events_after(record.number, request.after)]
        return EventsResponse(execution_id=record.execution_id, batches=batches, upto=record.event_count)

    # --- life ----------------------------------------------------------------------------------------------------

    def on_open(self, stack: contextlib.ExitStack) -> None:
        """Open the database, take over what an earlier run left, and start the workers."""
        self._store = Store(self.config.server_dir(self.port) / "executions.sqlite")
        stack.callback(self._store.close)
        for record in self._store.open_records():
            self._take_over(record)
        spec = ServerSpec(
            target=ServerSpec.target_of(type(self)),
            port=self.port,
            host=self.host if self.transport_mode is TransportMode.TCP else None,
            transport_mode=self.transport_mode,
            config=self.config,
            options=self.worker_options(),
            sys_path=sys.path,
        )
        self._pool = WorkerPool(self.loop, spec, self.max_concurrent, self, self.config)
        stack.callback(self._interrupt_running)
        stack.callback(self._pool.close)
        self.loop.call_soon(self._pool.fill)

    def _take_over(self, record: Record) -> None:
        self._active[record.execution_id] = record
        if record.status is ExecutionStatus.RUNNING:
            record.error = "the server ended while it was running"
            self._set_status(record, ExecutionStatus.INTERRUPTED)
        elif record.status is ExecutionStatus.CANCELLING:
            self._set_status(record, ExecutionStatus.CANCELLED)
        elif record.status is ExecutionStatus.QUEUED:
            heapq.heappush(self._queue, (-record.priority, record.number, record.execution_id))

    def _interrupt_running(self) -> None:
        for record in list(self._active.values()):
            if record.status is not ExecutionStatus.QUEUED:
                record.error = "the server was stopped while it was running"
                cancelled = record.status is ExecutionStatus.CANCELLING
                self._set_status(record, ExecutionStatus.CANCELLED if cancelled else ExecutionStatus.INTERRUPTED)
        self.before_replies()

    # --- what workers say ----------------------------------------------------------------------------------------

    def on_reports(self, execution_id: str, reports: TaskReportsRaw) -> None:
        """Pass progress and log lines of a running task on."""
        record = self._active[execution_id]
        record.progress_count, record.log_count = reports.progress_count, reports.log_count
        self._tell(record, pack(record, reports.reports))
        self._store.update(record)

    def on_checkpoint(self, execution_id: str, checkpoint: KeepCheckpoint) -> None:
        """Keep a value for a resumed run."""
        self._store.save_checkpoint(self._active[execution_id], checkpoint.key, checkpoint.value)

    def on_finished(self, execution_id: str, finished: Finished) -> None:
        """A task ended by itself."""
        record = self._active[execution_id]
        record.cpu_seconds, record.peak_memory_bytes = finished.cpu_seconds, finished.peak_memory_bytes
        status = _ENDINGS[finished.outcome]
        if record.status is ExecutionStatus.CANCELLING:
            status = ExecutionStatus.CANCELLED
        elif status is ExecutionStatus.CANCELLED:
            self._set_status(record, ExecutionStatus.CANCELLING)  # the task itself asked for it
        record.error, record.traceback = finished.error, finished.traceback
        if finished.result is not None:
            record.result = encode(finished.result)
        self._set_status(record, status)

    def on_worker_lost(self, execution_id: str, how: str) -> None:
        """A worker ended under its task: that execution failed, nothing else did."""
        record = self._active[execution_id]
        record.error = f"the worker process {how} while it ran the task"
        cancelling = record.status is ExecutionStatus.CANCELLING
        self._set_status(record, ExecutionStatus.CANCELLED if cancelling else ExecutionStatus.FAILED)

    def on_worker_ready(self) -> None:
        """The turn's end dispatches."""

    def on_worker_failed(self, reason: str) -> None:
        """No worker can be started: what is next in the queue fails with the reason, instead of waiting for ever."""
        _log.error("a worker could not be started: %s", reason)
        record = self._next_queued()
        if record is not None:
            record.error = f"no worker could be started for it: {reason}"
            self._set_status(record, ExecutionStatus.FAILED)

    # --- state ---------------------------------------------------------------------------------------------------

    def _find(self, execution_id: str) -> Record | None:
        return self._active.get(execution_id) or self._store.find(execution_id)

    def _set_status(self, record: Record, status: ExecutionStatus) -> None:
        record.status = advance(record.status, status)
        if status is ExecutionStatus.RUNNING:
            record.started_at = time.time()
        if status in TERMINAL or status is ExecutionStatus.INTERRUPTED:
            record.ended_at = time.time()
            self._active.pop(record.execution_id, None)
        self._tell_state(record)

    def _tell_state(self, record: Record) -> None:
        self._tell(record, pack_state(record))
        self._store.update(record)

    def _tell(self, record: Record, batch: bytes) -> None:
        """Keep a batch and, once it is on disk, publish it."""
        self._store.append_events(record, batch)
        if self.has_listeners:
            self._changed[0][record.execution_id] = record.event_count
        topic = record.execution_id.encode()
        self._after_commit.append((record.execution_id, lambda: self.publish(topic, batch)))

    def _queue_places(self) -> dict[str, int]:
        queued = [entry[2] for entry in sorted(self._queue) if self._is_queued(entry[2])]
        return {execution_id: place for place, execution_id in enumerate(queued)}

    def _is_queued(self, execution_id: str) -> bool:
        record = self._active.get(execution_id)
        return record is not None and record.status is ExecutionStatus.QUEUED

    def _next_queued(self) -> Record | None:
        while self._queue:
            execution_id = heapq.heappop(self._queue)[2]
            if self._is_queued(execution_id):
                return self._active[execution_id]
        return None

    # --- turn ----------------------------------------------------------------------------------------------------

    def before_replies(self) -> None:
        """Write the turn to disk, then publish it and hand out what can run."""
        self._commit()
        self._dispatch()

    def _commit(self) -> None:
        if self._retry is not None:
            if self._new:
                self._refuse_new("the server cannot write to its disk at the moment")
            return
        try:
            self._store.commit()
        except StoreError as error:
            _log.error("%s", error)
            self._refuse_new(str(error))
            self._retry = self.loop.call_later(_RETRY_WRITE_SECONDS, self._commit_again)
            self._pool.pause()
            return
        self._new.clear()
        actions, self._after_commit = self._after_commit, []
        for _, action in actions:
            action()

    def _commit_again(self) -> None:
        self._retry = None
        self._pool.resume()
        self._commit()

    def _refuse_new(self, reason: str) -> None:
        """What could not be written was not accepted."""
        for execution_id in self._new:
            self._store.discard(self._active.pop(execution_id))
        self._after_commit = [entry for entry in self._after_commit if entry[0] not in self._new]
        refusal = ErrorResponse(code=ErrorCode.STORAGE, message=f"not accepted: {reason}")
        for position, (envelope, response) in enumerate(self.pending_replies):
            if isinstance(response, AcceptedResponse) and response.execution_id in self._new:
                self.pending_replies[position] = (envelope, refusal)
        self._new.clear()

    def _dispatch(self) -> None:
        while self._queue and self._retry is None and (worker := self._pool.idle()) is not None:
            record = self._next_queued()
            if record is None:
                return
            assign = Assign(
                request=self._store.request_of(record),
                checkpoints=self._store.checkpoints_of(record),
                progress_count=record.progress_count,
                log_count=record.log_count,
            )
            worker.reserve(record.execution_id)
            self._set_status(record, ExecutionStatus.RUNNING)
            self._after_commit.append((record.execution_id, functools.partial(worker.assign, assign)))
            self._commit()

    # --- data channel --------------------------------------------------------------------------------------------

    def on_subscribed(self, topic: bytes) -> None:
        """Tell a subscriber of one execution how far it is, so that it can ask for what it lacks."""
        record = self._find(topic.decode(errors="replace"))
        if record is not None:
            self.publish(topic, empty_batch(record))

    def event_positions(self) -> dict[str, int]:
        """What changed since the heartbeat before the last."""
        now, before = self._changed
        self._changed = ({}, now)
        return {**before, **now}


def _cancel_report(record: Record, status: str, message: str) -> CancelResponse:
    return CancelResponse(
        execution_id=record.execution_id,
        status=status,
        execution_status=record.status,
        message=f"execution {record.execution_id}: {message}",
    )


def _not_found(execution_id: str) -> ErrorResponse:
    return ErrorResponse(code=ErrorCode.NOT_FOUND, message=f"this server has no execution {execution_id}")
