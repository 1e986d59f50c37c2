"""Loads the details of listed executions: results and tracebacks, which lists omit, requested one by one."""

import asyncio
from collections.abc import Sequence

from zmqruntime import ErrorCode, ExecutionSnapshot, RequestRefusedError
from zmqruntime.execution import AsyncExecutionClient

__all__ = ["in_full"]

_AT_ONCE = 20


async def in_full(client: AsyncExecutionClient, listed: Sequence[ExecutionSnapshot]) -> list[ExecutionSnapshot]:
    """Return the same executions with results and tracebacks, in the same order.

    Raises:
        ZMQRuntimeError: the server can't be asked.
    """
    found: list[ExecutionSnapshot] = []
    for begin in range(0, len(listed), _AT_ONCE):
        found += await asyncio.gather(*(_one(client, each) for each in listed[begin : begin + _AT_ONCE]))
    return found


async def _one(client: AsyncExecutionClient, listed: ExecutionSnapshot) -> ExecutionSnapshot:
    try:
        return await client.poll_status(listed.execution_id)
    except RequestRefusedError as error:
        if error.code is not ErrorCode.NOT_FOUND:  # it was pruned between the two requests
            raise
        return listed
