"""The executions of one window: submitted, followed, cancelled, and looked for again after the server was away."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.connection.in_full import in_full
from openhcs_gui_services.services.connection.tracker import ExecutionTracker
from openhcs_gui_services.services.plates.outcome import SubmittedPlate
from openhcs_runtime.service.client import PlateExecution, environment_for
from openhcs_runtime.tasks import PlateTask, TaskAction
from zmqruntime.exceptions import RequestRefusedError, ZMQRuntimeError
from zmqruntime.messages import (
    CancelResponse,
    ErrorCode,
    ExecuteRequest,
    ExecutionSnapshot,
    LogLine,
    StatusResponse,
)

__all__ = ["PlateExecutions"]

_log = logging.getLogger(__name__)

_COMPILE_PRIORITY: Final = 1
"""A compilation takes seconds, and whoever has asked for it is looking; runs have 0."""
_UNKNOWN: Final = "the server knows nothing of this execution any more; run the plate again"
_CANCELS_AT_ONCE: Final = 64


class PlateExecutions:
    """What a window asks of its server about its own executions. Used from one event loop.

    Args:
        service: the window's connection.
        tracker: follows what is submitted.
    """

    def __init__(self, service: ZMQClientService, tracker: ExecutionTracker) -> None:
        self._service = service
        self._tracker = tracker

    def request_for(self, path: str, task: PlateTask) -> ExecuteRequest:
        """A submission, with the id that its execution will have. If its server is killed, the next goes on with it."""
        priority = _COMPILE_PRIORITY if task.action is TaskAction.COMPILE else 0
        payload = msgspec.to_builtins(task)
        client = self._service.client
        return client.request_for(
            payload, plate_id=path, resumable=True, priority=priority, environment=environment_for(client.client)
        )

    async def submit(self, request: ExecuteRequest) -> SubmittedPlate:
        """Hand it over and follow it. Raises ZMQRuntimeError."""
        await self._service.submit(request)
        return self._follow(request.submission_id)

    async def find(self, execution_ids: Iterable[str]) -> dict[str, ExecutionSnapshot]:
        """What these are now, those that the server knows. Raises ZMQRuntimeError when it can't be asked."""
        found: dict[str, ExecutionSnapshot] = {}
        for execution_id in execution_ids:
            snapshot = await self._poll(execution_id)
            if snapshot is not None:
                found[execution_id] = snapshot
        return found

    def adopt(self, execution_id: str) -> SubmittedPlate:
        """Follow what an earlier window has submitted."""
        return self._follow(execution_id)

    async def reconcile(self) -> None:
        """After the server was away: ask it for each execution that is followed."""
        for execution_id in self._tracker.live():
            try:
                snapshot = await self._poll(execution_id)
            except ZMQRuntimeError as error:
                _log.warning("what became of execution %s is not known yet: %s", execution_id, error)
                return  # it is away again; there will be another time
            if snapshot is None:
                self._tracker.lose(execution_id, _UNKNOWN)
            else:
                self._tracker.learn(snapshot)

    async def task_of(self, execution_id: str) -> PlateTask | None:
        """What was submitted for an execution; None if the server does not know it. Raises ZMQRuntimeError.

        One of another version, whose tasks are not ours any more, is none either.
        """
        try:
            request = await self._service.persist(lambda: self._service.client.submission_of(execution_id))
            return msgspec.convert(request.payload, PlateTask)
        except msgspec.ValidationError:
            return None
        except RequestRefusedError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise

    async def cancel(
        self, execution_id: str, axis_id: str | None = None, grace_seconds: float | None = None
    ) -> CancelResponse:
        """Ask an execution, or one well of it, to stop. Raises ZMQRuntimeError."""
        return await self._service.persist(lambda: self._service.client.cancel(execution_id, axis_id, grace_seconds))

    async def cancel_wells(self, execution_id: str, wells: Sequence[str]) -> None:
        """Ask these wells of an execution to stop, the first ones first. Raises ZMQRuntimeError."""
        for begin in range(0, len(wells), _CANCELS_AT_ONCE):
            some = wells[begin : begin + _CANCELS_AT_ONCE]
            await asyncio.gather(*(self.cancel(execution_id, well) for well in some))

    async def logs(self, execution_id: str) -> list[LogLine]:
        """The log of an execution up to now. Raises ZMQRuntimeError."""
        await self._service.connect()
        return await asyncio.to_thread(self._service.client.client.logs, execution_id)

    async def history(self, limit: int) -> list[PlateExecution]:
        """Executions that have ended, of all windows, newest first. Raises ZMQRuntimeError."""
        await self._service.connect()
        client = self._service.client
        return [PlateExecution.of(snapshot) for snapshot in await in_full(client, await client.history(limit))]

    async def status(self) -> StatusResponse:
        """What the server has to do; nothing that has ended. Raises ZMQRuntimeError."""
        return await self._service.client.status(limit=0)

    async def _poll(self, execution_id: str) -> ExecutionSnapshot | None:
        try:
            return await self._service.persist(lambda: self._service.client.poll_status(execution_id))
        except RequestRefusedError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise

    def _follow(self, execution_id: str) -> SubmittedPlate:
        return SubmittedPlate(execution_id, self._tracker.follow(self._service.client, execution_id))
