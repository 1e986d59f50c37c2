"""The environments of submissions in a server's database, each distinct one stored once."""

import hashlib
import sqlite3
from collections import OrderedDict

import msgspec

from zmqruntime.codec import encode
from zmqruntime.environment import TaskEnvironment
from zmqruntime.execution.server.database import Statement
from zmqruntime.execution.server.record import Row

__all__ = ["Environments"]

_KEPT_AT_HAND = 64

_decode = msgspec.msgpack.Decoder(TaskEnvironment).decode


class Environments:
    """Maps environments to their numbers in the database and back; on the thread of the database only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._at_hand: OrderedDict[int, TaskEnvironment] = OrderedDict()
        self._unwritten: dict[bytes, tuple[int, TaskEnvironment]] = {}
        self._latest: tuple[TaskEnvironment, int] | None = None
        self._forget_unused()
        (last,) = connection.execute("SELECT COALESCE(MAX(number), 0) FROM environments").fetchone()
        self._last_number: int = last

    def number_of(self, environment: TaskEnvironment) -> int:
        """Return the number of an environment; a new one is written with :meth:`new_rows`."""
        if self._latest is None or self._latest[0] is not environment:  # a batch has one object for all of its requests
            self._latest = environment, self._find_number(environment)
        return self._latest[1]

    def _find_number(self, environment: TaskEnvironment) -> int:
        digest = _digest(environment)
        if digest in self._unwritten:
            return self._unwritten[digest][0]
        row = self._connection.execute("SELECT number FROM environments WHERE digest = ?", (digest,)).fetchone()
        if row is not None:
            found: int = row[0]
            return found
        self._last_number += 1
        self._unwritten[digest] = (self._last_number, environment)
        return self._last_number

    def find(self, number: int) -> TaskEnvironment:
        """Return the environment with this number, the same object as long as it is cached.

        Raises:
            sqlite3.DatabaseError: It is missing or damaged.
        """
        if number in self._at_hand:
            self._at_hand.move_to_end(number)
            return self._at_hand[number]
        new = [environment for known, environment in self._unwritten.values() if known == number]
        if new:
            return new[0]
        query = "SELECT content FROM environments WHERE number = ?"
        row = self._connection.execute(query, (number,)).fetchone()
        try:
            environment = self._at_hand[number] = _decode(b"" if row is None else row[0])
        except msgspec.MsgspecError as error:
            raise sqlite3.DatabaseError(f"environment number {number} is missing or damaged: {error}") from error
        if len(self._at_hand) > _KEPT_AT_HAND:
            self._at_hand.popitem(last=False)
        return environment

    def new_rows(self) -> list[Statement]:
        """Return the statement that writes new environments; call :meth:`written` once it has been committed."""
        if not self._unwritten:
            return []
        rows = [(number, digest, encode(environment)) for digest, (number, environment) in self._unwritten.items()]
        return [("INSERT INTO environments (number, digest, content) VALUES (?, ?, ?)", list[Row](rows))]

    def written(self) -> None:
        """Note that the new environments are in the database."""
        self._unwritten.clear()

    def _forget_unused(self) -> None:
        self._connection.execute(
            "DELETE FROM environments WHERE NOT EXISTS "
            "(SELECT 1 FROM executions WHERE executions.environment = environments.number)"
        )


def _digest(environment: TaskEnvironment) -> bytes:
    return hashlib.sha256(encode([sorted(environment.variables.items()), environment.folder])).digest()
