"""Rows of a server browser as text, with keys so that a tree can be updated in place."""

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass

from openhcs_gui_services.services.durations import duration_text
from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.wording import waiting_text
from openhcs_gui_services.services.servers.nodes import (
    BrowserSnapshot,
    ExecutionNode,
    ProcessFigures,
    Reach,
    ServerAddress,
    ServerKind,
    ServerNode,
    WorkerNode,
)
from zmqruntime.execution import AxisProgress
from zmqruntime.messages import ExecutionStatus

__all__ = ["COLUMNS", "RowKind", "ServerRow", "memory_text", "server_rows"]

COLUMNS = ("Name", "State", "CPU", "Memory", "Uptime", "Version")


class RowKind(enum.Enum):
    """The kind of a row."""

    SERVER = "server"
    EXECUTION = "execution"
    WELL = "well"
    WORKERS = "workers"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One row of the tree.

    Attributes:
        key: identifies the same server, execution, well or worker in every snapshot.
        kind: what the row shows.
        address: address of the server.
        cells: texts of the cells, one for each of ``COLUMNS``.
        tone: tone in which it is shown.
        execution_id: id of the execution; None for rows of servers and workers.
        tip: the tooltip.
        children: the rows below it.
    """

    key: str
    kind: RowKind
    address: ServerAddress
    cells: tuple[str, str, str, str, str, str]
    tone: Tone = Tone.NEUTRAL
    execution_id: str | None = None
    tip: str = ""
    children: tuple["ServerRow", ...] = ()


_TONES = {
    Reach.RUNNING: Tone.GOOD,
    Reach.SILENT: Tone.PENDING,
    Reach.ENDED: Tone.BAD,
    Reach.UNREACHABLE: Tone.BAD,
}


def server_rows(snapshot: BrowserSnapshot) -> tuple[ServerRow, ...]:
    """Return the rows of all servers."""
    return tuple(map(_server, snapshot.servers))


def memory_text(size: int) -> str:
    """Return a number of bytes as text in a suitable unit: ``512 MB``, ``1.4 GB``; 1 MB is 1,000,000 bytes."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _server(node: ServerNode) -> ServerRow:
    address = node.address
    key = f"{address.host or ''}/{address.app}/{address.port}"
    by_process = {worker.figures.pid: worker for worker in node.workers}
    children = [_execution(key, address, entry, by_process) for entry in node.executions]
    busy = {well.worker for entry in node.executions for well in entry.wells}
    others = tuple(worker for worker in node.workers if worker.figures.pid not in busy)
    if others:
        children.append(_workers(key, address, others))
    name = f"{_kind_text(node)} on port {address.port}" + (f" of {address.host}" if address.host else "")
    process = f", process {node.pong.pid}" if node.pong else ""
    return ServerRow(
        key=key,
        kind=RowKind.SERVER,
        address=address,
        cells=(name, _server_state(node), *_figure_cells(node.figures), node.pong.version if node.pong else ""),
        tone=_TONES[node.reach],
        tip=f"{address.app}{process}" + (f"\n{node.problem}" if node.problem else ""),
        children=tuple(children),
    )


def _kind_text(node: ServerNode) -> str:
    if node.kind is ServerKind.VIEWER:
        named = node.pong.server.removesuffix("Server").removesuffix("Viewer") if node.pong else ""
        return f"{named} viewer" if named else "Viewer"
    return "Server"


def _server_state(node: ServerNode) -> str:
    match node.reach:
        case Reach.SILENT:
            return "Not responding"
        case Reach.ENDED:
            return "Ended"
        case Reach.UNREACHABLE:
            return "Not reachable"
        case Reach.RUNNING:
            if node.kind is ServerKind.VIEWER:
                return "Open"
            counts = ((node.running, "running"), (node.queued, "queued"))
            work = ", ".join(f"{count} {what}" for count, what in counts if count)
            return (work or "Idle") + (", paused" if node.paused else "")


