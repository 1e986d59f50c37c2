"""Runs plates for a host: a thin adapter for a workspace."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from openhcs_gui_services.services.compat.execution_host import ExecutionHost, HostMirror
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateRow
from openhcs_gui_services.services.runs.workspace import PlateWorkspace

__all__ = ["ExecutionHost", "ZMQExecutionService"]

_STATUSES: Final = {PlateStatus.COMPLETE: "completed"}
"""Statuses for hosts that differ from the value of the state."""


class ZMQExecutionService:
    """Runs a host's plates on a server and reports their progress to the host.

    Args:
        host: see :class:`ExecutionHost`; its methods are called on the thread of the event loop.
        port: data port of the server; one is started if none responds, and it outlives the window.
        workspace: the workspace of the host, which it closes itself [default: a new one].
    """

    def __init__(self, host: ExecutionHost, port: int = 7777, *, workspace: PlateWorkspace | None = None) -> None:
        self.host = host
        self._is_owner = workspace is None
        self.workspace = workspace or PlateWorkspace(port)
        self._batches = 0
        self._running: set[str] = set()
        self._ends: dict[str, PlateStatus] = {}
        self._mirror = HostMirror(self.workspace, host, self._on_row)

    async def run_plates(self, ready_items: Iterable[Mapping[str, Any]]) -> None:
        """Compile and run plates, and wait until all have ended.

        Args:
            ready_items: the plates, each with its folder under ``path``.
        """
        host = self.host
        names, left_out = await self._mirror.add(ready_items)
        if not self._batches:
            host.emit_clear_logs()
        self._batches += 1
        self._running.update(names)
        self._enter("running")
        try:
            for name in left_out:
                self._tell_end(name, PlateStatus.FAILED, {})
            await self.workspace.run(names)
        finally:
            self._batches -= 1
            self._running = set(filter(self.workspace.is_busy, self._running))
            if not self._batches:
                host.current_execution_id = None
                self._enter("idle")
        ends = [self._ends.pop(path) for path in names if path in self._ends]
        completed = ends.count(PlateStatus.COMPLETE)
        host.on_all_plates_completed(completed, len(ends) - completed + len(left_out))

    async def stop_execution(self, graceful: bool = True) -> None:
        """Stop the runs of this window, but not those of other windows.

        Args:
            graceful: stop at the next cancellation check; if False, kill the processes immediately.
        """
        if self._batches:
            self._enter("stopping")
        await self.workspace.stop(graceful)

    async def shutdown(self) -> None:
        """Disconnect from the server; runs continue. Can be called more than once."""
        self._mirror.unsubscribe()
        if self._is_owner:
            await self.workspace.close()

    def _on_row(self, name: str, row: PlateRow) -> None:
        host, state = self.host, row.snapshot.state
        if row.path not in self._running:
            return
        host.plate_execution_states[name] = _STATUSES.get(state, state.value)
        if row.execution_id is not None:
            host.plate_execution_ids[name] = row.execution_id
        if state is PlateStatus.RUNNING:
            host.current_execution_id = row.execution_id
        if not self.workspace.is_busy(row.path):
            self._running.discard(row.path)
            self._ends[row.path] = state
            execution = self.workspace.execution(row.path)
            self._tell_end(name, state, execution.plate.to_dict() if execution and execution.plate else {})

    def _tell_end(self, name: str, state: PlateStatus, result: dict[str, Any]) -> None:
        status = _STATUSES.get(state, state.value)
        self.host.plate_execution_states[name] = status
        self.host.emit_status(f"Plate {name}: {status}")
        self.host.emit_execution_complete(result, name)
        self.host.on_plate_completed(name, status, result)

    def _enter(self, state: str) -> None:
        self.host.execution_state = state
        self.host.update_button_states()
