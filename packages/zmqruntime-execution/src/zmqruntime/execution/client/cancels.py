"""Requests to cancel many executions, and the sum of their replies."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from zmqruntime.messages import CancelManyRequest, CancelManyResponse

__all__ = ["cancel_requests", "summed"]

_AT_ONCE: Final = 10_000


def cancel_requests(
    execution_ids: Sequence[str], grace_seconds: float | None, queued_only: bool
) -> list[CancelManyRequest]:
    """Return the requests, the one with the last executions first, because those at the front start next."""
    starts = reversed(range(0, len(execution_ids), _AT_ONCE))
    return [
        CancelManyRequest(
            execution_ids=list(execution_ids[start : start + _AT_ONCE]),
            grace_seconds=grace_seconds,
            queued_only=queued_only,
        )
        for start in starts
    ]


def summed(replies: Iterable[CancelManyResponse]) -> CancelManyResponse:
    """Return one reply with the counts of all."""
    each = [msgspec.structs.asdict(reply) for reply in replies]
    return CancelManyResponse(
        **{name: sum(counts[name] for counts in each) for name in CancelManyResponse.__struct_fields__}
    )
