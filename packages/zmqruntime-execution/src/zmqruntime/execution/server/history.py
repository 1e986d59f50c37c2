"""Executions that have ended: their order, lists of them, and which are old enough to be deleted."""

import time
from collections.abc import Callable

from zmqruntime.execution.server.database import Database
from zmqruntime.execution.server.record import Record, Row

__all__ = ["History"]

_TABLES = ("executions", "submissions", "outcomes", "event_batches", "checkpoints")
_UPTIME = "uptime"


class History:
    """Keeps their order in memory as two numbers; everything else is read by index.

    Args:
        database: The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        run = database.connection.execute
        query = "SELECT COUNT(*), COALESCE(MAX(ended_order), 0) FROM executions WHERE ended_order IS NOT NULL"
        counted: tuple[int, int] = run(query).fetchone()
        self._count, self._last = counted
        row = run("SELECT value FROM settings WHERE name = ?", (_UPTIME,)).fetchone()
        self._uptime_before: int = row[0] if row else 0
        self._opened_at = time.monotonic()
        self._pruned_upto = 0
        """Executions up to this place in the order of endings are deleted, or will be with the next commit."""

    @property
    def uptime(self) -> int:
        """Seconds the server has been running, over all its runs; independent of changes of the system clock."""
        return self._uptime_before + int(time.monotonic() - self._opened_at)

    def uptime_row(self) -> tuple[str, Row]:
        """Return the statement that keeps the uptime, and its values."""
        return "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (_UPTIME, self.uptime)

    def note_end(self, record: Record) -> None:
        """Record the end of an execution and its place in the order of endings."""
        self._last += 1
        self._count += 1
        record.ended_order, record.ended_uptime = self._last, self.uptime

    def place_before(self, before: float | None, older_than: str | None) -> int:
        """Return the place in the order of endings before which a list begins."""
        top = self._last + 1
        if older_than is not None:
            row = self._database.one("SELECT ended_order FROM executions WHERE execution_id = ?", older_than)
            return 0 if row is None else int(row[0] or top)
        if before is not None:
            query = "SELECT ended_order FROM executions WHERE ended_at < ? ORDER BY ended_at DESC LIMIT 1"
            row = self._database.one(query, before)
            return 0 if row is None else int(row[0]) + 1
        return top

    def prune(self, keep: int, max_uptime: float, at_most: int, write: Callable[[str, Row], None]) -> list[str]:
        """Delete some of the oldest; see :meth:`Store.prune`. Raises ``StoreError``."""
        query = (
            "SELECT number, execution_id, ended_uptime, ended_order FROM executions WHERE ended_order > ? "
            "ORDER BY ended_order LIMIT ?"
        )
        excess, oldest = self._count - keep, self.uptime - max_uptime
        rows = self._database.all(query, self._pruned_upto, at_most)
        gone = [row for place, row in enumerate(rows) if place < excess or row[2] < oldest]
        for table in _TABLES:
            for number, _, _, _ in gone:
                write(f"DELETE FROM {table} WHERE number = ?", (number,))
        if gone:
            self._pruned_upto = gone[-1][3]
        self._count -= len(gone)
        return [execution_id for _, execution_id, _, _ in gone]
