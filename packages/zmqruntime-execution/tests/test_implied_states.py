"""State events that are not stored: all read what was published, and databases of earlier releases keep theirs."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from zmqruntime import ExecuteRequest, ExecutionStatus, LogLevel, LogLine, StateChange
from zmqruntime.codec import Decoder, encode
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.events.event_batches import numbers_of
from zmqruntime.execution.events.worker_messages import TaskReportsRaw
from zmqruntime.execution.server.damage import crc_of
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.execution.server.store import Record, Store
from zmqruntime.execution.server.stored import StoredExecutions
from zmqruntime.messages import Event, EventBatch, ExecutionSnapshot

S = ExecutionStatus
decode_batch: Decoder[EventBatch] = Decoder(EventBatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "executions.sqlite"


@contextlib.contextmanager
def ledger_at(path: Path) -> Iterator[tuple[Ledger, list[tuple[str, bytes]]]]:
    """A ledger with its executions, and what it has published."""
    store = Store(path)
    published: list[tuple[str, bytes]] = []
    ledger = Ledger(store, published.extend, lambda execution_id, count: None)
    ledger.take_over()
    yield ledger, published
    store.close()


def commit(ledger: Ledger) -> None:
    ledger.commit()
    ledger.tell()


def run(ledger: Ledger, *statuses: ExecutionStatus, outcome: object = None) -> Record:
    """An execution that goes through these statuses, with a commit after each, and a log line when it runs."""
    execution_id = f"execution-{len(ledger.active)}-{ledger.ended_counts.total()}"
    ledger.accept(ExecuteRequest(submission_id=execution_id, name="sum", queue="fast", resumable=True))
    commit(ledger)
    record = ledger.active[execution_id]
    for status in statuses:
        if status is S.COMPLETE and outcome is not None:
            record.result, record.has_new_outcome = encode(outcome), True
            record.result_bytes = len(record.result)
        ledger.set_status(record, status)
        commit(ledger)
        if status is S.RUNNING:
            say(ledger, record)
    return record


def say(ledger: Ledger, record: Record) -> None:
    line = LogLine(
        execution_id=record.execution_id,
        sequence=record.log_count + 1,
        timestamp=1.0,
        level=LogLevel.INFO,
        logger="t",
        text="said",
    )
    reports = TaskReportsRaw(
        execution_id=record.execution_id,
        attempt=record.attempts,
        reports=[msgspec.Raw(encode(line))],
        progress_count=0,
        log_count=line.sequence,
    )
    ledger.add_reports(record, reports)
    commit(ledger)


def events_in(batches: list[bytes]) -> dict[int, Event]:
    decoded = [decode_batch(batch) for batch in batches]
    return {number: event for each in decoded for number, event in zip(numbers_of(each), each.events, strict=True)}


def rows_of(path: Path, query: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("statuses", "stored"),
    [
        ((S.RUNNING, S.COMPLETE), 1),  # the log line
        ((S.RUNNING, S.FAILED), 1),
        ((S.CANCELLED,), 2),
        ((S.RUNNING, S.CANCELLING, S.CANCELLED), 4),
        ((S.RUNNING, S.INTERRUPTED, S.QUEUED, S.RUNNING, S.COMPLETE), 7),
        ((S.RUNNING, S.QUEUED, S.RUNNING, S.FAILED), 6),
    ],
)
def test_what_is_read_later_is_what_was_published(
    path: Path, statuses: tuple[ExecutionStatus, ...], stored: int
) -> None:
    with ledger_at(path) as (ledger, published):
        record = run(ledger, *statuses, outcome=[1, "two"])
        told = events_in([batch for _, batch in published])
        assert list(told) == list(range(1, record.event_count + 1))
        assert [e.execution.status for e in told.values() if isinstance(e, StateChange)] == [S.QUEUED, *statuses]
        found = ledger.find(record.execution_id)
        assert found is not None
        for after in range(record.event_count + 1):
            batches, upto = ledger.events_after(found, after)
            later = {number: event for number, event in events_in(batches).items() if number > after}
            assert (later, upto) == ({n: e for n, e in told.items() if n > after}, record.event_count)
    assert len(rows_of(path, "SELECT upto FROM event_batches")) == stored


def test_a_lone_execution_writes_five_rows(path: Path) -> None:
    with ledger_at(path) as (ledger, _):
        statements: list[str] = []
        ledger._store._database.connection.set_trace_callback(statements.append)
        run(ledger, S.RUNNING, S.COMPLETE, outcome=1)
        ledger._store._database.connection.set_trace_callback(None)
    words = [statement.split()[0] for statement in statements]
    # The row and the submission; the start; a log line and its count; the end and the outcome.
    assert (words.count("INSERT"), words.count("UPDATE"), words.count("COMMIT")) == (4, 3, 4)
    assert words.count("SELECT") == 1


def test_an_end_whose_outcome_is_damaged_is_told_as_damaged(path: Path) -> None:
    with ledger_at(path) as (ledger, _):
        record = run(ledger, S.RUNNING, S.COMPLETE, outcome="value")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE outcomes SET result = X'07'")
        connection.commit()
    with ledger_at(path) as (ledger, _):
        found = ledger.find(record.execution_id)
        assert found is not None
        *before, last = events_in(ledger.events_after(found, 0).batches).values()
    assert len(before) == record.event_count - 1
    assert isinstance(last, LogLine)
    assert last.text == f"the database is damaged: events {record.event_count} to {record.event_count} of this " + (
        "execution cannot be read"
    )


def test_rows_that_are_missing_in_between_are_told_as_damaged(path: Path) -> None:
    with ledger_at(path) as (ledger, _):
        record = run(ledger, S.RUNNING, S.COMPLETE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM event_batches")
        connection.commit()
    with ledger_at(path) as (ledger, _):
        found = ledger.find(record.execution_id)
        assert found is not None
        first, second, line, end = events_in(ledger.events_after(found, 0).batches).values()
    assert isinstance(line, LogLine)
    assert "events 3 to 3 of this execution cannot be read" in line.text
    assert [e.execution.status for e in (first, second, end) if isinstance(e, StateChange)] == [
        *(S.QUEUED, S.RUNNING, S.COMPLETE)
    ]


def test_a_count_of_implied_states_that_is_not_the_written_one_is_refused(path: Path) -> None:
    with ledger_at(path) as (ledger, _):
        run(ledger, S.RUNNING, S.COMPLETE)
        run(ledger, S.RUNNING, S.COMPLETE)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE executions SET implied_states = 2 WHERE number = 1")
        connection.execute("UPDATE executions SET implied_states = NULL WHERE number = 2")
        connection.commit()
    store = Store(path)
    assert store.ended_records(10) == []
    store.close()


# --- earlier releases -------------------------------------------------------------------------------------------------

EARLIER = len(MIGRATIONS[:4])


def earlier_database(path: Path) -> dict[str, list[bytes]]:
    """A database of the release before implied states, with one execution that has ended and one that runs."""
    batches: dict[str, list[bytes]] = {}
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(f"{''.join(MIGRATIONS[:EARLIER])} PRAGMA user_version = {EARLIER};")
        for number, ends in ((1, True), (2, False)):
            statuses = [S.QUEUED, S.RUNNING, *([S.COMPLETE] if ends else [])]
            row: dict[str, object] = {
                **{"number": number, "execution_id": f"earlier-{number}", "plate_id": "", "priority": 0},
                **{"soft_time_limit": None, "time_limit": None, "max_retries": 0, "retry_delay": 1, "resumable": 0},
                **{"submitted_at": 1.5, "environment": None, "rank": number, "held": 0, "status": str(statuses[-1])},
                **{"started_at": 2.5, "ended_at": 3.5 if ends else None, "not_before": None, "attempts": 1},
                **{"worker_deaths": 0, "error": None, "result_bytes": None, "run_seconds": None},
                **{"ended_order": 1 if ends else None, "ended_uptime": 0 if ends else None, "cpu_seconds": None},
                **{"peak_memory_bytes": None, "event_count": len(statuses), "state_count": len(statuses)},
                **{"progress_count": 0, "log_count": 0},
            }
            row["crc"] = crc_of(*row.values())
            names = ", ".join(row)
            old.execute(f"INSERT INTO executions ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
            payload = encode({"n": number})
            old.execute("INSERT INTO submissions VALUES (?, ?, ?)", (number, payload, crc_of(number, payload)))
            kept = batches[f"earlier-{number}"] = [state(number, place, each) for place, each in enumerate(statuses, 1)]
            rows = [(number, place, batch) for place, batch in enumerate(kept, 1)]
            old.executemany("INSERT INTO event_batches VALUES (?, ?, ?)", rows)
        old.commit()
    return batches


def state(number: int, place: int, status: ExecutionStatus) -> bytes:
    snapshot = ExecutionSnapshot(
        execution_id=f"earlier-{number}", plate_id="", status=status, submitted_at=1.5, event_count=place
    )
    change = StateChange(sequence=place, timestamp=float(place), execution=snapshot)
    return encode(EventBatch(execution_id=f"earlier-{number}", after=place - 1, upto=place, events=[change]))


def test_a_database_of_the_release_before_keeps_all_its_events_and_goes_on(path: Path) -> None:
    before = earlier_database(path)
    with ledger_at(path) as (ledger, published):
        for execution_id, batches in before.items():
            found = ledger.find(execution_id)
            assert found is not None
            assert ledger.events_after(found, 0) == (batches, len(batches))
        record = ledger.active["earlier-2"]
        ledger.set_status(record, S.COMPLETE)
        commit(ledger)
        (new,) = [batch for _, batch in published]
        assert ledger.events_after(record, 0) == ([*before["earlier-2"], new], 3)
    with ledger_at(path) as (ledger, _):
        assert [each.execution_id for each in ledger.ended(10)] == ["earlier-2", "earlier-1"]
        later = ledger.find("earlier-2")
        assert later is not None
        assert ledger.events_after(later, 0).batches == [*before["earlier-2"], new]


@pytest.mark.parametrize("version", range(len(MIGRATIONS)))
def test_every_earlier_schema_is_taken_over(path: Path, version: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.executescript(f"{''.join(MIGRATIONS[:version])} PRAGMA user_version = {version};")
    with ledger_at(path) as (ledger, published):
        record = run(ledger, S.RUNNING, S.COMPLETE)
        assert events_in(ledger.events_after(record, 0).batches) == events_in([batch for _, batch in published])
    assert rows_of(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]


# --- with a server ---------------------------------------------------------------------------------------------------


def test_a_late_reader_and_one_without_the_server_see_what_a_follower_saw(
    make_client: Callable[..., ExecutionClient],
) -> None:
    client = make_client(persistent=True)
    execution_id = client.submit({"do": "steps", "count": 3, "size": 10})
    live = list(client.events(execution_id))
    assert list(client.events(execution_id)) == live
    assert [event.number for event in live] == list(range(1, len(live) + 1))
    with StoredExecutions(client.config, client.port, server_has_ended=False) as disk:
        assert disk.events(execution_id) == live
    client.shutdown_server()
    with StoredExecutions(client.config, client.port) as disk:
        assert disk.events(execution_id) == live
    client.connect()
    assert list(client.events(execution_id)) == live
    client.shutdown_server()
