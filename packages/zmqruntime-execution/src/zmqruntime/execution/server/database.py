"""The SQLite file of a server: opened and migrated, written in transactions, and read with errors in words."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from zmqruntime.exceptions import ConfigurationError
from zmqruntime.execution.server.checkpointing import Checkpointer
from zmqruntime.execution.server.damage import DATABASE_ERRORS, any_text
from zmqruntime.execution.server.record import Row
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.transport import prepare_private_file

__all__ = ["REMEDY", "DamagedStoreError", "Database", "Statement", "StoreError", "as_list"]

_log = logging.getLogger(__name__)

REMEDY = (
    "stop the server and move the file away, with the files whose names start with its name; the server creates a new "
    "one when it is started, and 'sqlite3 FILE .recover' may recover the contents of the old one"
)
_BUSY_SECONDS = 0.1  # no other process should write this file; one that does must not block the server

Statement = tuple[str, list[Row]]
"""A statement, and the rows of values for which it is carried out."""


class StoreError(Exception):
    """The database cannot be read, or could not be written; then nothing of the turn was written."""


class DamagedStoreError(StoreError):
    """The database is damaged where it would be written; trying again is of no use."""


def as_list(values: list[str] | list[int]) -> str:
    """Return values for ``json_each``, with which one prepared statement takes any number of them."""
    return msgspec.json.encode(values).decode()


class Database:
    """The connection of the server to its database; on its loop's thread only.

    Args:
        path: The file; created if it does not exist.
        prepare: Called with the open database before it can be used; may raise what SQLite raises.

    Raises:
        ConfigurationError: The file cannot be opened, or was made by a newer release.
    """

    def __init__(self, path: Path, prepare: "Callable[[Database], None]") -> None:
        self.path = path
        self._syncs = False
        self._damage_mark = path.with_name(f"{path.name}-damaged")
        try:
            prepare_private_file(path)
            self.connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self.connection.text_factory = any_text
            try:
                self._open()
                prepare(self)
            except BaseException:
                self.connection.close()
                raise
        except (OSError, *DATABASE_ERRORS) as error:
            raise ConfigurationError(f"cannot open database {path}: {error}; if it is damaged, {REMEDY}") from error

    def _open(self) -> None:
        run = self.connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        self._check_for_damage()
        self._checkpointer = Checkpointer(self.path, self.connection)
        (version,) = run("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigurationError(
                f"database {self.path} has schema {version}, which was made by a newer release; this release supports "
                f"up to {len(MIGRATIONS)}. Install the newer release, or move the file away"
            )
        for reached, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self.connection.executescript(f"BEGIN; {script} PRAGMA user_version = {reached}; COMMIT;")

    def _check_for_damage(self) -> None:
        """Check the whole file if the last server could not write it.

        Raises:
            sqlite3.DatabaseError: It is damaged.
        """
        if self._damage_mark.exists():
            (problem,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
            if problem != "ok":
                raise sqlite3.DatabaseError(str(problem).replace("\n", " "))
            self._damage_mark.unlink()

    def close(self) -> None:
        """Release the file."""
        self._checkpointer.close()
        self.connection.close()

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, statements: Sequence[Statement], size: int, *, durable: bool) -> None:
        """Carry out statements, each for all of its rows, in one transaction.

        Args:
            statements: Each statement with the rows of values that it takes, in order.
            size: Estimate of the bytes in them that are large.
            durable: Whether to return only once the disk has them.

        Raises:
            StoreError: None of them was carried out, for example because the disk is full.
            DamagedStoreError: The same, and a next attempt would fail as well.
        """
        try:
            self._write(statements, durable=durable)
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
            if not isinstance(error, Exception):
                raise
            raise self._write_error(error) from error
        self._shorten_log(sum(len(rows) for _, rows in statements), size)

    def _write(self, statements: Sequence[Statement], *, durable: bool) -> None:
        run = self.connection.execute
        if durable is not self._syncs:
            run(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._syncs = durable
        run("BEGIN IMMEDIATE")
        for statement, rows in statements:
            self.connection.executemany(statement, rows)
        run("COMMIT")

    def _write_error(self, error: Exception) -> StoreError:
        """Return the error of a failed commit; of a damaged file, the next server has to know before it starts."""
        text = f"cannot write {self.path}: {error}"
        if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, sqlite3.OperationalError):
            return StoreError(text)
        with contextlib.suppress(OSError):
            self._damage_mark.touch(0o600)
        return DamagedStoreError(f"{text}; {REMEDY}")

    def _shorten_log(self, statements: int, size: int) -> None:
        """Shorten the write-ahead log if necessary; the commit has succeeded even if this fails."""
        try:
            self._checkpointer.note(statements, size)
        except sqlite3.Error as error:
            _log.warning("cannot shorten the log of %s yet: %s", self.path, error)

    # --- reading; each raises StoreError if the database cannot be read -------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Provide the connection for a block that reads."""
        try:
            yield self.connection
        except DATABASE_ERRORS as error:
            raise StoreError(f"cannot read {self.path}: {error}; {REMEDY}") from error

    def one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of a query; None if there is none."""
        with self.reading() as connection:
            row: tuple[Any, ...] | None = connection.execute(query, values).fetchone()
            return row

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with self.reading() as connection:
            return connection.execute(query, values).fetchall()
