"""Shared memory segments: created by a producer, opened read-only by a viewer, removed when the owner is gone.

A segment is a file, on Linux in ``/dev/shm`` (which is memory), elsewhere in the folder for temporary files. Its name
contains the owner's pid and start time. The owner also holds a lock on it, so that a process in another pid namespace,
where that pid has no meaning, does not consider it abandoned.
"""

import functools
import mmap
import os
import re
import sys
import tempfile
import uuid
from pathlib import Path

from zmqruntime.identity import ProcessIdentity
from zmqruntime.streaming.exceptions import SegmentError

if sys.platform != "win32":
    import fcntl

__all__ = ["create_segment", "open_segment", "remove_segment", "segment_folder", "sweep_segments"]

_NAME = re.compile(r"zrs-(\d+)-(\d+(?:\.\d+)?)-[0-9a-f]{32}")
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


@functools.cache
def segment_folder() -> Path:
    """Return the folder for segments on this machine."""
    memory = Path("/dev/shm")
    return memory if sys.platform == "linux" and memory.is_dir() else Path(tempfile.gettempdir())


def create_segment(nbytes: int) -> tuple[str, mmap.mmap]:
    """Create a segment of ``nbytes`` > 0, with all its memory reserved.

    Returns:
        The name with which a viewer can open it, and its memory.

    Raises:
        OSError: there is no room for it.
    """
    owner = ProcessIdentity.current()
    name = f"zrs-{owner.pid}-{owner.start!r}-{uuid.uuid4().hex}"
    descriptor = os.open(segment_folder() / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # the mapping below keeps the file open, and so the lock
        if sys.platform == "linux":
            os.posix_fallocate(descriptor, 0, nbytes)  # otherwise a full /dev/shm would kill us at the first write
        else:
            os.ftruncate(descriptor, nbytes)
        return name, mmap.mmap(descriptor, nbytes)
    except BaseException:
        remove_segment(name)
        raise
    finally:
        os.close(descriptor)


def open_segment(name: str, nbytes: int) -> mmap.mmap:
    """Open the first ``nbytes`` > 0 of a segment of another process, read-only.

    They remain readable if the owner removes the segment.

    Raises:
        SegmentError: it does not exist, belongs to another user, or is shorter.
    """
    if not _NAME.fullmatch(name) or nbytes < 1:
        raise SegmentError(f"{name[:80]!r} with {nbytes} bytes is not a segment of this protocol")
    try:
        descriptor = os.open(f"{segment_folder()}/{name}", os.O_RDONLY | _FLAGS)
    except OSError as error:
        raise SegmentError(f"cannot open the segment {name}: {error.strerror or error}") from error
    try:
        status = os.fstat(descriptor)
        if os.name == "posix" and status.st_uid != os.getuid():
            raise SegmentError(f"the segment {name} belongs to another user")
        if status.st_size < nbytes:
            raise SegmentError(f"the segment {name} has {status.st_size} bytes, not the announced {nbytes}")
        return mmap.mmap(descriptor, nbytes, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SegmentError(f"cannot map the segment {name}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


def remove_segment(name: str) -> bool:
    """Remove a segment's name, if it exists; its memory is freed once it is no longer mapped.

    Returns:
        Whether it is gone. Windows refuses while any process maps it; then try again later.
    """
    try:
        (segment_folder() / name).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def sweep_segments(owner: ProcessIdentity | None = None) -> list[str]:
    """Remove this user's segments whose owner has ended.

    Args:
        owner: only segments of this process [default: of all processes].

    Returns:
        The names of the removed segments.
    """
    swept = []
    for path in segment_folder().glob("zrs-*"):
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        identity = ProcessIdentity(int(found[1]), float(found[2]))
        is_wanted = owner in (None, identity)
        if is_wanted and not identity.is_running() and _is_abandoned(path) and remove_segment(path.name):
            swept.append(path.name)
    return swept


def _is_abandoned(path: Path) -> bool:
    """Return whether the file belongs to this user and is not locked."""
    if sys.platform == "win32":
        return True
    try:
        descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_uid == os.getuid()
    except OSError:
        return False
    finally:
        os.close(descriptor)
