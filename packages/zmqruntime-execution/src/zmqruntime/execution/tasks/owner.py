"""The task that a whole process works on: the one that the threads which it starts belong to."""

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["ProcessOwner"]

T = TypeVar("T")


class ProcessOwner(Generic[T]):
    """Knows to what the threads of this process belong, while it belongs to one thing only."""

    def __init__(self) -> None:
        self._owner: T | None = None
        self._others: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    @contextlib.contextmanager
    def owned_by(self, owner: T) -> Iterator[None]:
        """Within the block, new threads belong to ``owner``; those that are there already do not, but this one does."""
        self._others = weakref.WeakSet(threading.enumerate())
        self._others.discard(threading.current_thread())
        self._owner = owner
        try:
            yield
        finally:
            self._owner = None

    def find(self) -> T | None:
        """Return what the calling thread belongs to; None if that is not known."""
        owner = self._owner
        return None if owner is None or threading.current_thread() in self._others else owner
