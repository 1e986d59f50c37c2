"""Pauses grow with each failure and are short again afterwards."""

import itertools

import pytest

from zmqruntime.backoff import Backoff


def test_pauses_grow_to_the_longest_and_begin_again_after_a_reset() -> None:
    backoff = Backoff((0.0, 1.0, 5.0))
    taken = []
    for _ in range(5):
        backoff.note()
        taken.append((backoff.count, backoff.pause))
    assert taken == [(1, 0.0), (2, 1.0), (3, 5.0), (3, 5.0), (3, 5.0)]
    backoff.reset()
    backoff.note()
    assert (backoff.count, backoff.pause) == (1, 0.0)


def test_attempts_begin_where_the_failures_have_come_to() -> None:
    backoff = Backoff((0.0, 1.0, 5.0))
    assert list(itertools.islice(backoff.attempts(), 4)) == [0.0, 1.0, 5.0, 5.0]
    backoff.note()
    backoff.note()
    assert list(itertools.islice(backoff.attempts(), 3)) == [1.0, 5.0, 5.0]


def test_failures_are_forgotten_after_a_calm(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("zmqruntime.backoff.time.monotonic", lambda: now)
    backoff = Backoff((0.0, 1.0, 5.0), calm_seconds=60)
    backoff.note()
    backoff.note()
    assert backoff.count == 2
    now += 61
    assert backoff.count == 0
