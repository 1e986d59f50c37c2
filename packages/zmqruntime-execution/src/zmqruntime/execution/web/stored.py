"""What a server that does not answer has left on disk, read in a thread."""

from dataclasses import dataclass

from zmqruntime.execution.server.stored import StoredExecutions
from zmqruntime.execution.web.places import Place
from zmqruntime.messages import Event, ExecutionSnapshot, StatusResponse

__all__ = ["StoredExecution", "StoredReader"]

_MOST_HISTORY = 10_000


@dataclass(frozen=True, slots=True)
class StoredExecution:
    """An execution with all its stored events."""

    snapshot: ExecutionSnapshot
    events: list[Event]


class StoredReader:
    """Reads the executions of one server; each call opens and closes the database, which a server may write to.

    Args:
        place: the server.
        has_ended: whether the server has ended, so that what was running is interrupted.
    """

    def __init__(self, place: Place, *, has_ended: bool) -> None:
        self._place = place
        self._has_ended = has_ended

    def status(self, limit: int) -> StatusResponse:
        """See :meth:`StoredExecutions.status`; raises ``RequestRefusedError`` if it cannot be read."""
        with self._opened() as stored:
            return stored.status(limit)

    def history(self, limit: int, older_than: str | None) -> list[ExecutionSnapshot]:
        """Return ended executions, newest first, those after ``older_than``."""
        with self._opened() as stored:
            if older_than is None:
                return stored.history(limit)
            known = stored.history(_MOST_HISTORY)
        ids = [entry.execution_id for entry in known]
        begin = ids.index(older_than) + 1 if older_than in ids else len(known)
        return known[begin : begin + limit]

    def execution(self, execution_id: str) -> StoredExecution:
        """Return an execution without a long result; raises ``RequestRefusedError`` if there is none."""
        with self._opened() as stored:
            return StoredExecution(stored.snapshot_of(execution_id), stored.events(execution_id))

    def with_result(self, execution_id: str) -> ExecutionSnapshot:
        """Return an execution with its result."""
        with self._opened() as stored:
            return stored.poll_status(execution_id)

    def find(self, prefix: str) -> list[str]:
        """Return some of the ids that begin with ``prefix``."""
        with self._opened() as stored:
            return stored.find(prefix).execution_ids

    def _opened(self) -> StoredExecutions:
        return StoredExecutions(self._place.config, self._place.port, server_has_ended=self._has_ended)
