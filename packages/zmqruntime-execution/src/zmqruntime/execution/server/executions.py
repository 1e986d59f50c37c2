"""The executions of a server, always on disk and in memory while they are open, with their events.

Changes are collected during a turn of the server's loop and become visible together: :meth:`Ledger.commit` writes
them, and only written changes are acted on or, with :meth:`Ledger.tell`, published.
"""

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.event_batches import compact
from zmqruntime.execution.events.worker_messages import TaskReportsRaw
from zmqruntime.execution.lifecycle import advance, has_ended
from zmqruntime.execution.server.admission import Admission
from zmqruntime.execution.server.handovers import HandedOver
from zmqruntime.execution.server.queue import Backlog
from zmqruntime.execution.server.store import Record, Store, StoreError, Written
from zmqruntime.execution.server.stored_events import StoredEvents
from zmqruntime.messages import AcceptedResponse, ExecuteRequest, ExecutionStatus, PackedExecuteRequest

__all__ = ["Ledger"]

_log = logging.getLogger(__name__)

_COMPACT_ABOVE_BYTES = 8 * 1024 * 1024
_WORTH_COMPACTING = 0.75


class _EventSize:
    """Size in bytes of an open execution's events on disk, and the size above which to compact them."""

    def __init__(self) -> None:
        self.size = 0
        self.compact_above = _COMPACT_ABOVE_BYTES


