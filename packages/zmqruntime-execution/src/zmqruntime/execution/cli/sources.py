"""Where a command reads about executions: from the server, or from disk while no server is running."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zmqruntime.execution.cli.endpoint import Endpoint, attached_or_none, clear_errors, no_server

if TYPE_CHECKING:  # while there is no server, and it has left nothing, a command ends without loading them
    from zmqruntime.execution.client.client import ExecutionClient
    from zmqruntime.execution.server.stored import StoredExecutions
    from zmqruntime.messages import ExecutionSnapshot, PongResponse, StatusResponse

__all__ = ["Source", "interrupted_in", "reading", "reading_or_none"]


@dataclass(frozen=True, slots=True)
class Source:
    """What answers questions about executions.

    Attributes:
        endpoint: where the server is, or was.
        executions: its client, or what it has left on disk.
        server: who the server is; None while it is not running.
    """

    endpoint: Endpoint
    executions: "ExecutionClient | StoredExecutions"
    server: "PongResponse | None" = None

    @property
    def note(self) -> str:
        """The line that says where this is from; empty where a server has answered."""
        return "" if self.server is not None else f"From disk; {self.endpoint.absence}"

    def find_id(self, given: str) -> str:
        """The id of an execution that was typed; see :func:`find_id`."""
        from zmqruntime.execution.cli.ids import find_id  # noqa: PLC0415

        return find_id(self.executions, given)

    def history(self, limit: int) -> "list[ExecutionSnapshot]":
        """Those that wait to be resumed, then ``limit`` ended ones, newest first."""
        return [*self.interrupted(), *self.executions.history(limit)]

    def interrupted(self) -> "list[ExecutionSnapshot]":
        """Those that were running when their server ended; once there is another one, it goes on with them."""
        if self.server is not None:
            return []
        return interrupted_in(self.executions.status(0))

    def log_lines(self, execution_id: str, axis_id: str | None = None) -> list[str]:
        """The log of an execution, or what one axis of it has said, as lines of a log file.

        The server's own files have more lines than its events, but do not say which axis a line is about.
        """
        from zmqruntime.execution.events.log_files import format_line  # noqa: PLC0415

        if axis_id is None and self.endpoint.host is None and (kept := self._kept_lines(execution_id)):
            return kept
        lines = self.executions.logs(execution_id)
        return [format_line(line).removesuffix("\n") for line in lines if axis_id in (None, line.axis_id)]

    def _kept_lines(self, execution_id: str) -> list[str]:
        from zmqruntime.execution.events.log_files import log_dir, log_paths  # noqa: PLC0415

        path = log_dir(self.endpoint.config, self.endpoint.port) / f"{execution_id}.log"
        texts = [part.read_text(encoding="utf-8", errors="replace") for part in log_paths(path)]
        return [line for text in texts for line in text.removesuffix("\n").split("\n")]


def interrupted_in(report: "StatusResponse") -> "list[ExecutionSnapshot]":
    """Those of an overview that were running when their server ended."""
    from zmqruntime.messages import ExecutionStatus  # noqa: PLC0415

    return [entry for entry in report.executions if entry.status is ExecutionStatus.INTERRUPTED]


@contextlib.contextmanager
def reading(endpoint: Endpoint) -> Iterator[Source]:
    """The server's executions, from disk if it is not running.

    Raises:
        CommandError: it is not running and has left nothing here, or what goes wrong, also in the block.
    """
    with reading_or_none(endpoint) as source:
        if source is None:
            raise no_server(endpoint)
        yield source


@contextlib.contextmanager
def reading_or_none(endpoint: Endpoint) -> Iterator[Source | None]:
    """The same, but None where there is neither. Raises CommandError for what goes wrong, also in the block."""
    with attached_or_none(endpoint) as client:
        if client is not None:
            yield Source(endpoint, client, client.server)
        elif endpoint.host is None and endpoint.config.server_dir(endpoint.port).is_dir():
            with _left_on_disk(endpoint) as source:
                yield source
        else:
            yield None


@contextlib.contextmanager
def _left_on_disk(endpoint: Endpoint) -> Iterator[Source | None]:
    from zmqruntime.execution.server.stored import StoredExecutions, database_path  # noqa: PLC0415

    if not database_path(endpoint.config, endpoint.port).is_file():
        yield None
        return
    with clear_errors(endpoint), StoredExecutions(endpoint.config, endpoint.port) as stored:
        yield Source(endpoint, stored)
