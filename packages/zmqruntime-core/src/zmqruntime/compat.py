"""Mapping access to messages, including the field names of earlier documents, for programs written for those."""

from collections.abc import Generator, ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, ClassVar, Self

import msgspec

__all__ = ["Mapped", "Reply"]


class Mapped:
    """Mixin for a struct that can also be read like a mapping: ``it["status"]``, ``"status" in it``, ``dict(it)``.

    Attributes:
        earlier_names: further field names, which ``[]``, ``get`` and ``in`` accept but which are never listed.
    """

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]
    earlier_names: ClassVar[dict[str, str]] = {}

    def __getitem__(self, field: str) -> Any:
        if field == "type" and (tag := _tag_of(self)) is not None:
            return tag
        name = self.earlier_names.get(field, field)
        if name not in self.__struct_fields__:
            raise KeyError(field)
        return getattr(self, name)

    def get(self, field: str, default: Any = None) -> Any:
        """Return the field's value, or ``default`` if there is no such field."""
        try:
            return self[field]
        except KeyError:
            return default

    def __contains__(self, field: object) -> bool:
        if field == "type":
            return _tag_of(self) is not None
        return isinstance(field, str) and self.earlier_names.get(field, field) in self.__struct_fields__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__struct_fields__)

    def __len__(self) -> int:
        return len(self.__struct_fields__)

    def keys(self) -> KeysView[str]:
        """Return the names of its fields."""
        return self._fields().keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of its fields."""
        return self._fields().values()

    def items(self) -> ItemsView[str, Any]:
        """Return the names and values of its fields."""
        return self._fields().items()

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__}


def _tag_of(mapped: Mapped) -> str | None:
    """Return its name on the wire, or None if it is not a message."""
    config = getattr(mapped, "__struct_config__", None)
    tag = None if config is None else config.tag
    return tag if isinstance(tag, str) else None


class Reply(dict[str, Any]):
    """A message as a plain dictionary that ``json.dumps`` accepts; its fields are available as attributes, too.

    Awaiting it returns the object itself, for programs that were written for an asynchronous client.

    Args:
        message: the message that provides the fields.
        more: additional entries.
    """

    def __init__(self, message: msgspec.Struct, more: Mapping[str, Any] | None = None) -> None:
        plain = msgspec.to_builtins(message, builtin_types=(bytes,))
        super().__init__({**plain, **(more or {})})
        self._message = message

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._message, name)

    def __await__(self) -> Generator[None, None, Self]:
        return self
        yield
