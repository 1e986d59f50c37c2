"""Which executions the workers of a server have begun, in files that outlive worker and server.

An execution that was handed over ahead is queued on disk until the server hears of its end, so a server that follows a
killed one would not know that it was running. The notes are not synchronized to disk: they count until the machine is
started again.
"""

import contextlib
import os
import select
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil

__all__ = ["BegunNotes", "begun_dir", "boot", "forget_begun", "notes_in", "read_begun"]

_PLACES: Final = 64
"""More than a worker can begin before the server has written the end of the first of them."""
_NOTE: Final = struct.Struct("<qq")
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def begun_dir(server_dir: Path) -> Path:
    """Return the folder for the notes of a server's workers, one file for each process."""
    return server_dir / "begun"


class BegunNotes:
    """The notes of this process, named by its process group, which is its guard.

    Args:
        folder: The folder from :func:`begun_dir`.
        server_end: Descriptor that hangs up when the server is gone.

    Raises:
        OSError: They cannot be kept, for example because the disk is full.
    """

    def __init__(self, folder: Path, server_end: int) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self.descriptor: Final = os.open(folder / str(os.getpgrp()), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        """Descriptor of the file, without which nothing can be noted."""
        os.write(self.descriptor, bytes(_PLACES * _NOTE.size))
        self._count = 0
        self._server = select.poll()
        self._server.register(server_end, 0)

    def note(self, number: int, attempt: int) -> bool:
        """Note that an execution begins; return False if it must not, because the server is gone.

        In this order: what a server finds in the notes of a killed one is all that its workers have begun or will.
        """
        os.pwrite(self.descriptor, _NOTE.pack(number, attempt), self._count % _PLACES * _NOTE.size)
        self._count += 1
        return not self._server.poll(0)


def notes_in(folder: Path) -> list[Path]:
    """Return the files with notes that are in the folder now."""
    return list(folder.glob("*"))


def read_begun(notes: Iterable[Path]) -> set[tuple[int, int]]:
    """Return number and attempt of what workers have begun last.

    Raises:
        OSError: The notes cannot be read.
    """
    found: set[tuple[int, int]] = set()
    for path in notes:
        data = path.read_bytes()
        if len(data) == _PLACES * _NOTE.size:  # otherwise the worker ended before it was ready
            found.update(_NOTE.iter_unpack(data))
    return found


def forget_begun(notes: Iterable[Path]) -> None:
    """Remove files with notes, of workers that have ended."""
    for path in notes:
        with contextlib.suppress(OSError):
            path.unlink()


def boot() -> str:
    """Return what tells this start of the machine from others."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return str(int(psutil.boot_time()))
