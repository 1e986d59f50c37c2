"""Some file descriptors that a server keeps back, so that it can replace a worker when all others are taken."""

import contextlib
import os
from collections.abc import Iterator

__all__ = ["DescriptorReserve"]

_COUNT = 24  # what starting a process, and reading a file, takes for a moment


class DescriptorReserve:
    """Descriptors of nothing; on one thread only."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._fill()

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """In the block they are free for others."""
        self.close()
        try:
            yield
        finally:
            self._fill()

    def close(self) -> None:
        """Give them back; may be called twice."""
        while self._held:
            os.close(self._held.pop())

    def _fill(self) -> None:
        with contextlib.suppress(OSError):  # what is left of them; the next time there may be more
            while len(self._held) < _COUNT:
                self._held.append(os.open(os.devnull, os.O_RDONLY))
