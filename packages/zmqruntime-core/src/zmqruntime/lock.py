"""A lock between processes, held through an open file, so the system releases it no matter how its holder ends.

The usual library for this imports asyncio, which would double the start time of a server.
"""

import os
import sys
import threading
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["FileLock"]

_RETRY_SECONDS = 0.01  # a lock file has no event to wait on


class FileLock:
    """A lock on the file ``path``, which is created if necessary and never removed; each object is one holder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, timeout: float) -> bool:
        """Take the lock; return False if it is still held elsewhere after ``timeout`` seconds. 0 tries once."""
        deadline = time.monotonic() + timeout
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.name == "posix":
            os.fchmod(descriptor, 0o600)
        pause = threading.Event()
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return False
            pause.wait(_RETRY_SECONDS)
        self._descriptor = descriptor
        return True

    def write(self, content: bytes) -> None:
        """Write content for other processes to the file while holding it."""
        assert self._descriptor is not None
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, content)

    @property
    def is_at_its_path(self) -> bool:
        """Whether the locked file is still the one at its path; only then does it keep others out."""
        if self._descriptor is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self._path))
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock; do nothing if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
