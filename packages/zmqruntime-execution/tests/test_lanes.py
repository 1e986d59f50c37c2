"""What may start next, without a server: lanes, dependencies, rates and what a restart makes of them."""

import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from zmqruntime import ConfigurationError, ExecuteRequest, ExecutionStatus
from zmqruntime.execution import Concurrency, Rate
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.gates import checked_resources
from zmqruntime.execution.server.record import Record
from zmqruntime.execution.server.store import Store

S = ExecutionStatus
Open = Callable[[], Ledger]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the executions in a folder, as a server that starts there has them."""
    with contextlib.ExitStack() as stack:

        def open_again() -> Ledger:
            stack.close()
            return opened_in(tmp_path, stack)

        yield open_again


def opened_in(folder: Path, stack: contextlib.ExitStack) -> Ledger:
    store = Store(folder / "executions.sqlite")
    stack.callback(store.close)
    ledger = Ledger(store, lambda *_: None, lambda *_: None, {"gpu": 2})
    for record in ledger.take_over():
        if record.status is S.QUEUED:
            ledger.enqueue(record)
    return ledger


def submit(ledger: Ledger, name: str, **fields: Any) -> Record:
    request = ExecuteRequest(submission_id=f"execution-{name}", name=name, **fields)
    refusal = ledger.admission.refusal([request])
    assert refusal is None, refusal.message
    ledger.accept(request)
    return ledger.active[request.submission_id]


def start_all(ledger: Ledger) -> list[str]:
    """Start what may start, and return the names."""
    started = []
    while (record := ledger.admission.next_one(ledger.active.__getitem__)) is not None:
        ledger.set_status(record, S.RUNNING)
        started.append(record.name)
    return started


NEEDS = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["default", "slow", "off"]),
        "priority": st.integers(-1, 1),
        "resources": st.sampled_from([{"gpu": 1}, {"gpu": 2}, {"gpu": 0.5, "threads": 0.5}]),
        "concurrency": st.sampled_from([Concurrency("a", 1), Concurrency("a", 2), Concurrency("b", 1)]),
        "rate": st.sampled_from([Rate("r", 1, 1000), Rate("r", 3, 1000)]),
    },
)


@settings(deadline=None, max_examples=25)
@given(needs=st.lists(NEEDS, max_size=25), order=st.randoms(use_true_random=False))
def test_the_first_that_may_start_is_started(needs: list[dict[str, Any]], order: random.Random) -> None:
    """Against a model that looks at all of them each time."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        check_order(opened_in(Path(folder), stack), needs, order)


def check_order(ledger: Ledger, needs: list[dict[str, Any]], order: random.Random) -> None:
    ledger.admission.limit_queue("slow", 1)
    ledger.admission.pause_queue("off", True)
    waiting = [submit(ledger, str(number), **fields) for number, fields in enumerate(needs)]
    running: list[Record] = []
    while True:
        waiting.sort(key=lambda record: (-record.priority, record.rank))
        free = [record for record in waiting if ledger.admission.gates.barrier(record) is None]
        record = ledger.admission.next_one(ledger.active.__getitem__)
        assert record is (free[0] if free else None)
        if record is not None:
            ledger.set_status(record, S.RUNNING)
            waiting.remove(record)
            running.append(record)
        elif running:
            ended = running.pop(order.randrange(len(running)))
            ledger.set_status(ended, S.COMPLETE)
        else:
            break
    for record in waiting:
        assert record.queue == "off" or record.needs.rate is not None
        assert ledger.admission.waits_for(record, False) in ("queue paused", "rate")


def test_a_chain_of_a_thousand_passes_its_first_failure_on(opened: Open) -> None:
    ledger = opened()
    first = submit(ledger, "0000")
    submit(ledger, "other")
    chain = [submit(ledger, f"{n:04d}", after=[f"execution-{n - 1:04d}"]) for n in range(1, 1000)]
    assert start_all(ledger) == ["0000", "other"]
    first.error = "no such file"
    ledger.set_status(first, S.FAILED)
    dependencies = ledger.admission.dependencies
    while dependencies.has_doomed:
        for execution_id, reason in dependencies.take_doomed(500):
            record = ledger.active[execution_id]
            record.error = reason
            ledger.set_status(record, S.FAILED)
    assert {record.error for record in chain} == {"it needs execution-0000 (0000), which failed: no such file"}
    assert not ledger.admission.dependencies.is_waiting("execution-0999")


def test_what_history_has_dropped_still_counts_as_complete(opened: Open) -> None:
    ledger = opened()
    done, gone, late = submit(ledger, "done"), submit(ledger, "gone"), submit(ledger, "late")
    submit(ledger, "last", after=[each.execution_id for each in (done, late, done)])
    assert start_all(ledger) == ["done", "gone", "late"]
    ledger.set_status(done, S.COMPLETE)
    ledger.set_status(gone, S.COMPLETE)
    ledger.commit()
    assert len(ledger.prune(0, 1e9, 20)) == 2
    ledger.commit()
    ledger = opened()  # what was running is as it was; the executions are not, in the database
    late = ledger.active[late.execution_id]
    last = ledger.active["execution-last"]
    assert ledger.admission.waits_for(last, False) == "1 other first"
    assert ledger.admission.refusal([ExecuteRequest(submission_id="execution-x", after=[done.execution_id])]) is None
    refusal = ledger.admission.refusal([ExecuteRequest(submission_id="execution-x", after=[gone.execution_id])])
    assert refusal is not None
    assert "execution-gone, which this server does not have" in refusal.message
    ledger.set_status(late, S.COMPLETE)
    assert start_all(ledger) == ["last"]
    ledger.set_status(last, S.COMPLETE)
    ledger.commit()
    ledger = opened()
    assert not ledger.admission.dependencies.knows("execution-done")


def test_starts_count_over_restarts_and_changes_of_the_clock(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = Rate("api", 2, 100)
    ledger = opened()
    for name in "abc":
        submit(ledger, name, rate=rate)
    assert start_all(ledger) == ["a", "b"]
    ledger.commit()
    now = time.time()
    for offset, expected in ((-1000.0, []), (60.0, []), (101.0, ["c"])):
        monkeypatch.setattr(time, "time", lambda offset=offset: now + offset)
        ledger = opened()
        assert start_all(ledger) == expected


def test_a_label_reads_from_an_older_database_and_from_without_the_server(opened: Open) -> None:
    ledger = opened()
    record = submit(ledger, "label", queue="slow", resources={"gpu": 1}, trace="00-1")
    ledger.commit()
    again = opened().find(record.execution_id)
    assert again is not None
    assert (again.name, again.queue, again.needs) == ("label", "slow", record.needs)


@pytest.mark.parametrize("resources", [{"gpu": -1}, {"g p u": 1}, {"gpu": float("inf")}, {"gpu": "two"}])
def test_resources_of_a_server_are_checked(resources: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="resources"):
        checked_resources(resources)
