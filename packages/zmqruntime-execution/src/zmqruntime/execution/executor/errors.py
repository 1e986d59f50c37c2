"""Errors of functions on their way back: the same type where it can be imported, with the remote traceback.

An exception is restored from its type's import path, its arguments and its attributes, without calling anything of its
class; only the constructors of Python's own exceptions are called.
"""

import builtins
from typing import Any

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.codec import clean_text, encode
from zmqruntime.exceptions import UnsendableError, ZMQRuntimeError
from zmqruntime.execution.exceptions import TaskError
from zmqruntime.execution.executor.functions import NotImportableError, reference_of, resolve
from zmqruntime.execution.executor.user_frames import of_user
from zmqruntime.execution.executor.values import Kind, Values
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["RemoteTraceback", "error_of", "error_to_wire"]

_MAX_TEXT = 4_000


class RemoteTraceback(Exception):
    """The traceback of an error in the process where the function ran; the ``__cause__`` of that error here."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


class _Sent(msgspec.Struct, frozen=True, array_like=True):
    """An exception on the wire; ``args`` is None if it can only be told as text."""

    kind: str
    text: str
    reference: str = ""
    args: list[Any] | None = None
    state: dict[str, Any] = {}


def error_to_wire(error: BaseException, values: Values) -> Ext:
    """Return an exception for the wire; what of it cannot be sent is left to its text and traceback."""
    kind, text = type(error).__qualname__, _text_of(error)
    try:
        args = [values.to_wire(each) for each in _arguments_of(error)]
        state = {name: values.to_wire(each) for name, each in vars(error).items()}
        sent = _Sent(kind, text, reference_of(type(error)), args, state)
    except (NotImportableError, UnsendableError):
        sent = _Sent(kind, text)
    return Ext(Kind.ERROR.value, encode(sent))


def error_of(snapshot: ExecutionSnapshot, values: Values) -> Exception:
    """Return the error of a failed execution, with its remote traceback as ``__cause__``."""
    error = _restored(snapshot, values)
    if snapshot.traceback:
        error.__cause__ = RemoteTraceback(snapshot.traceback)
    return error


def _restored(snapshot: ExecutionSnapshot, values: Values) -> Exception:
    wire = snapshot.result
    text = snapshot.error or "it has failed"
    if not isinstance(wire, Ext) or wire.code != Kind.ERROR:
        return TaskError(f"execution {snapshot.execution_id}: {text}", snapshot.execution_id)
    sent = msgspec.msgpack.decode(wire.data, type=_Sent)
    unnamed = TaskError(f"{sent.kind}: {sent.text}" if sent.text else sent.kind, snapshot.execution_id, sent.kind)
    if sent.args is None:
        return unnamed
    try:
        return _built(sent, values)
    except (ImportError, TypeError, ValueError, AttributeError, ZMQRuntimeError):
        return unnamed


def _built(sent: _Sent, values: Values) -> Exception:
    cls = resolve(sent.reference)
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        raise UnsendableError(f"{sent.reference} is not an exception")
    args = tuple(values.from_wire(each) for each in sent.args or [])
    base = _own_base(cls)
    error: Exception = base.__new__(cls, *args)
    base.__init__(error, *args)
    for name, each in sent.state.items():
        vars(error)[name] = values.from_wire(each)
    return error


def _own_base(cls: type[BaseException]) -> type[BaseException]:
    """Return the first of Python's own exceptions that it derives from, or is."""
    return next(
        each for each in cls.__mro__ if each.__module__ == builtins.__name__ and issubclass(each, BaseException)
    )


def _arguments_of(error: BaseException) -> tuple[Any, ...]:
    """Return what restores it: as pickle has it for Python's own exceptions, such as an ``OSError`` with its path."""
    reduced = _own_base(type(error)).__reduce__(error)
    args = reduced[1]
    if not isinstance(args, tuple):
        raise UnsendableError("its arguments are not known")
    return args


def _text_of(error: BaseException) -> str:
    try:
        return clean_text(str(error), _MAX_TEXT)
    except Exception:  # noqa: BLE001 - str() of a user's class
        return "its message cannot be shown"