class Ledger:
    """All executions of one server; on its loop's thread only.

    Args:
        store: The database.
        publish: Sends the encoded batches of a commit to those who follow their executions.
        on_event: Called for each batch with the number of events the execution has now.
        resources: What the server has; see :class:`Admission`.
    """

    def __init__(
        self,
        store: Store,
        publish: Callable[[Iterable[tuple[str, bytes]]], None],
        on_event: Callable[[str, int], None],
        resources: dict[str, float] | None = None,
    ) -> None:
        self.active: dict[str, Record] = {}
        self._started: dict[str, Record] = {}
        self.admission = Admission(store, self.find, resources)
        self.backlog: Backlog = self.admission.backlog
        self.ended_counts: Counter[ExecutionStatus] = Counter()
        self.paused = store.setting("paused")
        self.draining = store.setting("draining")
        self._store = store
        self._publish = publish
        self._on_event = on_event
        self._new: dict[str, Record] = {}
        self._run_began: dict[str, float] = {}
        self._just_ended: dict[str, Record] = {}
        self.on_end: Callable[[Record], None] = lambda record: None
        """Called for each execution once its end is on disk."""
        self._after_commit: list[tuple[str, Callable[[], None]]] = []
        self._untold: list[Written] = []
        self._event_sizes: dict[str, _EventSize] = {}
        self._to_compact: dict[str, Record] = {}

    # --- finding -------------------------------------------------------------------------------------------------

    def find(self, execution_id: str) -> Record | None:
        """Return an execution, open or ended, or None."""
        return self.find_many([execution_id]).get(execution_id)

    def find_many(self, execution_ids: Iterable[str]) -> dict[str, Record]:
        """Return those executions that are known, open or ended, by their ids."""
        found: dict[str, Record] = {}
        others: list[str] = []
        for execution_id in execution_ids:
            record = self.active.get(execution_id) or self._just_ended.get(execution_id)
            if record is None:
                others.append(execution_id)
            else:
                found[execution_id] = record
        for execution_id, record in (self._store.find_many(others) if others else {}).items():
            found[execution_id] = self._store.checked_end(record)
        return found

    def in_full(self, execution_id: str) -> Record | None:
        """Return an execution with its traceback and result, unless the result is large."""
        record = self.find(execution_id)
        if record is not None:
            self._store.add_outcome(record)
        return record

    def ids_from(self, prefix: str, limit: int) -> list[str]:
        """Return up to ``limit`` ids that start with ``prefix``, sorted."""
        new = [execution_id for execution_id in self._new if execution_id.startswith(prefix)]
        return sorted({*new, *self._store.ids_from(prefix, limit)})[:limit]

    def result_piece(self, record: Record, offset: int, length: int) -> bytes:
        """Return a piece of an encoded result in the database."""
        return self._store.result_piece(record, offset, length)

    def ended(self, limit: int, before: float | None = None, older_than: str | None = None) -> list[Record]:
        """Return ended executions, newest first, optionally only those before a time or an execution."""
        return self._store.ended_records(limit, before, older_than)

    def running(self) -> list[Record]:
        """Return the executions that are neither queued nor ended."""
        return list(self._started.values())

    def queued(self, limit: int) -> list[Record]:
        """Return up to ``limit`` queued executions in the order they will run, then those waiting for a retry."""
        ids = self.backlog.ordered(limit)
        if len(ids) < limit and len(ids) < self.queued_count:
            waiting = (key for key in self.active if key not in self._started and key not in self.backlog)
            ids += itertools.islice(waiting, limit - len(ids))
        return [self.active[execution_id] for execution_id in ids]

    @property
    def running_count(self) -> int:
        """Number of executions that are neither queued nor ended."""
        return len(self._started)

    @property
    def queued_count(self) -> int:
        """Number of queued executions, including those waiting for a retry."""
        return len(self.active) - len(self._started)

    def environment_of(self, record: Record) -> TaskEnvironment | None:
        """Return the environment of its processes; None for the server's own."""
        return self._store.environment_of(record)

    def events_after(self, record: Record, after: int) -> StoredEvents:
        """Return the events after an event, as many as fit into one reply, without those of the current turn.

        Those are published once they are written, and a reader whose reply overtakes them must not conclude that they
        were merged away.
        """
        return self._store.events_after(record, after)

    def assignment(self, record: Record) -> tuple[PackedExecuteRequest, dict[str, msgspec.Raw]]:
        """Return what a worker needs to run it: the request and the checkpoints of an interrupted run."""
        return self._store.request_of(record), self._store.checkpoints_of(record)

    def checkpoints_of(self, record: Record) -> dict[str, msgspec.Raw]:
        """Return the checkpoints of an interrupted or failed run."""
        return self._store.checkpoints_of(record)

    def requests_of(self, records: Sequence[Record]) -> dict[str, PackedExecuteRequest | StoreError]:
        """Return the requests of several executions by their ids; an error for one that cannot be read."""
        return self._store.requests_of(records)

    def handed_over(self) -> HandedOver | None:
        """Return what workers had been handed ahead when that was last written; None if nothing ever was."""
        return self._store.handed_over()

    # --- changing ------------------------------------------------------------------------------------------------

    def take_over(self) -> list[Record]:
        """Load the executions left open by the previous run of the server into ``active``, but not into the backlog."""
        records = self._store.open_records()
        self.active.update((record.execution_id, record) for record in records)
        self._started.update((r.execution_id, r) for r in records if r.status is not ExecutionStatus.QUEUED)
        for record in records:
            self.admission.add(record)
        self.admission.dependencies.forget_unneeded()
        return records

    def accept(self, request: ExecuteRequest, known: Mapping[str, Record] | None = None) -> AcceptedResponse:
        """Queue a request, unless its id is already known.

        Args:
            request: The submission.
            known: What :meth:`find_many` has returned for it in this turn, if it was asked.
        """
        execution_id = request.submission_id
        if known is None:
            known = self.find_many([execution_id])
        record = self.active.get(execution_id) or known.get(execution_id)
        duplicate = record is not None
        if record is not None and record.execution_id in self._new:  # as much a promise as the first reply
            self._store.update(record)
        if record is None:
            record = self._store.create(request)
            self.active[record.execution_id] = record
            self._new[record.execution_id] = record
            self.admission.add(record)
            self.enqueue(record)
            self._store.insert(record, request)
            self._tell_state(record)
        return AcceptedResponse(execution_id=record.execution_id, duplicate=duplicate, status=record.status)

    def find_conflict(self, requests: list[ExecuteRequest], known: Mapping[str, Record]) -> str | None:
        """Return the id of a request that was submitted before, or is included twice, with other content; else None.

        Args:
            requests: The submissions.
            known: Those of them that :meth:`find_many` has found.
        """
        first: dict[str, ExecuteRequest] = {}
        for request in requests:
            execution_id = request.submission_id
            if execution_id not in first:
                first[execution_id] = request
                if execution_id not in known:
                    continue
                first[execution_id] = self._store.request_of(known[execution_id])
            if _content(first[execution_id]) != _content(request):
                return execution_id
        return None

    def enqueue(self, record: Record) -> None:
        """Add a queued record to the backlog."""
        self.admission.enqueue(record)

    def set_status(self, record: Record, status: ExecutionStatus) -> None:
        """Change the status of an execution.

        Raises:
            IllegalTransitionError: The lifecycle does not allow this change; nothing was changed.
        """
        record.status = advance(record.status, status)
        self.backlog.remove(record.execution_id)
        if status is ExecutionStatus.RUNNING:
            self.admission.start(record)
            record.started_at = time.time()
            record.run_seconds = None
            record.attempts += 1
            self._run_began[record.execution_id] = time.monotonic()
        if status is ExecutionStatus.QUEUED:
            self._store.spell_out_states(record)
            record.ended_at = record.started_at = None
        elif status is not ExecutionStatus.CANCELLING and status is not ExecutionStatus.RUNNING:
            began = self._run_began.pop(record.execution_id, None)
            record.run_seconds = None if began is None else time.monotonic() - began
        if status is ExecutionStatus.QUEUED or has_ended(status, record.resumable):
            self._started.pop(record.execution_id, None)
            self.admission.stop(record.execution_id)
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
            self.admission.end(record, self.active.get)
        else:
            self.active[record.execution_id] = record
            self._just_ended.pop(record.execution_id, None)
        self._tell_state(record)

    def reorder(self, record: Record, position: int) -> None:
        """Move a queued execution to a position among those of its priority."""
        record.rank = self.backlog.rank_for(record.execution_id, position)
        self.backlog.remove(record.execution_id)
        self.enqueue(record)
        self._store.update(record)

    def set_held(self, record: Record, held: bool) -> None:
        """Hold a queued execution, or release it."""
        record.held = held
        self.admission.set_held(record)
        self._tell_state(record)

    def set_paused(self, paused: bool) -> None:
        """Pause starting executions, or resume."""
        self.paused = paused
        self._store.set_setting("paused", paused)

    def set_draining(self, draining: bool) -> None:
        """Stop accepting submissions, or resume."""
        self.draining = draining
        self._store.set_setting("draining", draining)

    def add_reports(self, record: Record, reports: TaskReportsRaw) -> None:
        """Add progress and log lines of a running task."""
        record.progress_count, record.log_count = reports.progress_count, reports.log_count
        self._store.append_events(record, reports.reports)

    def keep_checkpoint(self, record: Record, key: str, value: msgspec.Raw) -> None:
        """Keep a value for a resumed run."""
        self._store.save_checkpoint(record, key, value)

    def keep_handed_over(self, handed: HandedOver) -> None:
        """Write what workers are handed ahead."""
        self._store.keep_handed_over(handed)

    def keep_uptime(self) -> None:
        """Write the server's total uptime."""
        self._store.keep_uptime()

    def prune(self, keep: int, max_age_seconds: float, at_most: int) -> list[str]:
        """Delete some of the oldest ended executions beyond the limits of number and age; return their ids."""
        self._store.keep_uptime()
        pruned = self._store.prune(keep, max_age_seconds, at_most)
        self.admission.dependencies.keep(pruned)
        return pruned

    # --- the end of a turn ---------------------------------------------------------------------------------------

    def after_commit(self, execution_id: str, action: Callable[[], None]) -> None:
        """Run an action once the current state of the execution is on disk."""
        self._after_commit.append((execution_id, action))

    @property
    def is_urgent(self) -> bool:
        """Whether pending writes should not wait for further ones."""
        return self._store.is_urgent

    def commit(self) -> None:
        """Write all changes, then act on them; :meth:`tell` publishes them.

        Raises:
            StoreError: Nothing was written. Changes of existing executions are kept for the next attempt; call
                :meth:`drop_new` for new executions.
        """
        written = self._store.commit()
        self._new.clear()
        ended, self._just_ended = self._just_ended, {}
        for record in ended.values():
            self.on_end(record)
        actions, self._after_commit = self._after_commit, []
        for _, action in actions:
            action()
        self._untold += written

    def tell(self) -> None:
        """Publish what was written."""
        written, self._untold = self._untold, []
        if not written:
            return
        for record, _ in written:
            self._on_event(record.execution_id, record.known_count)
        self._publish([(record.execution_id, batch) for record, batch in written])
        for record, batch in written:
            self._note_size(record, len(batch))
        self._compact_one()

    def drop_new(self) -> set[str]:
        """Remove the executions accepted since the last commit; return their ids."""
        dropped, self._new = self._new, {}
        for execution_id, record in dropped.items():
            if execution_id in self.active:
                self.admission.drop(record)
            self.active.pop(execution_id, None)
            self._started.pop(execution_id, None)
            self._just_ended.pop(execution_id, None)
            self._store.discard(record)
        self._after_commit = [entry for entry in self._after_commit if entry[0] not in dropped]
        return set(dropped)

    # --- inside --------------------------------------------------------------------------------------------------

    def _tell_state(self, record: Record) -> None:
        self._store.append_state(record)

    def _note_size(self, record: Record, size: int) -> None:
        """Schedule compaction of an open execution's events once they have grown too large."""
        if record.execution_id not in self.active:
            return
        known = self._event_sizes.setdefault(record.execution_id, _EventSize())
        known.size += size
        if known.size > known.compact_above:
            self._to_compact[record.execution_id] = record

    def _compact_one(self) -> None:
        """Compact one execution per turn, since it takes a while; the next time only after it has doubled in size."""
        if not self._to_compact:
            return
        execution_id, record = self._to_compact.popitem()
        known = self._event_sizes.get(execution_id)
        if known is not None:
            try:
                known.size = self._compact(record, known.size)
            except (StoreError, MessageError) as error:
                _log.error("cannot compact the events of execution %s: %s", execution_id, error)
            known.compact_above = max(_COMPACT_ABOVE_BYTES, 2 * known.size)

    def _compact(self, record: Record, known: int) -> int:
        """Remove superseded events; return the remaining size in bytes."""
        size = sum(len(batch) for _, batch in compact(self._store.events_backwards(record)))
        if size > _WORTH_COMPACTING * known:
            return size
        self._store.replace_events(record, list(compact(self._store.events_backwards(record))))
        try:
            self._store.commit()
        except StoreError as error:  # its writes are kept for the next commit
            _log.warning("could not compact the events of execution %s yet: %s", record.execution_id, error)
        return size


def _content(request: ExecuteRequest) -> bytes:
    """Return what makes two submissions equal: all but the trace, which each attempt has of its own."""
    return encode(msgspec.structs.replace(request, trace="") if request.trace else request)
