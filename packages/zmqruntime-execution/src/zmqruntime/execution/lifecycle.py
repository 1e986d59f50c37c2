"""The lifecycle of an execution: which status may follow which. No other module decides this."""

from typing import Final

from zmqruntime.execution.exceptions import IllegalTransitionError
from zmqruntime.messages import ExecutionStatus

__all__ = ["OVERDUE", "TERMINAL", "advance", "has_ended"]

OVERDUE: Final = "it exceeded its time limit of "
"""How the error of an execution begins that ran longer than it may."""

_S = ExecutionStatus

_NEXT: Final[dict[ExecutionStatus, frozenset[ExecutionStatus]]] = {
    _S.QUEUED: frozenset({_S.RUNNING, _S.CANCELLED, _S.FAILED}),
    _S.RUNNING: frozenset({_S.COMPLETE, _S.FAILED, _S.CANCELLING, _S.INTERRUPTED, _S.QUEUED}),  # queued: a retry
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.INTERRUPTED}),
    _S.INTERRUPTED: frozenset({_S.QUEUED, _S.CANCELLED, _S.FAILED}),
    _S.COMPLETE: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}

TERMINAL: Final = frozenset(status for status, following in _NEXT.items() if not following)
"""Statuses that never change again."""


def advance(current: ExecutionStatus, following: ExecutionStatus) -> ExecutionStatus:
    """Return ``following`` if it may follow ``current``.

    Raises:
        IllegalTransitionError: It may not.
    """
    if following not in _NEXT[current]:
        raise IllegalTransitionError(f"an execution that is {current} cannot become {following}")
    return following


def has_ended(status: ExecutionStatus, resumable: bool) -> bool:
    """Whether the execution is over: its status is terminal, or interrupted and not going to be resumed."""
    return status in TERMINAL or (status is ExecutionStatus.INTERRUPTED and not resumable)
