"""A bounded cache of small files, and of the knowledge that some do not exist."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Cache"]

Key = TypeVar("Key", bound=Hashable)
_BYTES = 256 * 1024 * 1024
_SECONDS = 60.0
_OVERHEAD = 200


class Cache(Generic[Key]):
    """The most recently read contents, none of them older than a minute. It can be used from several threads.

    Args:
        most_bytes: The largest total size.
        seconds: How long contents are kept.
    """

    def __init__(self, most_bytes: int = _BYTES, seconds: float = _SECONDS) -> None:
        self._most, self._seconds = most_bytes, seconds
        self._kept: OrderedDict[Key, tuple[float, bytes | None]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: Key, read: Callable[[], bytes]) -> bytes:
        """Return the contents for a key, reading them if they are not kept.

        Raises:
            FileNotFoundError: If ``read`` raises it, now or within the last minute.
        """
        with self._lock:
            known = self._kept.get(key)
            if known is not None and time.monotonic() - known[0] <= self._seconds:
                self._kept.move_to_end(key)
                return _present(key, known[1])
        try:
            data: bytes | None = read()
        except FileNotFoundError:
            data = None
        self._put(key, data)
        return _present(key, data)

    def _put(self, key: Key, data: bytes | None) -> None:
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._size -= len(old[1] or b"") + _OVERHEAD
            self._kept[key] = time.monotonic(), data
            self._size += len(data or b"") + _OVERHEAD
            while self._size > self._most:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._size -= len(dropped or b"") + _OVERHEAD


def _present(key: Hashable, data: bytes | None) -> bytes:
    if data is None:
        raise FileNotFoundError(2, "No such file", str(key))
    return data
