"""The ledger against a model: whatever is done and wherever it crashes, what was committed is what it knows."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from zmqruntime import ExecuteRequest, ExecutionStatus, LogLevel, LogLine, StateChange
from zmqruntime.codec import Decoder, encode
from zmqruntime.execution import IllegalTransitionError
from zmqruntime.execution.events.event_batches import numbers_of
from zmqruntime.execution.events.worker_messages import TaskReportsRaw
from zmqruntime.execution.lifecycle import TERMINAL, advance, has_ended
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.store import Record, Store
from zmqruntime.messages import Event, EventBatch

S = ExecutionStatus
decode_batch: Decoder[EventBatch] = Decoder(EventBatch)


class LedgerMachine(RuleBasedStateMachine):
    """Random changes, commits and crashes."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger"))
        self.number = 0
        self.now: dict[str, list[ExecutionStatus]] = {}
        self.committed: dict[str, list[ExecutionStatus]] = {}
        self.logged: dict[str, int] = {}
        self.committed_logged: dict[str, int] = {}
        self.resumable: dict[str, bool] = {}
        self.published: dict[str, dict[int, Event]] = {}
        self.open()

    def open(self) -> None:
        self.store = Store(self.folder / "executions.sqlite")
        self.ledger = Ledger(self.store, self.publish, lambda execution_id, count: None)
        for record in self.ledger.take_over():
            if record.status is S.QUEUED:
                self.ledger.enqueue(record)

    def publish(self, batches: Iterable[tuple[str, bytes]]) -> None:
        for execution_id, data in batches:
            assert execution_id in self.now
            batch = decode_batch(data)
            events = dict(zip(numbers_of(batch), batch.events, strict=True))
            assert not events.keys() & self.published.get(execution_id, {}).keys()
            self.published.setdefault(execution_id, {}).update(events)

    @rule(target=ids, priority=st.integers(-1, 1), resumable=st.booleans())
    def accept(self, priority: int, resumable: bool) -> str:
        self.number += 1
        execution_id = f"execution-{self.number}"
        request = ExecuteRequest(submission_id=execution_id, priority=priority, resumable=resumable)
        assert not self.ledger.accept(request).duplicate
        assert self.ledger.accept(request).duplicate
        self.now[execution_id] = [S.QUEUED]
        self.logged[execution_id] = 0
        self.resumable[execution_id] = resumable
        return execution_id

    @rule(execution_id=ids, status=st.sampled_from(S), outcome=st.integers(0, 3))
    def change(self, execution_id: str, status: ExecutionStatus, outcome: int) -> None:
        record = self.ledger.active.get(execution_id)
        if record is None:
            return
        before = record.status
        try:
            advance(before, status)
        except IllegalTransitionError:
            with pytest.raises(IllegalTransitionError):
                self.ledger.set_status(record, status)
            assert record.status is before
            return
        if outcome and before is S.RUNNING and status in (S.COMPLETE, S.FAILED):
            record.result, record.traceback, record.has_new_outcome = encode(outcome), f"line {outcome}", True
            record.error, record.cpu_seconds, record.peak_memory_bytes = "wrong", 1.5, outcome
        self.ledger.set_status(record, status)
        if status is S.QUEUED:
            self.ledger.enqueue(record)
        self.now[execution_id].append(status)

    @rule(execution_id=ids, count=st.integers(1, 3))
    def log(self, execution_id: str, count: int) -> None:
        record = self.ledger.active.get(execution_id)
        if record is None:
            return
        numbers = range(record.log_count + 1, record.log_count + count + 1)
        reports = [msgspec.Raw(encode(line(execution_id, number))) for number in numbers]
        message = TaskReportsRaw(
            execution_id=execution_id,
            attempt=1,
            reports=reports,
            progress_count=record.progress_count,
            log_count=numbers[-1],
        )
        self.ledger.add_reports(record, message)
        self.logged[execution_id] += count

    @rule()
    def commit(self) -> None:
        self.ledger.commit()
        self.ledger.tell()
        self.committed = {execution_id: list(states) for execution_id, states in self.now.items()}
        self.committed_logged = dict(self.logged)

    @rule()
    def take_back_what_is_new(self) -> None:
        for execution_id in self.ledger.drop_new():
            assert execution_id not in self.committed
            for known in (self.now, self.logged, self.resumable):
                known.pop(execution_id)

    @rule()
    def crash(self) -> None:
        self.store.close()
        self.now = {execution_id: list(states) for execution_id, states in self.committed.items()}
        self.logged = dict(self.committed_logged)
        self.open()

    @rule(execution_id=ids)
    def read_back(self, execution_id: str) -> None:
        record = self.ledger.find(execution_id)
        if record is None:
            assert execution_id not in self.committed
            return
        self.commit()
        numbered, upto = self.stored(record)
        assert numbered == self.published[execution_id]
        assert list(numbered) == list(range(1, record.event_count + 1))
        assert upto == record.event_count
        events = list(numbered.values())
        states = [event.execution.status for event in events if isinstance(event, StateChange)]
        assert states == self.now[execution_id]
        lines = [event.sequence for event in events if isinstance(event, LogLine)]
        assert lines == list(range(1, self.logged[execution_id] + 1))
        assert record.event_count == len(events)

    @rule(execution_id=ids)
    def read_in_the_middle_of_a_turn(self, execution_id: str) -> None:
        record = self.ledger.find(execution_id)
        if record is not None:
            told = self.published.get(execution_id, {})
            assert self.stored(record) == (told, len(told))

    def stored(self, record: Record) -> tuple[dict[int, Event], int]:
        found, upto = self.ledger.events_after(record, 0)
        batches = [decode_batch(batch) for batch in found]
        return {n: e for batch in batches for n, e in zip(numbers_of(batch), batch.events, strict=True)}, upto

    @rule(execution_id=ids, held=st.booleans())
    def hold(self, execution_id: str, held: bool) -> None:
        if execution_id in self.ledger.backlog:
            self.ledger.set_held(self.ledger.active[execution_id], held)
            self.now[execution_id].append(S.QUEUED)

    @invariant()
    def the_backlog_holds_what_is_queued(self) -> None:
        queued = {execution_id for execution_id, states in self.now.items() if states[-1] is S.QUEUED}
        assert set(self.ledger.backlog.ordered()) == queued
        for execution_id, states in self.now.items():
            assert (execution_id in self.ledger.active) is not has_ended(states[-1], self.resumable[execution_id])
            assert not any(state in TERMINAL for state in states[:-1])

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


def line(execution_id: str, number: int) -> LogLine:
    return LogLine(
        execution_id=execution_id, sequence=number, timestamp=0.0, level=LogLevel.INFO, logger="t", text=str(number)
    )


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)


def test_what_a_task_kept_is_there_for_a_retry_that_follows_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "executions.sqlite")
    ledger = Ledger(store, lambda batches: None, lambda execution_id, count: None)
    ledger.accept(ExecuteRequest(submission_id="a", max_retries=1))
    record = ledger.active["a"]
    ledger.set_status(record, S.RUNNING)
    ledger.commit()
    ledger.keep_checkpoint(record, "tried", msgspec.Raw(encode([1])))
    assert ledger.assignment(record)[1] == {"tried": msgspec.Raw(encode([1]))}
    ledger.commit()
    ledger.keep_checkpoint(record, "again", msgspec.Raw(encode(2)))
    assert ledger.assignment(record)[1] == {"tried": msgspec.Raw(encode([1])), "again": msgspec.Raw(encode(2))}
    store.close()
