"""A call of a function as the payload of a submission; a client in another language can write the same map."""

import functools
import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.executor.functions import resolve
from zmqruntime.execution.executor.values import Values

__all__ = [
    "Call",
    "StoredArguments",
    "code_digest",
    "digest_of",
    "load_function",
    "packed_arguments",
    "read_call",
    "small_pickle",
    "with_arguments",
]

_MOST_FUNCTIONS = 1024
_LARGE_FUNCTION = 256 * 1024


class StoredArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments, or a pickled function, that are too large for a message, in a file in the server's folder.

    Attributes:
        name: Name of the file in that folder.
        length: Its length in bytes.
        digest: BLAKE2b digest of its content.
        values: The same of the arguments by value, if the submission has a key.
    """

    name: str
    length: int
    digest: str
    values: str = ""


class Call(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to call with what.

    Attributes:
        function: ``module:name`` or ``file.py:name``; empty if it is pickled.
        args: Positional arguments; of many calls, one list of them for each call.
        kwargs: Keyword arguments.
        is_many: Whether these are many calls, whose results are returned as a list.
        file: Source file of the module in the program that submitted it.
        code: Digest of that file; empty if it has none.
        retry_on: Exceptions after which it may be tried again; None for any.
        stored: Where the arguments are, if not in ``args`` and ``kwargs``.
        pickled: The function, if it cannot be imported; of more than 256 KiB it is stored with the arguments.
        bars: Whether progress bars in the function become progress of the task.
    """

    function: str = ""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    is_many: bool = msgspec.field(name="many", default=False)
    file: str = ""
    code: str = ""
    retry_on: list[str] | None = None
    stored: StoredArguments | None = None
    pickled: bytes | None = None
    bars: bool = False

    def without_arguments(self, stored: StoredArguments) -> "Call":
        """Return the same call with its arguments in a file, and the function if it is a large pickle."""
        return msgspec.structs.replace(self, args=[], kwargs={}, stored=stored, pickled=small_pickle(self.pickled))


def packed_arguments(call: Call) -> bytes:
    """Return the arguments as bytes, with the function if it is a large pickle."""
    parts: list[object] = [call.args, call.kwargs]
    if call.pickled is not None and small_pickle(call.pickled) is None:
        parts.append(call.pickled)
    return msgspec.msgpack.encode(parts)


def with_arguments(call: Call, packed: bytes) -> Call:
    """Return a call with what :func:`packed_arguments` has made of its arguments."""
    args, kwargs, *function = msgspec.msgpack.decode(packed)
    return msgspec.structs.replace(call, args=args, kwargs=kwargs, pickled=function[0] if function else call.pickled)


def small_pickle(pickled: bytes | None) -> bytes | None:
    """Return the pickle if it is small enough to be sent with the call, else None."""
    return None if pickled is None or len(pickled) > _LARGE_FUNCTION else pickled


def digest_of(data: bytes) -> str:
    """Return the digest of packed arguments."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_call(payload: object) -> Call:
    """Return the call that a payload describes.

    Raises:
        UnsendableError: It is not a call.
    """
    try:
        return msgspec.convert(payload, Call)
    except msgspec.ValidationError as error:
        raise UnsendableError(
            f'the payload is not a call of a function, {{"function": "module:name"}}: {error}'
        ) from None


@functools.lru_cache(maxsize=_MOST_FUNCTIONS)
def _function_of(reference: str, file: str) -> Callable[..., Any]:
    found = resolve(reference)
    if not callable(found):
        raise TypeError(f"{reference} is not a function")
    _check_file(reference, file, found)
    return found


def _check_file(reference: str, file: str, found: object) -> None:
    """Check that the module is the one that the submitting program has, and not another one of that name."""
    place = reference.rpartition(":")[0]
    if not file or place.endswith(".py"):
        return
    here = getattr(importlib.import_module(place), "__file__", None)
    if isinstance(here, str) and Path(here).resolve() != Path(file) and Path(file).is_file():
        raise ImportError(
            f"the module {place} is {here} in the worker, but {file} in the program that submitted {reference}: "
            "give one of the modules another name, or use another executor name"
        )


def load_function(call: Call, values: Values) -> Callable[..., Any]:
    """Return the function to call.

    Raises:
        ImportError: It cannot be imported here.
        UnsendableError: It is pickled, and this process does not read pickles.
    """
    if call.pickled is None:
        return _function_of(call.function, call.file)
    function: Callable[..., Any] = values.from_wire(msgspec.msgpack.Ext(_PICKLE, call.pickled))
    return function


@functools.lru_cache(maxsize=_MOST_FUNCTIONS)
def code_digest(file: str) -> str:
    """Return the digest of a source file, as it is when this process first asks; empty if there is none.

    That is the code which is loaded: a worker ends when a file that it has loaded is edited.
    """
    try:
        return hashlib.blake2b(Path(file).read_bytes(), digest_size=8).hexdigest() if file else ""
    except OSError:
        return ""


_PICKLE = 21
