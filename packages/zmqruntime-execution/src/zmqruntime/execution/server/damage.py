"""What is left of a database with damaged bytes: what is whole is served, what is not is named."""

import logging
import sqlite3
import time
from collections.abc import Iterable

import msgspec

from zmqruntime.codec import encode
from zmqruntime.exceptions import MessageError
from zmqruntime.execution.events.event_batches import unpack
from zmqruntime.messages import EventBatch, LogLevel, LogLine

__all__ = ["DATABASE_ERRORS", "any_text", "is_whole", "readable", "value_problem", "whole_batches"]

_log = logging.getLogger(__name__)

DATABASE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What :mod:`sqlite3` raises of a damaged file; the latter when even the words of the error are damaged."""

_DECODED_BYTES = 1024 * 1024


def any_text(data: bytes) -> str:
    """For ``text_factory``: bytes that are no text must not spoil the rows around them; see :func:`is_whole`."""
    return data.decode("utf-8", "surrogateescape")


def is_whole(text: str) -> bool:
    """Whether what :func:`any_text` made was text."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def readable(text: str) -> str:
    """What :func:`any_text` made, with a sign in place of what is no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def value_problem(data: object) -> str | None:
    """Why a stored value cannot be read; None if it can. Of a long one only the frame is looked at."""
    if not isinstance(data, bytes):
        return "it is no value"
    try:
        msgspec.msgpack.decode(data, type=object if len(data) <= _DECODED_BYTES else msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return None


def whole_batches(execution_id: str, after: int, rows: Iterable[tuple[int, bytes]]) -> list[bytes]:
    """The stored batches after an event; in place of one that cannot be read, a line that says so.

    Each has to begin where the one before it ended: a reader would ask for what lies between, again and again.
    """
    found = []
    for upto, batch in rows:
        if not _is_whole_batch(batch, execution_id, after, upto):
            _log.error(
                "events %d to %d of execution %s are damaged; readers are told so", after + 1, upto, execution_id
            )
            batch = _substitute(execution_id, after, upto)
        found.append(batch)
        after = upto
    return found


def _is_whole_batch(batch: object, execution_id: str, after: int, upto: int) -> bool:
    if not isinstance(batch, bytes):
        return False
    try:
        packed = unpack(batch)
    except MessageError:
        return False
    return packed.execution_id == execution_id and packed.after <= after and packed.upto == upto


def _substitute(execution_id: str, after: int, upto: int) -> bytes:
    line = LogLine(
        execution_id=execution_id,
        sequence=0,
        timestamp=time.time(),
        level=LogLevel.WARNING,
        logger="zmqruntime",
        text=f"the database is damaged: events {after + 1} to {upto} of this execution cannot be read",
    )
    return encode(EventBatch(execution_id=execution_id, after=after, upto=upto, events=[line]))
