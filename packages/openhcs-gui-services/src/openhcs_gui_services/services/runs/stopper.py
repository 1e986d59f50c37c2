"""Stopping the plates of one window, and of no other: at the next check, after the running wells, or at once."""

import asyncio
from collections.abc import Sequence
from typing import Final

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.connection.executions import PlateExecutions
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.record import PlateRecord, StopLevel
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import ServerState
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AxisState

__all__ = ["PlateStopper"]

_KILL_AT_ONCE: Final = 0.0


class PlateStopper:
    """Records stop requests at once and sends them to the server when possible, again after a lost connection."""

    def __init__(self, book: PlateCollection, executions: PlateExecutions, service: ZMQClientService) -> None:
        self._book = book
        self._executions = executions
        self._service = service

    async def stop(self, records: Sequence[PlateRecord], wish: StopLevel) -> None:
        """Stop these plates, which show it at once; return when the requests have been sent."""
        for record in records:
            record.wish_stop(wish)
            self._book.change(record, record.merge_wells())
        self._book.flush()
        await self.send(records)

    async def stop_after_wells(self, records: Sequence[PlateRecord]) -> None:
        """Start no more wells of these plates, but finish the running ones."""
        running = [record for record in records if record.state is PlateStatus.RUNNING and record.live_id]
        for record in running:
            record.is_stopping_after_wells = True
            record.state = PlateStatus.CANCELLING
            self._book.change(record)
        others = [record for record in records if record.state is not PlateStatus.CANCELLING]
        await self.stop(others, StopLevel.GRACEFUL)
        await asyncio.gather(*map(self._send_wells, running))

    async def send(self, records: Sequence[PlateRecord]) -> None:
        """Send the stop requests of these plates; if the server is lost, leave that to :meth:`resend`."""
        if self._service.state in (ServerState.CONNECTED, ServerState.SILENT):
            await asyncio.gather(*map(self._send, records))

    async def resend(self) -> None:
        """Send stop requests again after the server was away; wells that were to be finished are no longer running."""
        wanted = [record for record in self._book.busy() if record.stop or record.is_stopping_after_wells]
        for record in wanted:
            record.wish_stop(StopLevel.GRACEFUL)
            self._book.change(record)
        await self.send(wanted)

    async def _send(self, record: PlateRecord) -> None:
        execution_id = record.live_id
        if execution_id is None:
            return
        grace = _KILL_AT_ONCE if record.stop is StopLevel.FORCE else None
        try:
            await self._executions.cancel(execution_id, grace_seconds=grace)
        except ZMQRuntimeError as error:
            self._book.events.say(f"{record.name} could not be stopped yet: {error}", is_error=True, path=record.path)

    async def _send_wells(self, record: PlateRecord) -> None:
        waiting = [row.axis_id for row in record.wells.rows() if row.state is AxisState.WAITING]
        if record.execution_id is None or not waiting:
            return
        try:
            await self._executions.cancel_wells(record.execution_id, waiting)
        except ZMQRuntimeError as error:
            self._book.events.say(f"{record.name} could not be stopped yet: {error}", is_error=True, path=record.path)
