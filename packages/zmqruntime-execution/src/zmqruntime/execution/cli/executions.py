"""What every command line says and does about executions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from zmqruntime.exceptions import RequestRefusedError

if TYPE_CHECKING:
    from zmqruntime.execution.cli.sources import Source
    from zmqruntime.execution.client.client import ExecutionClient
    from zmqruntime.messages import CancelResponse, ExecutionSnapshot, StatusResponse

__all__ = ["SHOWN_EXECUTIONS", "StoppedServer", "brief", "shown", "status_document", "stop_server", "will_stop"]

SHOWN_EXECUTIONS = 20
"""So many of the queued ones, and of those that have ended, are in the overview."""

_LONG_FIELDS = ("result", "traceback")
_COUNTS = ("running", "queued", "workers", "paused", "draining", "trouble")


@dataclass(frozen=True, slots=True)
class StoppedServer:
    """A server that was told to end, and what it was running then."""

    pid: int
    running: "list[ExecutionSnapshot]"


def stop_server(client: "ExecutionClient") -> StoppedServer:
    """End the server and wait until its process has ended."""
    running, pid = _running(client), client.server.pid
    client.shutdown_server()
    return StoppedServer(pid, running)


def will_stop(reply: "CancelResponse") -> bool:
    """Whether a cancel does what was asked for, or that is so already."""
    from zmqruntime.messages import ExecutionStatus  # noqa: PLC0415 - slow to load

    return reply.status == "ok" or reply.execution_status is ExecutionStatus.CANCELLED


def shown(report: "StatusResponse") -> "tuple[list[ExecutionSnapshot], int]":
    """All executions but the end of a long queue, and how many that leaves out."""
    from zmqruntime.messages import ExecutionStatus  # noqa: PLC0415 - slow to load

    queued = [entry for entry in report.executions if entry.status is ExecutionStatus.QUEUED]
    hidden = {entry.execution_id for entry in queued[SHOWN_EXECUTIONS:]}
    listed = [entry for entry in report.executions if entry.execution_id not in hidden]
    return listed, report.queued - min(len(queued), SHOWN_EXECUTIONS)


def brief(execution: "ExecutionSnapshot") -> dict[str, object]:
    """For a list: without what can be long, which one execution by itself has."""
    return {name: value for name, value in msgspec.structs.asdict(execution).items() if name not in _LONG_FIELDS}


def status_document(source: "Source | None", report: "StatusResponse | None") -> dict[str, object]:
    """The overview as a JSON document; without a report there is nothing on disk either."""
    if source is None or report is None:
        return {"server": None, "from_disk": False, "executions": []}
    counts = {name: getattr(report, name) for name in _COUNTS}
    executions = [brief(entry) for entry in report.executions]
    more = {"queues": report.queues, "schedules": report.schedules}
    return {"server": source.server, "from_disk": source.server is None, **counts, **more, "executions": executions}


def _running(client: "ExecutionClient") -> "list[ExecutionSnapshot]":
    from zmqruntime.messages import ErrorCode, ExecutionStatus  # noqa: PLC0415 - slow to load

    try:
        open_ones = client.status(limit=0).executions
    except RequestRefusedError as error:
        if error.code is not ErrorCode.UNSUPPORTED:
            raise
        return []  # a server of another kind ends as well
    return [entry for entry in open_ones if entry.status is ExecutionStatus.RUNNING]
