"""Server-sent events for one page: a few times a second, what it does not have yet.

The format is that of the HTML standard, section "Server-sent events"; the ``id`` of a message is the page's cursor,
which the browser sends back as ``Last-Event-ID`` after a lost connection.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import msgspec

from zmqruntime.execution.clean import clean_line
from zmqruntime.execution.text import duration
from zmqruntime.execution.web.cursor import Cursor
from zmqruntime.execution.web.machine import Machine
from zmqruntime.execution.web.places import FoundPlace, PlaceState
from zmqruntime.execution.web.topics import Topic
from zmqruntime.execution.web.views import Row, row_of
from zmqruntime.execution.web.watch import ServerWatch
from zmqruntime.messages import ExecutionSnapshot, QueueState, Schedule

__all__ = ["PageStream", "Subject"]

_PACE_SECONDS = 0.25
_QUIET_SECONDS = 10.0
_RETRY_MS = 1_000


class ServerRow(msgspec.Struct, frozen=True):
    """A server in the list of servers."""

    key: str
    app: str
    port: int
    host: str
    state: str
    server: str
    version: str
    pid: int | None
    running: int | None
    queued: int | None
    paused: bool


class QueueRow(msgspec.Struct, frozen=True):
    """A named queue."""

    name: str
    paused: bool
    limit: int | None
    queued: int
    running: int


class ScheduleRow(msgspec.Struct, frozen=True):
    """A schedule: what it submits, when, and what went wrong the last time."""

    name: str
    task: str
    when: str
    due: float
    trouble: str


class ServerUpdate(msgspec.Struct, frozen=True):
    """A server and the executions in its list that a page lacks; ``order`` has the ids of all, None if unchanged.

    ``heard`` is when what is shown was known, if the server does not answer now; None if it does, or has ended.
    ``is_known`` says whether the executions could be read: if not, the page does not say that there are none.
    """

    key: str
    state: str
    trouble: str
    heard: float | None
    from_disk: bool
    is_known: bool
    server: str
    version: str
    pid: int | None
    running: int
    queued: int
    workers: int
    paused: bool
    draining: bool
    ended: dict[str, int]
    queues: list[QueueRow]
    schedules: list[ScheduleRow]
    order: list[str] | None
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a page shows: a server, one of its executions, or only the list of servers."""

    server: str = ""
    execution: str = ""


