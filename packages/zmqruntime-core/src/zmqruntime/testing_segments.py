"""The shared memory segments that the process tree of a test has made, apart from those of other programs."""

import contextlib
import os
import re
from pathlib import Path

import psutil

__all__ = ["own_segments"]

_FOLDER = Path("/dev/shm")
_MAKER = re.compile(r"zrs-(\d+)-")  # segments of zmqruntime.streaming are named after their process
_ANONYMOUS = re.compile(r"psm_[0-9a-f]+")  # those of multiprocessing.shared_memory after nobody


def own_segments() -> set[str]:
    """Return the names of the segments that this process or a descendant made.

    These are the segments that one of them has mapped, and those of ``zmqruntime.streaming`` and
    ``multiprocessing.shared_memory`` that no other running process can have made: what a killed process leaves behind
    has no other sign of its maker. The names of other libraries are unknown, so theirs count only while mapped.
    """
    if not _FOLDER.is_dir():
        return set()
    # Semaphores of multiprocessing are there, too; only segments hold a significant amount of memory.
    names = {path.name for path in _FOLDER.iterdir() if not path.name.startswith("sem.") and _is_of_this_user(path)}
    if not names:
        return set()
    family = _family()
    ours = set().union(*(_mapped_by(pid) for pid in family))
    unclear = {name for name in names - ours if _ANONYMOUS.fullmatch(name)}
    of_others = set().union(*(_mapped_by(pid) for pid in psutil.pids() if pid not in family)) if unclear else set()
    return (names & ours) | {name for name in names if _was_made_here(name, family)} | (unclear - of_others)


def _family() -> set[int]:
    return {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}


def _was_made_here(name: str, family: set[int]) -> bool:
    """Return whether the name is that of a process of the family, or of one that has ended."""
    maker = _MAKER.match(name)
    return maker is not None and (int(maker[1]) in family or not psutil.pid_exists(int(maker[1])))


def _mapped_by(pid: int) -> set[str]:
    """Return the names of the segments that a process has mapped; empty if it has ended or is another user's."""
    prefix = f"{_FOLDER}/"
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        paths = (line[line.find("/") :].removesuffix(" (deleted)") for line in lines if prefix in line)
        return {path.removeprefix(prefix) for path in paths}
    return set()


def _is_of_this_user(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.stat().st_uid == os.getuid()
    return False
