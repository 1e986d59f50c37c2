"""Ended executions, a page at a time, and those among them that have a text."""

import asyncio
import re
from dataclasses import dataclass

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.web.watch import ServerWatch
from zmqruntime.messages import ErrorCode, ExecutionSnapshot

__all__ = ["FoundExecutions", "search_history"]

_AT_ONCE = 500
_MOST_LOOKED_AT = 2_000
_MOST_BY_ID = 5
_ID = re.compile(r"[0-9A-Za-z_-]{4,64}")


@dataclass(frozen=True, slots=True)
class FoundExecutions:
    """A page of executions.

    Attributes:
        executions: those found, newest first.
        more: whether there may be others.
        looked_at: how many were looked at.
        older_than: where the next page begins; None at the end.
    """

    executions: list[ExecutionSnapshot]
    more: bool
    looked_at: int
    older_than: str | None


async def search_history(watch: ServerWatch, text: str, older_than: str | None, limit: int) -> FoundExecutions:
    """Return up to ``limit`` ended executions that have a text, looking at no more than 2,000 of them.

    Args:
        watch: the server.
        text: what to look for in ids, names, what they work on, status and errors; empty for all.
        older_than: the last one that was looked at before.
        limit: most executions to return.
    """
    found = [] if older_than or not _ID.fullmatch(text) else await _by_id(watch, text)
    known = {entry.execution_id for entry in found}
    looked_at = 0
    while looked_at < _MOST_LOOKED_AT:
        size = _AT_ONCE if text else limit
        page = await _page(watch, size, older_than)
        for entry in page:
            looked_at += 1
            older_than = entry.execution_id
            if entry.execution_id not in known and _has(entry, text.casefold()):
                found.append(entry)
            if len(found) >= limit:
                return FoundExecutions(found, True, looked_at, older_than)
        if len(page) < size:
            return FoundExecutions(found, False, looked_at, None)
    return FoundExecutions(found, True, looked_at, older_than)


async def _page(watch: ServerWatch, limit: int, older_than: str | None) -> list[ExecutionSnapshot]:
    if watch.client is not None:
        return await watch.client.history(limit, older_than=older_than)
    reader = watch.stored
    if reader is None:
        raise RequestRefusedError(ErrorCode.NOT_FOUND, watch.trouble or "the server has left no executions here")
    return await asyncio.to_thread(reader.history, limit, older_than)


async def _by_id(watch: ServerWatch, prefix: str) -> list[ExecutionSnapshot]:
    """Executions whose id begins with a text, also those that have not ended."""
    if watch.client is not None:
        ids = (await watch.client.find(prefix)).execution_ids[:_MOST_BY_ID]
        return [await watch.client.snapshot_of(name) for name in ids]
    reader = watch.stored
    if reader is None:
        return []
    ids = (await asyncio.to_thread(reader.find, prefix))[:_MOST_BY_ID]
    return [(await asyncio.to_thread(reader.execution, name)).snapshot for name in ids]


def _has(entry: ExecutionSnapshot, text: str) -> bool:
    if not text:
        return True
    fields = (entry.execution_id, entry.name, entry.plate_id, entry.queue, entry.status.value, entry.error or "")
    return any(text in field.casefold() for field in fields)