class PageStream:
    """The messages for one page.

    Args:
        machine: all servers.
        subject: what it shows.
        cursor: how far it has read the events of its execution.
    """

    def __init__(self, machine: Machine, subject: Subject, cursor: Cursor) -> None:
        self._machine = machine
        self._subject = subject
        self._cursor = cursor
        self._wake = asyncio.Event()
        self._sent_found: object = None
        self._sent_server: ServerUpdate | None = None
        self._sent_rows: dict[str, Row] = {}
        self._sent_order: list[str] | None = None
        self._sent_execution: tuple[object, ...] = ()

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield what to send, at the pace at which it is taken, at most four times a second.

        Raises:
            UnknownServerError: the server is not known.
        """
        async with contextlib.AsyncExitStack() as stack:
            watch = await self._enter(stack)
            yield f"retry: {_RETRY_MS}\n\n".encode()
            while not self._machine.is_closing:
                yield b"".join(self._news(watch)) or b": nothing new\n\n"
                await asyncio.sleep(_PACE_SECONDS)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _QUIET_SECONDS)
                self._wake.clear()

    async def _enter(self, stack: contextlib.AsyncExitStack) -> ServerWatch | None:
        """Begin to look at the subject."""
        await stack.enter_async_context(self._machine.looking())
        self._listen(stack, self._machine.topic)
        if not self._subject.server:
            return None
        watch = await stack.enter_async_context(self._machine.watching(self._subject.server))
        self._listen(stack, watch.topic)
        name = self._subject.execution
        stack.enter_context(watch.following(name) if name else watch.listing())
        return watch

    def _listen(self, stack: contextlib.AsyncExitStack, topic: Topic) -> None:
        topic.add(self._wake)
        stack.callback(topic.remove, self._wake)

    def _news(self, watch: ServerWatch | None) -> Iterator[bytes]:
        found = self._machine.found
        if found is not None and found is not self._sent_found:
            self._sent_found = found
            yield _message("servers", [_server_row(entry) for entry in found.values()])
        if watch is None or not watch.looked.is_set():
            return
        update = self._server_update(watch)
        if update is not None:
            yield _message("server", update)
        if self._subject.execution:
            yield from self._execution_news(watch, self._subject.execution)

    def _execution_news(self, watch: ServerWatch, execution_id: str) -> Iterator[bytes]:
        follow, listed = watch.follow_of(execution_id), watch.listed(execution_id)
        if follow is None or not follow.is_ready:
            return
        is_silent = watch.state is PlaceState.SILENT
        state = (follow, follow.version, listed, is_silent)
        if state != self._sent_execution:
            self._sent_execution = state
            update = follow.since(self._cursor, listed, estimates=not is_silent)
            self._cursor = follow.cursor
            yield _message("execution", update, str(self._cursor))

    def _server_update(self, watch: ServerWatch) -> ServerUpdate | None:
        """What the page lacks of the server; None if nothing."""
        rows, order = {}, None
        if not self._subject.execution:
            now = time.time()
            shown = [] if watch.status is None else watch.status.executions
            known = {entry.execution_id: _listed_row(watch, entry, now) for entry in shown}
            rows = {name: row for name, row in known.items() if self._sent_rows.get(name) != row}
            order = None if list(known) == self._sent_order else list(known)
            self._sent_rows, self._sent_order = known, list(known)
        update = _server_update(watch, order, list(rows.values()))
        is_same = self._sent_server is not None and _without_rows(update) == _without_rows(self._sent_server)
        self._sent_server = update
        return None if is_same and not rows and order is None else update


def _message(event: str, value: object, number: str = "") -> bytes:
    head = f"event: {event}\n" + (f"id: {number}\n" if number else "")
    return head.encode() + b"data: " + msgspec.json.encode(value) + b"\n\n"


def _without_rows(update: ServerUpdate) -> ServerUpdate:
    return msgspec.structs.replace(update, order=None, rows=[])


def _listed_row(watch: ServerWatch, entry: ExecutionSnapshot, now: float) -> Row:
    follow = watch.follow_of(entry.execution_id) if entry.status.is_working else None
    if follow is None:
        return row_of(entry)
    left = None if watch.state is PlaceState.SILENT else follow.remaining_seconds(now)
    return row_of(entry, follow.percent, left)


def _server_row(found: FoundPlace) -> ServerRow:
    server, work, place = found.server, found.work, found.place
    return ServerRow(
        key=place.key,
        app=place.app,
        port=place.port,
        host=place.host or "",
        state=found.state.value,
        server="" if server is None else clean_line(server.server),
        version="" if server is None else clean_line(server.version),
        pid=None if server is None else server.pid,
        running=None if work is None else work.running,
        queued=None if work is None else work.queued,
        paused=work is not None and work.paused,
    )


def _server_update(watch: ServerWatch, order: list[str] | None, rows: list[Row]) -> ServerUpdate:
    server, status = watch.server if watch.client is not None else None, watch.status
    return ServerUpdate(
        key=watch.place.key,
        state=watch.state.value,
        trouble=clean_line(watch.trouble or ("" if status is None else status.trouble)),
        heard=watch.heard or None if watch.state is PlaceState.SILENT else None,
        from_disk=watch.client is None and status is not None,
        is_known=status is not None,
        server="" if server is None else clean_line(server.server),
        version="" if server is None else clean_line(server.version),
        pid=None if server is None else server.pid,
        running=0 if status is None else status.running,
        queued=0 if status is None else status.queued,
        workers=0 if status is None else status.workers,
        paused=status is not None and status.paused,
        draining=status is not None and status.draining,
        ended={} if status is None else {key.value: count for key, count in status.ended.items()},
        queues=[] if status is None else [_queue_row(queue) for queue in status.queues],
        schedules=[] if status is None else [_schedule_row(schedule) for schedule in status.schedules],
        order=order,
        rows=rows,
    )


def _queue_row(queue: QueueState) -> QueueRow:
    return QueueRow(clean_line(queue.name), queue.paused, queue.limit, queue.queued, queue.running)


def _schedule_row(schedule: Schedule) -> ScheduleRow:
    zone = f" ({schedule.timezone or 'UTC'})"
    when = f"every {duration(schedule.every)}" if schedule.every is not None else f"{schedule.cron}{zone}"
    name, task = clean_line(schedule.name), clean_line(schedule.task)
    return ScheduleRow(name, task, clean_line(when), schedule.next_due, clean_line(schedule.trouble))
