"""Segments of shared memory: made and owned by a producer, opened read-only by a viewer, swept when the owner is gone.

A segment is a file: on Linux in ``/dev/shm``, which is memory, elsewhere in the folder for temporary files. Its name
has the owner's pid and start time; the owner also holds a lock on it, so that a process in another pid namespace, for
which our pid means nothing, does not take it for left behind.
"""

import contextlib
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
    """Where the segments of this machine are."""
    memory = Path("/dev/shm")
    return memory if sys.platform == "linux" and memory.is_dir() else Path(tempfile.gettempdir())


def create_segment(nbytes: int) -> tuple[str, mmap.mmap]:
    """A new segment of ``nbytes`` > 0, all of it reserved, and the name by which a viewer opens it.

    Raises:
        OSError: there is no room for it.
    """
    owner = ProcessIdentity.current()
    name = f"zrs-{owner.pid}-{owner.start!r}-{uuid.uuid4().hex}"
    descriptor = os.open(segment_folder() / name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # the mapping below keeps the open file, and with it the lock
        if sys.platform == "linux":
            os.posix_fallocate(descriptor, 0, nbytes)  # or a full /dev/shm would kill us at the first write
        else:
            os.ftruncate(descriptor, nbytes)
        return name, mmap.mmap(descriptor, nbytes)
    except BaseException:
        remove_segment(name)
        raise
    finally:
        os.close(descriptor)


def open_segment(name: str, nbytes: int) -> mmap.mmap:
    """The first ``nbytes`` > 0 of another process's segment, read-only; it stays readable when the owner removes it.

    Raises:
        SegmentError: it is not there, is not this user's, or is shorter.
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
            raise SegmentError(f"the segment {name} has {status.st_size} bytes, not the {nbytes} that were promised")
        return mmap.mmap(descriptor, nbytes, access=mmap.ACCESS_READ)
    except OSError as error:
        raise SegmentError(f"cannot map the segment {name}: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


def remove_segment(name: str) -> None:
    """Take the segment's name away; its memory is free once nobody maps it. Does nothing if there is none."""
    with contextlib.suppress(OSError):  # Windows refuses while a viewer maps it; a sweep finds it later
        (segment_folder() / name).unlink()


def sweep_segments(owner: ProcessIdentity | None = None) -> list[str]:
    """Remove the segments of this user whose owner has ended, of ``owner`` only if one is named; gives their names."""
    swept = []
    for path in segment_folder().glob("zrs-*"):
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        identity = ProcessIdentity(int(found[1]), float(found[2]))
        if owner in (None, identity) and not identity.is_running() and _is_abandoned(path):
            remove_segment(path.name)
            swept.append(path.name)
    return swept


def _is_abandoned(path: Path) -> bool:
    """Whether the file is ours and nobody holds its lock."""
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
