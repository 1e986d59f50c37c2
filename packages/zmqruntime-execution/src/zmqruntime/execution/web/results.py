"""The result of an execution: a short summary for the page, and the whole of it to download."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from zmqruntime.codec import encode
from zmqruntime.execution.clean import clean_line
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.execution.events.result_files import lacks_result
from zmqruntime.messages import ExecutionSnapshot, ResultRequest, ResultResponse

__all__ = ["SUMMARY_BYTES", "NotJsonError", "ResultSummary", "as_json", "pieces_of", "summary_of"]

SUMMARY_BYTES = 8 * 1024 * 1024
"""Longer results are only downloaded, not summarised."""
_MOST_ROWS = 40
_MOST_TEXT = 200


class NotJsonError(ValueError):
    """A result has values that JSON cannot express exactly."""


@dataclass(frozen=True, slots=True)
class ResultSummary:
    """A result in a few lines.

    Attributes:
        kind: what it is, such as "mapping of 12 entries".
        rows: name and value of its first parts.
        left_out: number of further parts.
    """

    kind: str
    rows: tuple[tuple[str, str], ...] = ()
    left_out: int = 0


def summary_of(value: Any) -> ResultSummary:
    """Return a summary of a result."""
    match value:
        case dict():
            rows = [(clean_line(str(key), 80), _short(entry)) for key, entry in list(value.items())[:_MOST_ROWS]]
            return ResultSummary(_kind(value), tuple(rows), max(0, len(value) - _MOST_ROWS))
        case list():
            rows = [(str(number), _short(entry)) for number, entry in enumerate(value[:_MOST_ROWS])]
            return ResultSummary(_kind(value), tuple(rows), max(0, len(value) - _MOST_ROWS))
        case None:
            return ResultSummary("nothing")
        case _:
            return ResultSummary(_kind(value), (("value", _short(value)),))


def as_json(value: Any) -> bytes:
    """Encode a result as JSON.

    Raises:
        NotJsonError: it would not be the same value: it has bytes, numbers that are not finite, keys that are not
            texts, or values of other types.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1)
        is_same = json.loads(text) == value
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJsonError(f"the result cannot be written as JSON ({error}): download it as MessagePack") from error
    if not is_same:
        raise NotJsonError("the result has keys that are not texts, which JSON cannot express: download MessagePack")
    return text.encode()


async def pieces_of(client: AsyncExecutionClient, snapshot: ExecutionSnapshot) -> AsyncIterator[bytes]:
    """Yield an encoded result; a long one piece by piece, so that it is never in memory as a whole."""
    if not lacks_result(snapshot):
        yield encode(snapshot.result)
        return
    offset, total = 0, snapshot.result_bytes or 0
    while offset < total:
        reply = await client.request(ResultRequest(execution_id=snapshot.execution_id, offset=offset), ResultResponse)
        if not reply.data or reply.total != total:
            raise OSError(f"the result of execution {snapshot.execution_id} has changed while it was read")
        offset += len(reply.data)
        yield reply.data


def _kind(value: Any) -> str:
    match value:
        case dict():
            return f"mapping of {len(value):,} {'entry' if len(value) == 1 else 'entries'}"
        case list():
            return f"list of {len(value):,} {'value' if len(value) == 1 else 'values'}"
        case str():
            return f"text of {len(value):,} characters"
        case bytes():
            return f"{len(value):,} bytes"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case msgspec.msgpack.Ext():
            return f"value of extension type {value.code}, {memoryview(value.data).nbytes:,} bytes"
        case _:
            return type(value).__name__


def _short(value: Any) -> str:
    if isinstance(value, str):
        return clean_line(value, _MOST_TEXT)
    if value is None or isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list) and len(value) <= 8 and all(isinstance(one, bool | int | float) for one in value):
        return ", ".join(map(str, value))
    return _kind(value)
