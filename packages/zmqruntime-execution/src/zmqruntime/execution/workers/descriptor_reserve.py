"""File descriptors that a server keeps in reserve, so that it can replace a worker when all others are in use."""

import contextlib
import os
from collections.abc import Iterator

__all__ = ["DescriptorReserve"]

_COUNT = 24  # temporarily needed to start a process and to read a file


class DescriptorReserve:
    """A set of descriptors of the null device; on one thread only."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._fill()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Release the descriptors within the block."""
        self.close()
        try:
            yield
        finally:
            self._fill()

    def close(self) -> None:
        """Release the descriptors. Idempotent."""
        while self._held:
            os.close(self._held.pop())

    def _fill(self) -> None:
        with contextlib.suppress(OSError):  # take what is left; there may be more next time
            while len(self._held) < _COUNT:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
