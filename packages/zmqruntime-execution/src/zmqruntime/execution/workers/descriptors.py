"""Descriptors of a worker that its tasks can close, or replace, without knowing what they are for."""

import os
from collections.abc import Iterable

__all__ = ["CHANNEL_CLOSED", "Descriptors"]

CHANNEL_CLOSED = 71
"""Exit status of a worker whose connection to its server was closed by a task."""


class Descriptors:
    """Descriptors as they are now, to see later whether they are still the same.

    Args:
        numbers: Which ones; on Windows sockets are not descriptors, and nothing is noted.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._noted = {number: _identity(number) for number in numbers} if os.name == "posix" else {}

    @property
    def numbers(self) -> list[int]:
        """The descriptors."""
        return list(self._noted)

    @property
    def are_whole(self) -> bool:
        """Whether each is open and belongs to the same file, pipe or socket."""
        return all(_identity(number) == noted for number, noted in self._noted.items())


def _identity(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
