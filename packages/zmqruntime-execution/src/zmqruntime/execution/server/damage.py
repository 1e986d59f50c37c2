"""Checks for damaged database contents: intact values are served, damaged ones are reported."""

import logging
import sqlite3
import time
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from zmqruntime.codec import encode
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.event_batches import unpack
from zmqruntime.messages import EventBatch, LogLevel, LogLine

__all__ = [
    "DATABASE_ERRORS",
    "any_text",
    "crc_of",
    "is_intact",
    "is_whole",
    "readable",
    "row_crc",
    "value_problem",
    "whole_batches",
]

_log = logging.getLogger(__name__)

DATABASE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""Errors :mod:`sqlite3` raises for a damaged file; the latter if the error message itself is damaged."""

_DECODED_BYTES = 1024 * 1024


def any_text(data: bytes) -> str:
    """Decode text for ``text_factory``, so that invalid bytes do not affect other rows; see :func:`is_whole`."""
    return data.decode("utf-8", "surrogateescape")


def is_whole(text: str) -> bool:
    """Whether a string from :func:`any_text` was valid text."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def readable(text: str) -> str:
    """Return a string from :func:`any_text` with replacement characters for invalid bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def crc_of(*values: object) -> int:
    """Return the checksum to store with a row: CRC-32 of its values, in which a number counts as the float it equals.

    SQLite keeps no checksums, and a flipped byte can turn one valid value into another: a held execution never runs,
    another argument gives another result.
    """
    return zlib.crc32(encode([_plain(value) for value in values]))


def row_crc(values: Sequence[object]) -> int:
    """Return the checksum of a row of values that are given exactly as the database returns them."""
    return zlib.crc32(encode(values))


def _plain(value: object) -> object:
    match value:
        case int():
            return float(value)
        case str():
            return value.encode("utf-8", "surrogateescape")
        case _:
            return value


def is_intact(crc: object, *values: object) -> bool:
    """Whether a row is as it was written; rows of earlier releases have no checksum and pass."""
    return crc is None or crc == crc_of(*values)


def value_problem(data: object) -> str | None:
    """Return why a stored value cannot be read; None if it can. Only the framing of a large one is checked."""
    if not isinstance(data, bytes):
        return "it is not a value"
    try:
        msgspec.msgpack.decode(data, type=object if len(data) <= _DECODED_BYTES else msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return None


def whole_batches(execution_id: str, after: int, rows: Iterable[tuple[int, bytes | None]]) -> list[bytes]:
    """Return the stored batches after an event, with one that says so in place of what is missing or cannot be read.

    Each batch has to start where the previous one ended; otherwise a reader would keep asking for the gap.
    """
    found = []
    for upto, batch in rows:
        begin = _beginning_of(batch, execution_id, upto)
        if begin is None or begin > after:
            gap = upto if begin is None else begin
            _log.error(
                "events %d to %d of execution %s are damaged; clients get a warning", after + 1, gap, execution_id
            )
            found.append(_substitute(execution_id, after, gap))
        if begin is not None and batch is not None:
            found.append(batch)
        after = upto
    return found


def _beginning_of(batch: bytes | None, execution_id: str, upto: int) -> int | None:
    """Return the number of the event before a stored batch; None if the batch cannot be read."""
    if not isinstance(batch, bytes):
        return None
    try:
        packed = unpack(batch)
    except MessageError:
        return None
    return packed.after if packed.execution_id == execution_id and packed.upto == upto else None


def _substitute(execution_id: str, after: int, upto: int) -> bytes:
    line = LogLine(
        execution_id=execution_id,
        sequence=0,
        timestamp=time.time(),
        level=LogLevel.WARNING,
        logger="zmqruntime",
        text=f"the database is damaged: events {after + 1} to {upto} of this execution cannot be read",
    )
    return encode(EventBatch(execution_id=execution_id, after=after, upto=upto, events=[line], numbers=[after + 1]))
