"""The executions of a window: submitting, following and cancelling them, and finding them again after a reconnect."""

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
from zmqruntime.execution.events.result_files import lacks_result
from zmqruntime.messages import (
    CancelResponse,
    ErrorCode,
    ExecuteRequest,
    ExecutionSnapshot,
    LogLine,
    QueueAction,
    StatusResponse,
)

__all__ = ["PlateExecutions"]

_log = logging.getLogger(__name__)

_COMPILE_PRIORITY: Final = 1
"""A compilation takes seconds, and the user is waiting for it; runs have 0."""
_UNKNOWN: Final = "the server no longer knows this execution; run the plate again"
_CANCELS_AT_ONCE: Final = 64


class PlateExecutions:
    """Requests of a window about its own executions. Belongs to one event loop.

    Args:
        service: the connection of the window.
        tracker: follows the submitted executions.
    """

    def __init__(self, service: ZMQClientService, tracker: ExecutionTracker) -> None:
        self._service = service
        self._tracker = tracker

    def request_for(self, path: str, task: PlateTask) -> ExecuteRequest:
        """Return a submission that already has its execution id, and that the next server resumes after a crash.

        Args:
            path: folder of the plate.
            task: what to run.
        """
        priority = _COMPILE_PRIORITY if task.action is TaskAction.COMPILE else 0
        payload = msgspec.to_builtins(task)
        client = self._service.client
        return client.request_for(
            payload, plate_id=path, resumable=True, priority=priority, environment=environment_for(client.client)
        )

    async def submit(self, request: ExecuteRequest) -> SubmittedPlate:
        """Submit a request and follow its execution.

        Raises:
            ZMQRuntimeError: as for :meth:`ZMQClientService.submit`.
        """
        await self._service.submit(request)
        return self._follow(request.submission_id)

    async def find(self, execution_ids: Iterable[str]) -> dict[str, ExecutionSnapshot]:
        """Return the current state of executions by id; those that the server doesn't know are omitted.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        found: dict[str, ExecutionSnapshot] = {}
        for execution_id in execution_ids:
            snapshot = await self._poll(execution_id)
            if snapshot is not None:
                found[execution_id] = snapshot
        return found

    def adopt(self, execution_id: str) -> SubmittedPlate:
        """Follow an execution that was submitted by an earlier window."""
        return self._follow(execution_id)

    async def reconcile(self) -> None:
        """After a reconnect, ask the server for the state of each followed execution."""
        for execution_id in self._tracker.live():
            try:
                snapshot = await self._poll(execution_id)
            except ZMQRuntimeError as error:
                _log.warning("the state of execution %s is not known yet: %s", execution_id, error)
                return  # the server is gone again; this is repeated after the next reconnect
            if snapshot is None:
                self._tracker.lose(execution_id, _UNKNOWN)
            else:
                self._tracker.learn(snapshot)

    async def task_of(self, execution_id: str) -> PlateTask | None:
        """Return the task that was submitted for an execution.

        Returns:
            None if the server doesn't know the execution, or if it is a task of another kind or version.

        Raises:
            ZMQRuntimeError: the server can't be asked.
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
        """Cancel an execution, or one of its wells.

        Args:
            execution_id: id of the execution.
            axis_id: the well; None for the whole execution.
            grace_seconds: seconds to wait before killing [default: that of the server].

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        return await self._service.persist(lambda: self._service.client.cancel(execution_id, axis_id, grace_seconds))

    async def cancel_wells(self, execution_id: str, wells: Sequence[str]) -> None:
        """Cancel some wells of an execution, in the given order.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        for begin in range(0, len(wells), _CANCELS_AT_ONCE):
            some = wells[begin : begin + _CANCELS_AT_ONCE]
            await asyncio.gather(*(self.cancel(execution_id, well) for well in some))

    async def move(self, execution_id: str, place: int) -> None:
        """Move a waiting execution in the queue of the server.

        Args:
            execution_id: id of the execution.
            place: its new place among the waiting ones, from 0.

        Raises:
            ZMQRuntimeError: the server can't be asked, or the execution is not waiting.
        """
        client = self._service.client
        await self._service.persist(lambda: client.change_queue(QueueAction.MOVE, execution_id, place))

    async def logs(self, execution_id: str) -> list[LogLine]:
        """Return the log of an execution so far.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        await self._service.connect()
        return await asyncio.to_thread(self._service.client.client.logs, execution_id)

    async def history(self, limit: int) -> list[PlateExecution]:
        """Return executions of all windows that have ended, newest first.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        await self._service.connect()
        client = self._service.client
        return [PlateExecution.of(snapshot) for snapshot in await in_full(client, await client.history(limit))]

    async def status(self) -> StatusResponse:
        """Return the server's running and queued executions.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        return await self._service.client.status(limit=0)

    async def _poll(self, execution_id: str) -> ExecutionSnapshot | None:
        try:
            return await self._service.persist(lambda: self._service.client.poll_status(execution_id))
        except RequestRefusedError as error:
            if error.code is ErrorCode.NOT_FOUND:
                return None
            raise

    def _follow(self, execution_id: str) -> SubmittedPlate:
        end = self._tracker.follow(self._service.client, execution_id)
        return SubmittedPlate(execution_id, asyncio.ensure_future(self._with_result(end)))

    async def _with_result(self, end: "asyncio.Future[ExecutionSnapshot]") -> ExecutionSnapshot:
        """Return how an execution ended, with its result, which the event of the end lacks if it is large."""
        snapshot = await asyncio.shield(end)
        if not lacks_result(snapshot):
            return snapshot
        try:
            return await self._poll(snapshot.execution_id) or snapshot
        except ZMQRuntimeError as error:
            _log.warning("the result of execution %s can't be had: %s", snapshot.execution_id, error)
            return snapshot
