"""The named queues of a server: which are paused, and how many of their executions may run at once."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from zmqruntime.execution.server.damage import crc_of

__all__ = ["MOST_QUEUES", "NamedQueues", "QueueRow", "QueueSettings"]

MOST_QUEUES = 1_000

QueueRow = tuple[str, int, int | None]
Write = Callable[[str, tuple[object, ...]], None]

_PUT = "INSERT OR REPLACE INTO queues (name, paused, most, crc) VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM queues WHERE name = ?"


class QueueSettings(NamedTuple):
    """What was set for a queue."""

    paused: bool = False
    limit: int | None = None


_PLAIN = QueueSettings()


class NamedQueues:
    """The settings of the queues that have any; a queue without settings needs no entry.

    Args:
        rows: The settings in the database.
        write: Adds a statement to the next commit.
    """

    def __init__(self, rows: Iterable[QueueRow], write: Write) -> None:
        self._settings = {name: QueueSettings(bool(paused), most) for name, paused, most in rows}
        self._write = write

    def __contains__(self, name: str) -> bool:
        return name in self._settings

    def __getitem__(self, name: str) -> QueueSettings:
        return self._settings.get(name, _PLAIN)

    @property
    def names(self) -> set[str]:
        """Names of the queues with settings."""
        return set(self._settings)

    @property
    def is_full(self) -> bool:
        """Whether no further queue can get settings."""
        return len(self._settings) >= MOST_QUEUES

    def pause(self, name: str, paused: bool) -> None:
        """Pause a queue or let it run again."""
        self._put(name, self[name]._replace(paused=paused))

    def limit(self, name: str, limit: int | None) -> None:
        """Limit how many of its executions run at once, or remove the limit."""
        self._put(name, self[name]._replace(limit=limit))

    def _put(self, name: str, settings: QueueSettings) -> None:
        if settings == _PLAIN:
            self._settings.pop(name, None)
            self._write(_DELETE, (name,))
            return
        self._settings[name] = settings
        row = (name, int(settings.paused), settings.limit)
        self._write(_PUT, (*row, crc_of(*row)))
