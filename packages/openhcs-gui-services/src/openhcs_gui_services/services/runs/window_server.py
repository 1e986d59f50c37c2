"""A window's connection to its server: server events update the plates, also after the server was away."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from openhcs_gui_services.services.connection.client import ZMQClientService
from openhcs_gui_services.services.connection.executions import PlateExecutions
from openhcs_gui_services.services.connection.poller import (
    CallbackIntervalSnapshotPollerPolicy,
    IntervalSnapshotPoller,
)
from openhcs_gui_services.services.connection.status import present_server_status
from openhcs_gui_services.services.connection.tracker import ExecutionTracker
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import FeedNews, LogLinesAdded, ServerState, ServerStateChanged
from openhcs_gui_services.services.plates.well_log import failure_lines
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_gui_services.services.runs.batch_watch import BatchWatch
from openhcs_gui_services.services.runs.host import WorkspaceBatches
from openhcs_gui_services.services.runs.stopper import PlateStopper
from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.messages import LogLine, StatusResponse

__all__ = ["WindowServer"]

_log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 1.0
_IDLE: Final = "idle"


class _MakeService(Protocol):
    """Creates the connection with these callbacks."""

    def __call__(
        self,
        *,
        on_state: Callable[[ServerState, str], None],
        on_back: Callable[[], None],
        wants_server: Callable[[], bool],
    ) -> ZMQClientService: ...


class WindowServer:
    """Connection, execution tracker, stopper and clock of a window. Used from one event loop.

    Args:
        book: the plates of the window.
        make_service: creates the connection.
    """

    def __init__(self, book: PlateCollection, make_service: _MakeService) -> None:
        self._book = book
        self.service = make_service(on_state=self._on_state, on_back=self._on_back, wants_server=self.wants_server)
        self.tracker = ExecutionTracker(self._on_news)
        self.executions = PlateExecutions(self.service, self.tracker)
        self.stopper = PlateStopper(book, self.executions, self.service)
        self.host = WorkspaceBatches(book, self.executions, self.stopper)
        self.batch = BatchWatch(book)
        self._poller = IntervalSnapshotPoller(
            CallbackIntervalSnapshotPollerPolicy(
                fetch=self.executions.status, clone=lambda status: status, on_snapshot=self._on_status
            ),
            interval_seconds=_TICK_SECONDS / 2,
        )
        self._status_text = ""
        self._tick_call: asyncio.TimerHandle | None = None
        self._reconciling: asyncio.Task[None] | None = None
        self._connected_at = 0.0
        self._has_ended = False

    def wants_server(self) -> bool:
        """Whether executions of this window are live there, except those interrupted by a deliberate stop."""
        live = [record for record in self._book.busy() if record.live_id is not None]
        return not self._has_ended and any((each.interrupted_at or 0.0) < self._connected_at for each in live)

    def begin_work(self) -> None:
        """Report busy plates, and keep the clock running while there are any."""
        self._book.flush()
        if self._tick_call is None and not self._has_ended and self._book.busy():
            self._tick_call = asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    async def refresh(self) -> None:
        """Ask for the queue now, after a change of its order.

        Raises:
            ZMQRuntimeError: the server can't be asked.
        """
        self._on_status(await self.executions.status())

    async def look(self) -> None:
        """Show what a running server does, whoever has given it that; none is started."""
        try:
            if not self._has_ended and await self.service.connect_to_running():
                await self.refresh()
        except ZMQRuntimeError as error:
            _log.info("the server can't be asked: %s", error)  # the next look tries again

    async def end(self) -> None:
        """Stop following the server; the connection stays open."""
        self._has_ended = True
        if self._tick_call is not None:
            self._tick_call.cancel()
        await self._poller.close()
        if self._reconciling is not None:
            self._reconciling.cancel()
            await asyncio.gather(self._reconciling, return_exceptions=True)
        self.tracker.close()

    def _on_news(self, news: Sequence[FeedNews]) -> None:
        for each in news:
            record = self.host.record_of(each.execution_id)
            if record is None:
                continue
            if each.interrupted_at is not None:
                record.interrupted_at = each.interrupted_at
            lines = each.lines
            if each.execution_id == record.execution_id:
                changed = record.apply(each)
                self._book.change(record, changed)
                lines += self._failures(record, changed, each)
            if lines:
                self._book.events.emit(LogLinesAdded(record.path, lines))
        self._book.flush()

    @staticmethod
    def _failures(record: PlateRecord, changed: Sequence[AxisProgress], news: FeedNews) -> tuple[LogLine, ...]:
        """Return lines for wells that have just failed; the run itself logs only what functions print."""
        if not any(well.state is AxisState.FAILED for well in changed):
            return ()
        of_run = set(record.wells.names_with(AxisState.FAILED))
        failed = [well for well in changed if well.axis_id in of_run]
        return tuple(failure_lines(news.execution_id, failed, news.lines, time.time()))

    def _on_status(self, status: StatusResponse) -> None:
        """Update queue positions, which the server reports only in its status."""
        positions = {each.execution_id: each.queue_position for each in status.executions}
        for record in self._book.busy():
            place = positions.get(record.execution_id or "") if record.state is PlateStatus.QUEUED else None
            if record.place(None if place is None else place + 1):
                self._book.change(record)
        self._book.flush()
        text = present_server_status(ServerState.CONNECTED, "", status).detail
        self._show_status("" if text == _IDLE else text)

    def _show_status(self, text: str) -> None:
        """Report what the server does, if that has changed; "" is a server without work, however that came about."""
        if self.service.state is ServerState.CONNECTED and text != self._status_text:
            self._status_text = text
            self._book.events.emit(ServerStateChanged(ServerState.CONNECTED, text))

    def _on_state(self, state: ServerState, text: str) -> None:
        if state is ServerState.CONNECTED:
            self._connected_at = time.time()
        if state is ServerState.LOST:
            self._poller.reset()
            self._book.set_lost(True)
        self._status_text = ""
        shown = "" if state is ServerState.CONNECTED else window_text(text)
        self._book.events.emit(ServerStateChanged(state, shown))
        self._book.flush()

    def _on_back(self) -> None:
        if self._has_ended:
            return
        if self._reconciling is not None:
            self._reconciling.cancel()  # its findings are outdated since the last loss
        self._reconciling = asyncio.create_task(self._reconcile())

    async def _reconcile(self) -> None:
        await self.executions.reconcile()
        if self.service.state is ServerState.CONNECTED:
            self._book.set_lost(False)
            self._book.flush()
            await self.stopper.resend()

    def _tick(self) -> None:
        """Update elapsed times even when there are no events."""
        self._tick_call = None
        working = self._book.busy()
        for record in working:
            if record.state.is_working:
                self._book.change(record)
        if self.service.state is ServerState.CONNECTED and working:
            self._poller.tick()
        self.batch.tick()
        if not working:
            self._show_status("")
            self._poller.reset()  # so that the next run's first status counts as new
        self.begin_work()
