"""Atomic writing of files, with clear errors if the disk is full or not writable."""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import psutil

from openhcs_runtime.exceptions import DiskFullError, OutputError

_FULL = {errno.ENOSPC, errno.EFBIG, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else [])}
_TEMPORARY = re.compile(r"\.(?P<pid>\d+)-[0-9a-f]{8}\.openhcs-part")


@contextlib.contextmanager
def atomic_file(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that replaces ``path`` when the block succeeds, and leaves no trace when it fails.

    Args:
        path: the file to write.
        sync: wait until the file is on disk. For several files, it is faster to call ``sync_files`` once afterwards.

    Yields:
        The open file.

    Raises:
        OutputError: the file can't be written.
    """
    temporary = path.parent / f".{os.getpid()}-{secrets.token_hex(4)}.openhcs-part"
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def sync_files(paths: Iterable[Path]) -> None:
    """Wait until files written with ``atomic_file`` are on disk; a file that can't be synced is removed.

    Raises:
        OutputError: a file can't be synced.
    """
    for path in paths:
        with writing_to(path):
            try:
                with path.open("r+b") as file:
                    os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    path.unlink()
                raise


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn errors of the operating system while writing ``path`` into an OutputError with a remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise _full(path.parent, f" for {path.name}") from error
        reason = f"{path} can't be written: {error.strerror or error} (choose another output folder)"
        raise OutputError(reason) from error


def check_folder(folder: Path) -> None:
    """Check that files can be written to a folder, which is created for that and removed again if it does not exist.

    Raises:
        OutputError: the folder is not writable.
        DiskFullError: the disk is full.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"output folder {folder} is a file: choose another output folder")
    probe = folder / f".{os.getpid()}-{secrets.token_hex(4)}.openhcs-part"
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\0")
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in _FULL:
            raise _full(folder) from error
        raise OutputError(
            f"output folder {folder} can't be written: {error.strerror or error} (choose another output folder)"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # another process has put something there
            for each in new:
                each.rmdir()


def _full(folder: Path, purpose: str = "") -> DiskFullError:
    return DiskFullError(f"no space left in {folder}{purpose}: free some space or choose another output folder")


def remove_leftovers(folder: Path) -> None:
    """Remove unfinished files of processes that were killed; those of running processes are kept."""
    for path in folder.rglob(".*.openhcs-part"):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not psutil.pid_exists(int(match["pid"])):
            with contextlib.suppress(OSError):
                path.unlink()
