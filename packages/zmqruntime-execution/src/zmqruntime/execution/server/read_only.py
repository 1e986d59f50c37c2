"""A server's database, read by others: no file of it is created or changed, whether or not the server is running."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self, TypeVar

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.messages import ErrorCode

__all__ = ["ReadOnlyDatabase"]

_T = TypeVar("_T")

_BUSY_SECONDS = 2.0

# A server that was stopped leaves one file. Only to read it, SQLite would create the two files of the write-ahead log
# again, unless the file is declared immutable.
_AT_REST = ("immutable=1",)
# The log of a server that is running or was killed can be read as it is. If its index is missing, as in a copy of the
# folder, SQLite has to create it: the second try.
_WITH_LOG = ("readonly_shm=1", "")


class ReadOnlyDatabase:
    """The database at ``path``, to be used in a ``with`` block and on one thread.

    Raises:
        RequestRefusedError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = 0
        """Of its schema."""
        self._log = path.with_name(f"{path.name}-wal")
        with self._clear_errors():
            self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._connection.close()

    def read(self, query: str, values: tuple[object, ...], take: Callable[[sqlite3.Cursor], Iterable[_T]]) -> list[_T]:
        """What ``take`` makes of the rows of a query.

        Raises:
            RequestRefusedError: the database cannot be read.
        """
        with self._clear_errors():
            found = list(take(self._connection.execute(query, values)))
            if self._is_at_rest and self._log.exists():  # a server has begun to write meanwhile
                self._connection.close()
                self._connect()
                found = list(take(self._connection.execute(query, values)))
            return found

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """The rows of a query. Raises RequestRefusedError."""
        return self.read(query, values, lambda cursor: cursor)

    def _connect(self) -> None:
        self._is_at_rest = not self._log.exists()
        *first_tries, last_try = _AT_REST if self._is_at_rest else _WITH_LOG
        for options in first_tries:
            with contextlib.suppress(sqlite3.OperationalError):
                self._open(options)
                return
        self._open(last_try)

    def _open(self, options: str) -> None:
        address = f"{self.path.absolute().as_uri()}?mode=ro&{options}"
        connection = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            (self.version,) = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        self._connection = connection

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise RequestRefusedError(ErrorCode.STORAGE, f"cannot read the database {self.path}: {error}") from error
