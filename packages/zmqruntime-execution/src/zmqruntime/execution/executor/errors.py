"""Errors of functions on their way back: the same type where it can be imported, with the remote traceback.

An exception is restored from its type's import path, its arguments and its attributes, without calling anything of its
class; only the constructors of Python's own exceptions are called. The parts of an exception group and the causes that
``raise ... from`` has set are restored in the same way.
"""

import builtins
import types
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.codec import clean_text, encode
from zmqruntime.exceptions import UnsendableError, ZMQRuntimeError
from zmqruntime.execution.exceptions import TaskError, TaskTimeoutError
from zmqruntime.execution.executor.functions import NotImportableError, reference_of, resolve
from zmqruntime.execution.executor.values import Kind, Values
from zmqruntime.execution.lifecycle import OVERDUE
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["RemoteTraceback", "error_of", "error_to_wire"]

_MAX_TEXT = 4_000
_MAX_DEPTH = 20


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
    cause: Ext | None = None
    pickled: Ext | None = None


def error_to_wire(error: BaseException, values: Values, depth: int = 0) -> Ext:
    """Return an exception for the wire; what of it cannot be sent is left to its text and traceback."""
    kind, text = type(error).__qualname__, _text_of(error)
    cause = error.__cause__
    caused_by = None if cause is None or depth >= _MAX_DEPTH else error_to_wire(cause, values, depth + 1)
    try:
        args = [_part_to_wire(each, values, depth) for each in _arguments_of(error)]
        state = {name: _part_to_wire(each, values, depth) for name, each in _state_of(error).items()}
        sent = _Sent(kind, text, reference_of(type(error)), args, state, caused_by)
    except (NotImportableError, UnsendableError):
        sent = _Sent(kind, text, cause=caused_by, pickled=_pickled(error, values))
    return Ext(Kind.ERROR.value, encode(sent))


def _part_to_wire(part: object, values: Values, depth: int) -> Any:
    """Return an argument or attribute for the wire, which can be an exception or a sequence that has some."""
    if isinstance(part, BaseException):
        if depth >= _MAX_DEPTH:
            raise UnsendableError(f"exceptions are nested deeper than {_MAX_DEPTH} levels")
        return error_to_wire(part, values, depth + 1)
    if type(part) in (list, tuple) and any(isinstance(each, BaseException) for each in part):  # type: ignore[attr-defined]
        wire = [_part_to_wire(each, values, depth) for each in part]  # type: ignore[attr-defined]
        return wire if type(part) is list else Ext(Kind.TUPLE.value, encode(wire))
    return values.to_wire(part)


def _pickled(error: BaseException, values: Values) -> Ext | None:
    """Return the exception by value, if its class can be found in no other way and both ends have asked for pickles."""
    try:
        return values.pickled(error)
    except UnsendableError:
        return None


def error_of(snapshot: ExecutionSnapshot, values: Values) -> Exception:
    """Return the error of a failed execution, with its causes, and its remote traceback as the cause of the last."""
    error = _restored(snapshot, values)
    if snapshot.traceback:
        _last_cause(error).__cause__ = RemoteTraceback(snapshot.traceback)
    return error


def _last_cause(error: BaseException) -> BaseException:
    seen = {id(error)}
    while error.__cause__ is not None and id(error.__cause__) not in seen:
        error = error.__cause__
        seen.add(id(error))
    return error


def _restored(snapshot: ExecutionSnapshot, values: Values) -> Exception:
    wire, execution_id = snapshot.result, snapshot.execution_id
    text = snapshot.error or "it has failed"
    if text.startswith(OVERDUE):
        return TaskTimeoutError(f"execution {execution_id}: {text}", execution_id)
    if not isinstance(wire, Ext) or wire.code != Kind.ERROR:
        return TaskError(f"execution {execution_id}: {text}", execution_id)
    return _from_wire(wire, values, execution_id)


def _from_wire(wire: Ext, values: Values, execution_id: str) -> Exception:
    sent = msgspec.msgpack.decode(wire.data, type=_Sent)
    try:
        error = _built(sent, values, lambda part: _part_from_wire(part, values, execution_id))
    except (ImportError, TypeError, ValueError, AttributeError, ZMQRuntimeError):
        error = TaskError(f"{sent.kind}: {sent.text}" if sent.text else sent.kind, execution_id, sent.kind)
    if sent.cause is not None:
        error.__cause__ = _from_wire(sent.cause, values, execution_id)
    return error


def _part_from_wire(wire: Any, values: Values, execution_id: str) -> Any:
    if isinstance(wire, Ext) and wire.code == Kind.ERROR:
        return _from_wire(wire, values, execution_id)
    if isinstance(wire, Ext) and wire.code == Kind.TUPLE:
        return tuple(_part_from_wire(each, values, execution_id) for each in msgspec.msgpack.decode(wire.data))
    if isinstance(wire, list):
        return [_part_from_wire(each, values, execution_id) for each in wire]
    return values.from_wire(wire)


def _built(sent: _Sent, values: Values, restore: Callable[[Any], Any]) -> Exception:
    if sent.pickled is not None:
        return _checked(values.from_wire(sent.pickled))
    if sent.args is None:
        raise UnsendableError("it was sent as text")
    cls = resolve(sent.reference)
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        raise UnsendableError(f"{sent.reference} is not an exception")
    args = tuple(restore(each) for each in sent.args)
    base = _own_base(cls)
    error: Exception = base.__new__(cls, *args)
    base.__init__(error, *args)
    slots = _slots_of(cls)
    for name, each in sent.state.items():
        value = restore(each)
        if name in slots:
            slots[name].__set__(error, value)
        else:
            vars(error)[name] = value
    return error


def _checked(error: object) -> Exception:
    if not isinstance(error, Exception):
        raise UnsendableError("it is not an exception")
    return error


def _state_of(error: BaseException) -> dict[str, Any]:
    """Return its attributes, also those that its classes keep in ``__slots__``."""
    filled = {name: slot.__get__(error) for name, slot in _slots_of(type(error)).items() if _has(slot, error)}
    return {**vars(error), **filled}


def _slots_of(cls: type) -> dict[str, types.MemberDescriptorType]:
    own = [each for each in cls.__mro__ if each.__module__ != builtins.__name__]
    found = [(name, slot) for each in reversed(own) for name, slot in vars(each).items()]
    return {name: slot for name, slot in found if isinstance(slot, types.MemberDescriptorType)}


def _has(slot: types.MemberDescriptorType, error: BaseException) -> bool:
    try:
        slot.__get__(error)
    except AttributeError:
        return False
    return True


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
