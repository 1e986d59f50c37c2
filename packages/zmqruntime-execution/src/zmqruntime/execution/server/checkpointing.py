"""Checkpointing of a database: moves committed data from its log into the database without delaying commits.

By default SQLite does this within a commit, as soon as the log has grown long. That commit then has to write a few
megabytes all over the file, and waits for the disk two more times.
"""

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path

__all__ = ["Checkpointer"]

_log = logging.getLogger(__name__)

_EVERY_BYTES = 4 * 1024 * 1024
_BYTES_PER_STATEMENT = 6_000  # estimate: the pages of the table and of its indexes
_AT_ONCE_AFTER = 16  # times _EVERY_BYTES, with nothing moved
_LONG = 4  # times _EVERY_BYTES: commits follow so closely that the log is never moved completely, and grows
_PASSES = 2  # the second one moves data committed during the first


class Checkpointer:
    """Checkpoints one database with a single writing connection; on the thread of that connection only.

    Args:
        path: Path of the database.
        connection: The writing connection; its automatic checkpoints are turned off.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection
        self._written = 0
        self._thread: threading.Thread | None = None
        self._is_moved = threading.Event()
        self._log_pages = 0
        (self._page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("PRAGMA wal_autocheckpoint = 0")

    def note(self, statements: int, size: int) -> None:
        """Note a commit with its number of statements and its size in bytes."""
        if self._is_moved.is_set():
            self._is_moved.clear()
            self._written = 0
            if self._log_pages * self._page_bytes > _LONG * _EVERY_BYTES:
                _move(self._connection)  # the small amount added since then
        self._written += statements * _BYTES_PER_STATEMENT + size
        if self._written > _AT_ONCE_AFTER * _EVERY_BYTES:
            self._written = 0
            _move(self._connection)
        elif self._written > _EVERY_BYTES and (self._thread is None or not self._thread.is_alive()):
            self._start()

    def close(self) -> None:
        """Wait for a checkpoint in progress; the writing connection does the rest when it is closed."""
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # no more threads can be started; the next commit tries again
            self._thread = None
            _log.warning("cannot shorten the log of %s yet: %s", self._path, error)

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                for _ in range(_PASSES):
                    self._log_pages = _move(connection)
        except sqlite3.Error as error:
            _log.warning("cannot shorten the log of %s yet: %s", self._path, error)
            return
        self._is_moved.set()


def _move(connection: sqlite3.Connection) -> int:
    """Move what is possible without waiting; return the pages in the log, which restarts once all of it was moved."""
    _, in_log, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(in_log)
