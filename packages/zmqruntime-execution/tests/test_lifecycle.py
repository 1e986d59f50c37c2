"""The lifecycle table, alone."""

import itertools

import pytest

from zmqruntime import ExecutionStatus
from zmqruntime.execution import IllegalTransitionError
from zmqruntime.execution.lifecycle import TERMINAL, advance, has_ended

S = ExecutionStatus
LEGAL = {
    (S.QUEUED, S.RUNNING),
    (S.QUEUED, S.CANCELLED),
    (S.QUEUED, S.FAILED),
    (S.RUNNING, S.COMPLETE),
    (S.RUNNING, S.FAILED),
    (S.RUNNING, S.CANCELLING),
    (S.RUNNING, S.INTERRUPTED),
    (S.RUNNING, S.QUEUED),
    (S.CANCELLING, S.CANCELLED),
    (S.CANCELLING, S.INTERRUPTED),
    (S.INTERRUPTED, S.QUEUED),
    (S.INTERRUPTED, S.CANCELLED),
    (S.INTERRUPTED, S.FAILED),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(S, S)))
def test_only_the_legal_ways_exist(before: ExecutionStatus, after: ExecutionStatus) -> None:
    if (before, after) in LEGAL:
        assert advance(before, after) is after
    else:
        with pytest.raises(IllegalTransitionError, match=f"{before} cannot become {after}"):
            advance(before, after)


def test_terminal_means_that_nothing_follows() -> None:
    assert {S.COMPLETE, S.FAILED, S.CANCELLED} == TERMINAL
    assert {status for status in S if has_ended(status, resumable=True)} == TERMINAL
    assert {status for status in S if has_ended(status, resumable=False)} == {*TERMINAL, S.INTERRUPTED}