def _execution(
    parent: str, address: ServerAddress, entry: ExecutionNode, workers: Mapping[int, WorkerNode]
) -> ServerRow:
    key = f"{parent}/{entry.execution_id}"
    name = os.path.basename(entry.plate_id.rstrip("/\\")) or entry.plate_id or entry.execution_id[:8]
    return ServerRow(
        key=key,
        kind=RowKind.EXECUTION,
        address=address,
        cells=(name, _execution_state(entry), "", "", "", ""),
        tone=Tone.PENDING if entry.queue_position is not None else Tone.ACTIVE,
        execution_id=entry.execution_id,
        tip=f"{entry.plate_id}\nexecution {entry.execution_id}",
        children=_workers_and_wells(key, address, entry, workers),
    )


def _workers_and_wells(
    key: str, address: ServerAddress, entry: ExecutionNode, workers: Mapping[int, WorkerNode]
) -> tuple[ServerRow, ...]:
    """Return the workers with their wells, then the wells whose worker is unknown or on another machine."""
    wells: dict[int | None, list[ServerRow]] = {}
    for well in entry.wells:
        process = well.worker if well.worker in workers else None
        wells.setdefault(process, []).append(_well(key, address, entry.execution_id, well))
    busy = (
        _worker(key, address, workers[process], tuple(rows))
        for process, rows in sorted(wells.items(), key=lambda item: item[0] or 0)
        if process is not None
    )
    return (*busy, *wells.get(None, ()))


def _execution_state(entry: ExecutionNode) -> str:
    if entry.status is ExecutionStatus.QUEUED:
        return waiting_text(None if entry.queue_position is None else entry.queue_position + 1)
    word = "Stopping" if entry.status is ExecutionStatus.CANCELLING else f"Running {int(entry.percent)} %"
    failed = f", {entry.wells_failed} failed" if entry.wells_failed else ""
    return f"{word}, {entry.wells_done} wells done{failed}" if entry.wells_known else word


def _well(parent: str, address: ServerAddress, execution_id: str, well: AxisProgress) -> ServerRow:
    step = f"{well.step_name} (step {well.step_index + 1} of {well.total_steps})" if well.step_name else "Starting"
    return ServerRow(
        key=f"{parent}/{well.axis_id}",
        kind=RowKind.WELL,
        address=address,
        cells=(f"Well {well.axis_id}", f"{step}, {int(well.percent)} %", "", "", "", ""),
        tone=Tone.ACTIVE,
        execution_id=execution_id,
    )


def _workers(parent: str, address: ServerAddress, workers: tuple[WorkerNode, ...]) -> ServerRow:
    key = f"{parent}/workers"
    cpu = sum(worker.figures.cpu_percent for worker in workers)
    memory = sum(worker.figures.memory_bytes for worker in workers)
    return ServerRow(
        key=key,
        kind=RowKind.WORKERS,
        address=address,
        cells=(
            "Other workers",
            f"{len(workers)} process" + ("es" if len(workers) > 1 else ""),
            f"{cpu:.0f} %",
            memory_text(memory),
            "",
            "",
        ),
        tip="Processes without a well: they control other workers, or wait for the next well or execution.",
        children=tuple(_worker(key, address, worker) for worker in workers),
    )


def _worker(parent: str, address: ServerAddress, worker: WorkerNode, wells: tuple[ServerRow, ...] = ()) -> ServerRow:
    return ServerRow(
        key=f"{parent}/process {worker.figures.pid}",
        kind=RowKind.WORKER,
        address=address,
        cells=(worker.title, "", *_figure_cells(worker.figures), ""),
        children=wells,
    )


def _figure_cells(figures: ProcessFigures | None) -> tuple[str, str, str]:
    if figures is None:
        return "", "", ""
    return f"{figures.cpu_percent:.0f} %", memory_text(figures.memory_bytes), duration_text(figures.uptime_seconds)
