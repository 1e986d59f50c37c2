"""Objects of a program's own types on the wire: dataclasses, named tuples, msgspec structs and members of enums.

They travel as their type's import path and the values of their fields, and are restored without calling anything of
the type: neither ``__init__`` nor ``__post_init__``, nor what pickle would call.
"""

import dataclasses
import enum
import functools
from collections.abc import Hashable
from typing import Any, cast

import msgspec

from zmqruntime.exceptions import UnsendableError
from zmqruntime.execution.executor.functions import NotImportableError, reference_of, resolve

__all__ = ["is_record", "reference_of_type", "restore_enum", "restore_record", "state_of"]


def is_record(value: object) -> bool:
    """Whether it is an object of one of these types, other than an enum."""
    return _is_record_type(cast(Hashable, type(value)))


def state_of(value: Any) -> dict[str, Any]:
    """Return the values of the fields.

    Raises:
        UnsendableError: It has state outside of its fields, which would be lost.
    """
    cls: type[Any] = type(value)
    if _is_named_tuple(cls):
        named: dict[str, Any] = value._asdict()
        return named
    names = _field_names(cls)
    state = {name: getattr(value, name) for name in names if hasattr(value, name)}
    extra = [name for name in getattr(value, "__dict__", ()) if name not in state and not _can_be_lost(cls, name)]
    if extra:
        raise UnsendableError(
            f"{cls.__qualname__} object has attributes that are not fields of it ({', '.join(extra[:5])}): "
            "declare them as fields"
        )
    return state


def restore_record(reference: str, state: dict[str, Any]) -> object:
    """Return an object of the type with these values.

    Raises:
        ImportError: The type cannot be imported.
        UnsendableError: It is not one of these types, or has other fields now.
    """
    cls = _type_named(reference)
    if not _is_record_type(cast(Hashable, cls)):
        raise UnsendableError(f"{reference} is not a dataclass, named tuple or msgspec struct, so it is not restored")
    names = _field_names(cls)
    unknown = state.keys() - set(names)
    if unknown:
        raise UnsendableError(f"{reference} has no field {min(unknown)}: it has changed since the value was sent")
    if _is_named_tuple(cls):
        return tuple.__new__(cls, [_value_of(state, name, reference) for name in names])
    if issubclass(cls, msgspec.Struct):
        return _restore_struct(cls, reference, state)
    restored = object.__new__(cls)
    for name in names:
        if name in state:
            object.__setattr__(restored, name, state[name])
        elif _lacks_default(cls, name):
            raise UnsendableError(f"{reference} has a new field {name}: it has changed since the value was sent")
    return restored


def reference_of_type(cls: type) -> str:
    """Return the import path of a type.

    Raises:
        UnsendableError: Another process cannot import it.
    """
    try:
        return _cached_reference(cast(Hashable, cls))
    except NotImportableError as error:
        raise UnsendableError(f"a value of type {cls.__qualname__} cannot be sent: {error}") from None


def restore_enum(reference: str, name: str | None, value: object) -> object:
    """Return a member of an enum by its name, or by its value if it is a combination of flags.

    Raises:
        ImportError: The enum cannot be imported.
        UnsendableError: It is not an enum, or has no such member.
    """
    cls = _type_named(reference)
    if not issubclass(cls, enum.Enum):
        raise UnsendableError(f"{reference} is not an enum, so it is not restored")
    try:
        return cls(value) if name is None else cls[name]
    except (KeyError, ValueError) as error:
        raise UnsendableError(f"{reference} has no member {name or value!r} here") from error


def _type_named(reference: str) -> type[Any]:
    found = resolve(reference)
    if not isinstance(found, type):
        raise UnsendableError(f"{reference} is not a type")
    return found


@functools.lru_cache(maxsize=1024)
def _cached_reference(cls: Hashable) -> str:
    return reference_of(cls)


@functools.lru_cache(maxsize=1024)
def _is_record_type(cls: Any) -> bool:
    if issubclass(cls, BaseException):
        return False
    if _is_named_tuple(cls) or issubclass(cls, msgspec.Struct):
        return True
    return dataclasses.is_dataclass(cls) and cls.__new__ is object.__new__


def _is_named_tuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple)


def _field_names(cls: Any) -> tuple[str, ...]:
    if _is_named_tuple(cls):
        return tuple(cls._fields)
    if issubclass(cls, msgspec.Struct):
        return tuple(cls.__struct_fields__)
    return tuple(field.name for field in dataclasses.fields(cls))


def _can_be_lost(cls: type, name: str) -> bool:
    """Return whether an attribute is made again when it is needed, or only says how a generic type was called."""
    return name == "__orig_class__" or isinstance(getattr(cls, name, None), functools.cached_property)


def _lacks_default(cls: Any, name: str) -> bool:
    field = next(each for each in dataclasses.fields(cls) if each.name == name)
    return field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _restore_struct(cls: type[msgspec.Struct], reference: str, state: dict[str, Any]) -> object:
    """Set the fields of a struct, which has no other way to be made without running its ``__post_init__``."""
    if "__post_init__" not in dir(cls):
        try:
            return cls(**state)
        except TypeError as error:
            raise UnsendableError(f"{reference} cannot be restored: {error}") from error
    restored = cls.__new__(cls)
    for name in _field_names(cls):
        msgspec.structs.force_setattr(restored, name, _value_of(state, name, reference))
    return restored


def _value_of(state: dict[str, Any], name: str, reference: str) -> Any:
    if name not in state:
        raise UnsendableError(f"{reference} has a new field {name}: it has changed since the value was sent")
    return state[name]
