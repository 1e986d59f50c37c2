"""A cache that is bounded in bytes and drops what has not been used for the longest time."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["ByteCache"]

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ByteCache(Generic[Key, Value]):
    """Keeps values up to a number of bytes in all. Used by one thread.

    Args:
        limit: the most bytes to keep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    @property
    def nbytes(self) -> int:
        """The bytes of all values together."""
        return self._bytes

    def get(self, key: Key) -> Value | None:
        """Return a value, which is then the one that was used last; None if it is not there."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: Key, value: Value, nbytes: int) -> None:
        """Keep a value, and drop others for it; one that is larger than the whole cache is not kept."""
        self.drop(key)
        if nbytes > self._limit:
            return
        self._kept[key] = value, nbytes
        self._bytes += nbytes
        while self._bytes > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._bytes -= freed

    def drop(self, key: Key) -> None:
        """Forget a value, if it is there."""
        found = self._kept.pop(key, None)
        if found is not None:
            self._bytes -= found[1]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0
