"""What a server knows of its executions: in memory while they are open, on disk always, with the events they cause.

Changes are collected through a turn of the server's loop and become visible together: :meth:`Ledger.commit` writes
them, and only what is written is published or acted on.
"""

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.event_batches import compact
from zmqruntime.execution.events.worker_messages import TaskReportsRaw
from zmqruntime.execution.lifecycle import advance, has_ended
from zmqruntime.execution.server.damage import whole_batches
from zmqruntime.execution.server.queue import Backlog
from zmqruntime.execution.server.store import Record, Store, StoreError
from zmqruntime.messages import AcceptedResponse, ExecuteRequest, ExecutionStatus, PackedExecuteRequest

__all__ = ["Ledger"]

_log = logging.getLogger(__name__)

_COMPACT_ABOVE_BYTES = 8 * 1024 * 1024
_WORTH_COMPACTING = 0.75
_PRUNE_AT_ONCE = 20


class _EventSize:
    """How many bytes of events an open execution has on disk, and when it is worth looking through them."""

    def __init__(self) -> None:
        self.size = 0
        self.compact_above = _COMPACT_ABOVE_BYTES


class Ledger:
    """All executions of one server; on its loop's thread only.

    Args:
        store: the database.
        publish: sends an encoded batch of an execution to whoever follows it.
        on_event: told, for each batch, how many events the execution has now.
    """

    def __init__(
        self, store: Store, publish: Callable[[str, bytes], None], on_event: Callable[[str, int], None]
    ) -> None:
        self.active: dict[str, Record] = {}
        self._started: dict[str, Record] = {}
        self.backlog = Backlog()
        self.ended_counts: Counter[ExecutionStatus] = Counter()
        self.paused = store.setting("paused")
        self.draining = store.setting("draining")
        self._store = store
        self._publish = publish
        self._on_event = on_event
        self._new: dict[str, Record] = {}
        self._run_began: dict[str, float] = {}
        self._just_ended: dict[str, Record] = {}
        self._after_commit: list[tuple[str, Callable[[], None]]] = []
        self._event_sizes: dict[str, _EventSize] = {}
        self._to_compact: dict[str, Record] = {}

    # --- finding -------------------------------------------------------------------------------------------------

    def find(self, execution_id: str) -> Record | None:
        """One execution, open or ended."""
        unwritten = self.active.get(execution_id) or self._just_ended.get(execution_id)
        return unwritten or self._store.find(execution_id)

    def in_full(self, execution_id: str) -> Record | None:
        """The same with what it left behind, unless that is long."""
        record = self.find(execution_id)
        if record is not None:
            self._store.add_outcome(record)
        return record

    def ids_from(self, prefix: str, limit: int) -> list[str]:
        """Ids that begin with ``prefix``, in their order."""
        new = [execution_id for execution_id in self._new if execution_id.startswith(prefix)]
        return sorted({*new, *self._store.ids_from(prefix, limit)})[:limit]

    def result_piece(self, record: Record, offset: int, length: int) -> bytes:
        """Of a result that is in the database, encoded."""
        return self._store.result_piece(record, offset, length)

    def ended(self, limit: int, before: float | None = None, older_than: str | None = None) -> list[Record]:
        """Ended ones, newest first: of those before an execution, or before a time."""
        return self._store.ended_records(limit, before, older_than)

    def running(self) -> list[Record]:
        """Those that are neither queued nor ended."""
        return list(self._started.values())

    def queued(self, limit: int) -> list[Record]:
        """Queued ones in the order in which they will run, then those that wait for a retry; ``limit`` at most."""
        ids = self.backlog.ordered(limit)
        if len(ids) < limit and len(ids) < self.queued_count:
            waiting = (key for key in self.active if key not in self._started and key not in self.backlog)
            ids += itertools.islice(waiting, limit - len(ids))
        return [self.active[execution_id] for execution_id in ids]

    @property
    def running_count(self) -> int:
        """How many are neither queued nor ended."""
        return len(self._started)

    @property
    def queued_count(self) -> int:
        """How many are queued, those that wait for a retry among them."""
        return len(self.active) - len(self._started)

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """What its processes are started with; None for the server's own environment."""
        return self._store.environment_of(record)

    def events_after(self, record: Record, after: int) -> list[bytes]:
        """Stored batches after an event, encoded, as many as fit one reply."""
        return whole_batches(record.execution_id, after, self._store.events_after(record.number, after))

    def stored_event_count(self, record: Record) -> int:
        """How many events are stored: fewer than the record counts while this turn's are not."""
        return self._store.event_count(record.number)

    def assignment(self, record: Record) -> tuple[PackedExecuteRequest, dict[str, msgspec.Raw]]:
        """What a worker needs to run it: the request and the checkpoints of an interrupted run."""
        return self._store.request_of(record), self._store.checkpoints_of(record)

    # --- changing ------------------------------------------------------------------------------------------------

    def take_over(self) -> list[Record]:
        """Load what an earlier run of the server left open; each is in ``active``, none in the backlog yet."""
        records = self._store.open_records()
        self.active.update((record.execution_id, record) for record in records)
        self._started.update((r.execution_id, r) for r in records if r.status is not ExecutionStatus.QUEUED)
        return records

    def accept(self, request: ExecuteRequest) -> AcceptedResponse:
        """Queue a request, unless its id is known already."""
        record = self.find(request.submission_id)
        duplicate = record is not None
        if record is None:
            record = self._store.create(request)
            self.active[record.execution_id] = record
            self._new[record.execution_id] = record
            self.enqueue(record)
            self._store.insert(record, request)
            self._tell_state(record)
        return AcceptedResponse(execution_id=record.execution_id, duplicate=duplicate, status=record.status)

    def find_conflict(self, requests: list[ExecuteRequest]) -> str | None:
        """The id of a request that was submitted before, or is here twice, with other content; None without one."""
        seen: dict[str, bytes] = {}
        for request in requests:
            execution_id, content = request.submission_id, encode(request)
            if execution_id not in seen:
                record = self.find(execution_id)
                seen[execution_id] = content if record is None else encode(self._store.request_of(record))
            if seen[execution_id] != content:
                return execution_id
        return None

    def enqueue(self, record: Record) -> None:
        """Put a queued record into the order of execution."""
        self.backlog.add(record.execution_id, record.priority, record.rank, record.number, record.held)

    def set_status(self, record: Record, status: ExecutionStatus) -> None:
        """Take an execution to its next status.

        Raises:
            IllegalTransitionError: the lifecycle has no such way; nothing was changed.
        """
        record.status = advance(record.status, status)
        self.backlog.remove(record.execution_id)
        if status is ExecutionStatus.RUNNING:
            record.started_at = time.time()
            record.run_seconds = None
            record.attempts += 1
            self._run_began[record.execution_id] = time.monotonic()
        if status is ExecutionStatus.QUEUED:
            record.ended_at = record.started_at = None
        elif status is not ExecutionStatus.CANCELLING and status is not ExecutionStatus.RUNNING:
            began = self._run_began.pop(record.execution_id, None)
            record.run_seconds = None if began is None else time.monotonic() - began
        if status is ExecutionStatus.QUEUED or has_ended(status, record.resumable):
            self._started.pop(record.execution_id, None)
        else:
            self._started[record.execution_id] = record
        if has_ended(status, record.resumable):
            record.ended_at = time.time()
            self._store.note_end(record)
            self.ended_counts[status] += 1
            self.active.pop(record.execution_id, None)
            self._just_ended[record.execution_id] = record
            self._event_sizes.pop(record.execution_id, None)
            if status is not ExecutionStatus.INTERRUPTED:
                self._store.forget_checkpoints(record)
        else:
            self.active[record.execution_id] = record
            self._just_ended.pop(record.execution_id, None)
        self._tell_state(record)

    def reorder(self, record: Record, position: int) -> None:
        """Move a queued execution to a place among those of its priority."""
        record.rank = self.backlog.rank_for(record.execution_id, position)
        self.backlog.remove(record.execution_id)
        self.enqueue(record)
        self._store.update(record)

    def set_held(self, record: Record, held: bool) -> None:
        """Let a queued execution wait until it is released, or release it."""
        record.held = held
        (self.backlog.hold if held else self.backlog.release)(record.execution_id)
        self._tell_state(record)

    def set_paused(self, paused: bool) -> None:
        """Let nothing be started, or let it again."""
        self.paused = paused
        self._store.set_setting("paused", paused)

    def set_draining(self, draining: bool) -> None:
        """Let nothing be accepted, or let it again."""
        self.draining = draining
        self._store.set_setting("draining", draining)

    def add_reports(self, record: Record, reports: TaskReportsRaw) -> None:
        """Progress and log lines of a running task."""
        record.progress_count, record.log_count = reports.progress_count, reports.log_count
        self._note_unwritten(record)
        self._store.append_events(record, reports.reports)

    def keep_checkpoint(self, record: Record, key: str, value: msgspec.Raw) -> None:
        """A value for a resumed run."""
        self._store.save_checkpoint(record, key, value)

    def keep_uptime(self) -> None:
        """Write for how long the server has run."""
        self._store.keep_uptime()

    def prune(self, keep: int, max_age_seconds: float) -> list[str]:
        """Forget some of the oldest ended executions that are too many or too old; returns which."""
        self._store.keep_uptime()
        return self._store.prune(keep, max_age_seconds, _PRUNE_AT_ONCE)

    # --- the end of a turn ---------------------------------------------------------------------------------------

    def after_commit(self, execution_id: str, action: Callable[[], None]) -> None:
        """Do something about an execution once what it is now is on disk."""
        self._after_commit.append((execution_id, action))

    @property
    def is_urgent(self) -> bool:
        """Whether what is to be written should not wait for more."""
        return self._store.is_urgent

    def commit(self) -> None:
        """Write all changes, then publish them.

        Raises:
            StoreError: nothing was written; what was not new stays for the next try, what was new call
                :meth:`drop_new` for.
        """
        written = self._store.commit()
        self._new.clear()
        self._just_ended.clear()
        actions, self._after_commit = self._after_commit, []
        for _, action in actions:
            action()
        for record, batch in written:
            self._on_event(record.execution_id, record.known_count)
            self._publish(record.execution_id, batch)
        for record, batch in written:
            self._note_size(record, len(batch))
        self._compact_one()

    def drop_new(self) -> set[str]:
        """Take back what was accepted since the last commit; returns which."""
        dropped, self._new = self._new, {}
        for execution_id, record in dropped.items():
            self.backlog.remove(execution_id)
            self.active.pop(execution_id, None)
            self._started.pop(execution_id, None)
            self._just_ended.pop(execution_id, None)
            self._store.discard(record)
        self._after_commit = [entry for entry in self._after_commit if entry[0] not in dropped]
        return set(dropped)

    # --- inside --------------------------------------------------------------------------------------------------

    def _tell_state(self, record: Record) -> None:
        self._note_unwritten(record)
        self._store.append_state(record)
        self._store.update(record)

    def _note_unwritten(self, record: Record) -> None:
        if record.written_count is None:
            record.written_count = record.event_count

    def _note_size(self, record: Record, size: int) -> None:
        """Compact the events of an open execution when they have become many."""
        if record.execution_id not in self.active:
            return
        known = self._event_sizes.setdefault(record.execution_id, _EventSize())
        known.size += size
        if known.size > known.compact_above:
            self._to_compact[record.execution_id] = record

    def _compact_one(self) -> None:
        """One in a turn, since each takes a while; the next time it must have grown to twice what was left."""
        if not self._to_compact:
            return
        execution_id, record = self._to_compact.popitem()
        known = self._event_sizes.get(execution_id)
        if known is not None:
            try:
                known.size = self._compact(record, known.size)
            except (StoreError, MessageError) as error:
                _log.error("the events of %s cannot be compacted: %s", execution_id, error)
            known.compact_above = max(_COMPACT_ABOVE_BYTES, 2 * known.size)

    def _compact(self, record: Record, known: int) -> int:
        """Leave out what is superseded; how many bytes are left."""
        size = sum(len(batch) for _, batch in compact(self._store.events_backwards(record.number)))
        if size > _WORTH_COMPACTING * known:
            return size
        self._store.replace_events(record, list(compact(self._store.events_backwards(record.number))))
        try:
            self._store.commit()
        except StoreError as error:  # its writes stay for the next commit
            _log.warning("the events of %s could not be compacted now: %s", record.execution_id, error)
        return size
