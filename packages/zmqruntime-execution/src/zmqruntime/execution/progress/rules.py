"""The rules of a progress update, shared by senders, listeners and the registry."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import asdict

from zmqruntime.codec import encode, pack_given
from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.exceptions import InvalidProgressError
from zmqruntime.messages import ProgressUpdate

__all__ = ["check_progress", "log_invalid_progress", "sendable_progress", "validate_progress"]

_log = logging.getLogger(__name__)

_MAX_BYTES = 256 * 1024

_decode = msgspec.msgpack.Decoder(ProgressUpdate).decode


def validate_progress(update: ProgressUpdate | Mapping[str, Any]) -> ProgressUpdate:
    """Return the update, checked against the schema.

    Raises:
        InvalidProgressError: it violates the schema; the message names the field.
    """
    plain = {"type": "progress", **asdict(update)} if isinstance(update, ProgressUpdate) else update
    try:
        valid = msgspec.convert(plain, ProgressUpdate)
    except msgspec.ValidationError as error:
        raise InvalidProgressError(f"not a progress update: {error}") from error
    check_progress(valid)
    return valid


def sendable_progress(update: ProgressUpdate) -> ProgressUpdate:
    """Return the update as its receivers will read it, checked against the schema by encoding and decoding it.

    This costs a third of :func:`validate_progress` and also detects updates that cannot be sent.

    Raises:
        InvalidProgressError: it violates the schema, contains text that is not UTF-8, or is larger than 256 KiB.
    """
    try:
        data = encode(update)
        valid = _decode(data)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        data, valid = b"", validate_progress(update)  # which names the field
    if not 0 < len(data) <= _MAX_BYTES:
        _refuse_unsendable(valid)
    check_progress(valid)
    return valid


def check_progress(update: ProgressUpdate) -> None:
    """Check what the types of the fields cannot express; enough for an update decoded from a message.

    Raises:
        InvalidProgressError: the update contradicts itself.
    """
    if update.completed > update.total:
        raise InvalidProgressError(f"completed {update.completed} is more than total {update.total}")
    if not math.isfinite(update.timestamp):
        raise InvalidProgressError(f"timestamp {update.timestamp} is not a time")


def log_invalid_progress(error: InvalidProgressError) -> None:
    """Log an invalid update; the default error handler."""
    _log.warning("progress ignored: %s", error)


def _refuse_unsendable(update: ProgressUpdate) -> None:
    try:
        pack_given(update, "a progress update", max_bytes=_MAX_BYTES)
    except (TypeError, UnsendableError) as error:
        raise InvalidProgressError(str(error)) from error
