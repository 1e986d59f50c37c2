"""The result of an execution: a short summary for the page, and the whole of it to download."""

import pathlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from zmqruntime.codec import encode
from zmqruntime.execution.clean import clean_line
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.execution.events.result_files import lacks_result
from zmqruntime.execution.executor.opened import Array, Items, Member, Opaque, Pairs, Record, open_value
from zmqruntime.execution.executor.shown import json_text, text_of
from zmqruntime.messages import ExecutionSnapshot, ResultRequest, ResultResponse

__all__ = ["SUMMARY_BYTES", "NotJsonError", "ResultSummary", "as_json", "pieces_of", "summary_of"]

SUMMARY_BYTES = 8 * 1024 * 1024
"""Longer results are only downloaded, not summarised."""
_MOST_ROWS = 40
_MOST_TEXT = 200
_MOST_PARTS = 8


class NotJsonError(ValueError):
    """A result cannot be written as JSON."""


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
    opened = open_value(value)
    match opened:
        case dict():
            return _summary(opened, [(str(key), entry) for key, entry in opened.items()])
        case Record(fields=fields):
            return _summary(opened, list(fields.items()))
        case Pairs(values=pairs):
            return _summary(opened, [(text_of(key), entry) for key, entry in pairs])
        case list() | Items():
            values = opened if isinstance(opened, list) else opened.values
            return _summary(opened, [(str(number), entry) for number, entry in enumerate(values)])
        case None:
            return ResultSummary("nothing")
        case _:
            return ResultSummary(_kind(opened), (("value", _short(opened)),))


def as_json(value: Any) -> bytes:
    """Encode a result as JSON; what JSON has no notation for is marked, see :func:`json_of`.

    Raises:
        NotJsonError: it is nested too deeply.
    """
    try:
        return json_text(open_value(value))
    except RecursionError as error:
        raise NotJsonError(f"the result cannot be written as JSON ({error}): download it as MessagePack") from error


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


def _summary(value: Any, parts: list[tuple[str, Any]]) -> ResultSummary:
    rows = tuple((clean_line(name, 80), _short(part)) for name, part in parts[:_MOST_ROWS])
    return ResultSummary(_kind(value), rows, max(0, len(parts) - _MOST_ROWS))


def _kind(value: Any) -> str:
    match value:
        case dict():
            return f"mapping of {_count(len(value), 'entry', 'entries')}"
        case Pairs():
            return f"mapping of {_count(len(value.values), 'entry', 'entries')}"
        case list():
            return f"list of {_count(len(value), 'value', 'values')}"
        case Items():
            return f"{value.kind} of {_count(len(value.values), 'value', 'values')}"
        case Record():
            return clean_line(value.reference, _MOST_TEXT)
        case Member():
            return f"member of {clean_line(value.reference, _MOST_TEXT)}"
        case Array():
            return "number of numpy" if value.is_scalar else "array of numpy"
        case Opaque():
            return value.what
        case str():
            return f"text of {len(value):,} characters"
        case bytes():
            return f"{len(value):,} bytes"
        case bool():
            return "yes or no"
        case int() | float():
            return "number"
        case pathlib.PurePath():
            return "path"
        case _:
            return type(value).__name__


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _short(value: Any) -> str:
    """Return a value on one line; one that is long, only by its kind."""
    if isinstance(value, str):
        return clean_line(value, _MOST_TEXT)
    parts = _parts(value)
    if parts is not None and not (len(parts) <= _MOST_PARTS and all(map(_is_single, parts))):
        return _kind(value)
    if isinstance(value, list):
        return ", ".join(map(text_of, value))
    return _kind(value) if isinstance(value, bytes | dict) else clean_line(text_of(value), _MOST_TEXT)


def _parts(value: Any) -> list[Any] | None:
    match value:
        case list():
            return value
        case Items():
            return value.values
        case Pairs():
            return [part for pair in value.values for part in pair]
        case Record():
            return list(value.fields.values())
        case _:
            return None


def _is_single(value: Any) -> bool:
    return _parts(value) is None and not isinstance(value, str | bytes | dict)
