"""The progress registry: channels apart, the newest by sequence, bad updates survived, nothing without bound."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, strategies as st

from zmqruntime import ProgressPhase, ProgressStatus, ProgressUpdate
from zmqruntime.execution import (
    ExecutionClient,
    InvalidProgressError,
    ProgressChannel,
    ProgressRegistry,
    RegistryCounts,
)

P, S = ProgressPhase, ProgressStatus


def update(sequence: int, phase: ProgressPhase = P.PATTERN_GROUP, axis_id: str = "A01", **more: Any) -> ProgressUpdate:
    fields: dict[str, Any] = {
        "execution_id": "e",
        "plate_id": "p",
        "step_name": "count",
        "step_index": 0,
        "total_steps": 1,
        "status": S.RUNNING,
        "completed": 0,
        "total": 1,
        "percent": 0.0,
        "timestamp": 1.0,
    }
    return ProgressUpdate(**{**fields, "sequence": sequence, "phase": phase, "axis_id": axis_id, **more})


def test_every_phase_has_its_channel_and_channels_do_not_replace_each_other() -> None:
    registry = ProgressRegistry()
    phases = [P.INIT, P.COMPILE, P.AXIS_STARTED, P.STEP_STARTED, P.PATTERN_GROUP]
    for sequence, phase in enumerate(phases, start=1):
        assert registry.add(update(sequence, phase))
    found = {channel: registry.latest("e", "A01", channel) for channel in ProgressChannel}
    assert {channel: each.phase for channel, each in found.items() if each} == {
        ProgressChannel.INIT: P.INIT,
        ProgressChannel.COMPILE: P.COMPILE,
        ProgressChannel.PIPELINE: P.AXIS_STARTED,
        ProgressChannel.STEP: P.PATTERN_GROUP,
    }
    assert registry.latest("e", "A02", ProgressChannel.STEP) is None
    assert registry.latest("f", "A01", ProgressChannel.STEP) is None
    assert len(registry.updates("e")) == 4
    registry.add(update(6, P.STEP_COMPLETED))
    registry.add(update(7, P.AXIS_COMPLETED))
    assert len(registry.updates("e")) == 4


def test_the_sequence_decides_not_the_clock_nor_the_order_of_arrival() -> None:
    registry = ProgressRegistry()
    assert registry.add(update(2, timestamp=1.0))
    assert registry.add(update(3, timestamp=1.0))
    assert not registry.add(update(1, timestamp=9.0))
    assert not registry.add(update(3, timestamp=1.0))
    assert registry.updates("e") == (update(3),)
    assert registry.counts == RegistryCounts(kept=2, stale=2)


def test_without_numbers_the_clock_decides() -> None:
    registry = ProgressRegistry()
    assert registry.add(update(0, timestamp=2.0))
    assert not registry.add(update(0, timestamp=1.0))
    assert registry.add(update(0, timestamp=3.0))


def test_plain_mappings_are_taken_too() -> None:
    registry = ProgressRegistry()
    assert registry.add(update(1).to_dict())
    assert registry.updates("e") == (update(1),)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"type": "progress", "axis_id": "A01"},
        {**update(1).to_dict(), "phase": "unheard_of"},
        {**update(1).to_dict(), "extra": 1},
        {**update(1).to_dict(), "percent": 101.0},
        {**update(1).to_dict(), "axis_id": 5},
        update(1, completed=2),
        update(1, timestamp=float("nan")),
        None,
        "progress",
    ],
)
def test_a_bad_update_is_reported_and_counted_and_ends_nothing(bad: Any) -> None:
    errors: list[InvalidProgressError] = []
    registry = ProgressRegistry(errors.append)
    assert not registry.add(bad)
    assert len(errors) == 1
    assert registry.add(update(1))
    assert registry.counts == RegistryCounts(kept=1, bad=1)


def test_an_error_hook_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(value: object) -> None:
        raise RuntimeError("from a hook")

    registry = ProgressRegistry(fail)
    registry.add({})
    assert len(caplog.records) == 1
    ProgressRegistry().add({})
    assert "progress ignored" in caplog.records[1].getMessage()


def test_listeners_hear_what_is_kept_and_a_failing_one_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(value: ProgressUpdate) -> None:
        raise RuntimeError("from a listener")

    registry, heard = ProgressRegistry(), list[int]()

    def hear(value: ProgressUpdate) -> None:
        heard.append(value.sequence)

    registry.add_listener(fail)
    registry.add_listener(hear)
    registry.add_listener(hear)
    for sequence in (1, 3, 2, 3, 4):
        registry.add(update(sequence))
    registry.remove_listener(hear)
    registry.remove_listener(hear)
    registry.add(update(5))
    assert heard == [1, 3, 4]
    assert len(caplog.records) == 4


def test_it_forgets_on_request_and_what_was_quiet_longest() -> None:
    registry = ProgressRegistry(max_executions=2)
    for execution_id in ("a", "b", "a", "c"):
        registry.add(update(1, execution_id=execution_id))
    assert registry.executions() == ("a", "c")
    assert registry.forget("a")
    assert not registry.forget("a")
    assert registry.updates("a") == ()
    assert registry.executions() == ("c",)


def test_an_execution_has_only_so_many_axes() -> None:
    registry = ProgressRegistry(max_keys=3)
    kept = [registry.add(update(number, axis_id=f"axis {number}")) for number in range(1, 6)]
    assert kept == [True, True, True, False, False]
    assert registry.add(update(9, axis_id="axis 1"))
    assert registry.counts == RegistryCounts(kept=4, dropped=2)


def test_threads_lose_nothing() -> None:
    registry = ProgressRegistry()
    threads = [
        threading.Thread(target=lambda axis: [registry.add(update(n, axis_id=axis)) for n in range(1, 1001)], args=(a,))
        for a in ("A01", "A02", "A01", "A02")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = registry.counts
    assert counts.kept + counts.stale == 4000
    assert sorted((u.axis_id, u.sequence) for u in registry.updates("e")) == [("A01", 1000), ("A02", 1000)]


phases_and_axes = st.lists(st.tuples(st.sampled_from(P), st.sampled_from(["", "A01", "B06"])), min_size=1, max_size=30)


@given(phases_and_axes, st.data())
def test_any_order_and_repetition_gives_the_same(found: list[tuple[ProgressPhase, str]], data: st.DataObject) -> None:
    updates = [update(number, phase, axis) for number, (phase, axis) in enumerate(found, start=1)]
    in_order, mixed = ProgressRegistry(), ProgressRegistry()
    again = data.draw(st.lists(st.sampled_from(updates)))
    for each in updates:
        in_order.add(each)
    for each in data.draw(st.permutations(updates + again)):
        mixed.add(each)
    assert set(mixed.updates("e")) == set(in_order.updates("e"))


def test_it_takes_the_progress_of_a_client(make_client: Callable[..., ExecutionClient]) -> None:
    registry = ProgressRegistry()
    client = make_client(progress_callback=registry.add)
    execution_id = client.submit({"do": "count", "upto": 50}, plate_id="/plate")
    client.wait(execution_id, 30)
    newest = registry.latest(execution_id, "A01", ProgressChannel.STEP)
    assert newest is not None
    assert (newest.sequence, newest.completed, newest.plate_id) == (50, 49, "/plate")
    assert registry.counts == RegistryCounts(kept=50)
