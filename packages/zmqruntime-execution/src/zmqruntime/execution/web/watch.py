"""One server while somebody looks at it: a connection that is asked once a second, or what the server left on disk."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Coroutine, Iterator
from typing import Any

from zmqruntime.client import ClientState
from zmqruntime.exceptions import (
    ConnectionFailedError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerSilentError,
    ZMQRuntimeError,
)
from zmqruntime.execution.client.aio import AsyncExecutionClient
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.execution.web.follow import Follow
from zmqruntime.execution.web.places import Place, PlaceState
from zmqruntime.execution.web.stored import StoredReader
from zmqruntime.execution.web.topics import Topic
from zmqruntime.messages import ExecutionSnapshot, PongResponse, StatusRequest, StatusResponse
from zmqruntime.standing import SILENT_WORDS

__all__ = ["MOST_FOLLOWED", "ServerWatch"]

MOST_FOLLOWED = 8
"""Running executions of a list whose progress is followed."""
_ENDED_LISTED = 20
_ASK_SECONDS = 1.0
_ANSWER_SECONDS = 2.0
_CONNECT_SECONDS = 5.0
_LOOK_AGAIN_SECONDS = 2.0
_MERGE_SECONDS = 0.2
_EVENTS_AT_ONCE = 1_000
_MOST_FOLLOWS = 64
_log = logging.getLogger(__name__)


class ServerWatch:
    """What is known of one server, kept up to date until :meth:`close`. For one event loop; never starts a server.

    Attributes:
        topic: changes with the list of executions, with whether the server answers, and with what is followed.
        state: whether the server answers.
        trouble: why it does not, or what else is wrong; empty if nothing is.
        server: its identity, while it answers.
        status: its executions; None before the first answer.
        heard: when it last answered, or changed what it has on disk, in seconds since the epoch; 0 before either.
        looked: set once it has answered, or its executions were read from disk, or neither was possible.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.topic = Topic()
        self.state = PlaceState.SILENT
        self.trouble = ""
        self.server: PongResponse | None = None
        self.status: StatusResponse | None = None
        self.heard = 0.0
        self.looked = asyncio.Event()
        self.version = 0
        self._client: AsyncExecutionClient | None = None
        self._follows: dict[str, Follow] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._users: dict[str, int] = {}
        self._listing = 0
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Release the connection."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    @property
    def client(self) -> AsyncExecutionClient | None:
        """The connection to the server, while it answers or is silent."""
        return self._client

    @property
    def stored(self) -> StoredReader | None:
        """What the server has left on disk; None if it answers, or is on another machine."""
        if self._client is not None or self.place.host is not None or not self.place.database.is_file():
            return None
        return StoredReader(self.place, has_ended=self.state is PlaceState.ENDED)

    @contextlib.contextmanager
    def listing(self) -> Iterator[None]:
        """Follow the progress of what is running, within the block."""
        self._listing += 1
        try:
            self._follow_running()
            yield
        finally:
            self._listing -= 1
            self._drop_unused()

    @contextlib.contextmanager
    def following(self, execution_id: str) -> Iterator[None]:
        """Follow an execution within the block; :meth:`follow_of` gives it."""
        self._users[execution_id] = self._users.get(execution_id, 0) + 1
        try:
            self._begin(execution_id)
            yield
        finally:
            self._users[execution_id] -= 1
            self._drop_unused()

    def follow_of(self, execution_id: str) -> Follow | None:
        """Return the state of an execution that is followed. It is another object when the server comes back."""
        return self._follows.get(execution_id)

    def listed(self, execution_id: str) -> ExecutionSnapshot | None:
        """Return an execution from the latest list."""
        if self.status is None:
            return None
        return next((entry for entry in self.status.executions if entry.execution_id == execution_id), None)

    # --- the server ----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._attend()
            except ServerSilentError as error:
                await self._leave(PlaceState.SILENT, str(error))
            except RequestRefusedError as error:
                await self._leave(PlaceState.RUNNING, str(error))
            except (ConnectionFailedError, ServerLostError) as error:
                await self._leave(PlaceState.ENDED, "" if self.place.host is None else str(error))
            except (ZMQRuntimeError, OSError) as error:
                await self._leave(PlaceState.SILENT, str(error))
            self.looked.set()
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _attend(self) -> None:
        """Keep a connection until it is lost."""
        place = self.place
        client = AsyncExecutionClient(place.port, host=place.host, config=place.config)
        try:
            self.server = await client.connect(_CONNECT_SECONDS)
            await self._stop_following()
            self._client, self.state, self.trouble = client, PlaceState.RUNNING, ""
            for execution_id in self._users:
                self._begin(execution_id)
            while client.state is not ClientState.LOST:
                await self._ask(client)
                await asyncio.sleep(_ASK_SECONDS)
            raise ServerLostError(client.client.standing.text or "the server has ended")
        finally:
            self._client = None
            await self._stop_following()
            await client.disconnect()

    async def _ask(self, client: AsyncExecutionClient) -> None:
        try:
            request = StatusRequest(limit=_ENDED_LISTED)
            status = await client.request(request, StatusResponse, _ANSWER_SECONDS)
            self.heard = time.time()
            self._put(PlaceState.RUNNING, "", status)
        except RequestTimeoutError:
            text = f"the server on port {self.place.port} does not answer: {SILENT_WORDS}"
            self._put(PlaceState.SILENT, text, self.status)

    async def _leave(self, state: PlaceState, trouble: str) -> None:
        """Without a connection, show what is on disk."""
        self.state, status = state, self.status
        reader = self.stored
        try:
            if reader is not None:
                status = await asyncio.to_thread(reader.status, _ENDED_LISTED)
                self.heard = max(self.heard, self.place.changed_at)
            elif state is PlaceState.ENDED and not trouble:
                trouble = "the server has left no executions on this machine"
        except RequestRefusedError as error:
            trouble = str(error)
        self._put(state, trouble, status)
        for execution_id in self._users:
            self._begin(execution_id)

    def _put(self, state: PlaceState, trouble: str, status: StatusResponse | None) -> None:
        is_same = (self.state, self.trouble, self.status) == (state, trouble, status)
        self.state, self.trouble, self.status = state, trouble, status
        self._follow_running()
        self.looked.set()
        if not is_same or self.version == 0:
            self.version += 1
            self.topic.changed()

    # --- executions ----------------------------------------------------------------------------------------------

    def _follow_running(self) -> None:
        if self._listing and self._client is not None and self.status is not None:
            working = [entry for entry in self.status.executions if entry.status.is_working]
            for entry in working[:MOST_FOLLOWED]:
                self._begin(entry.execution_id)
            self._drop_unused()

    def _begin(self, execution_id: str) -> None:
        """Follow an execution, unless it is followed."""
        if execution_id in self._tasks or len(self._follows) >= _MOST_FOLLOWS:
            return
        client, reader = self._client, self.stored
        if client is None and reader is None:
            return
        follow = self._follows[execution_id] = Follow(self.topic)
        work = _follow_live(client, execution_id, follow) if client else _follow_stored(reader, execution_id, follow)
        self._tasks[execution_id] = asyncio.create_task(_guarded(work, follow))
        self.topic.changed()

    def _drop_unused(self) -> None:
        running = set()
        if self._listing and self.status is not None:
            running = {entry.execution_id for entry in self.status.executions if entry.status.is_working}
        for execution_id in list(self._follows):
            if not self._users.get(execution_id) and execution_id not in running:
                self._forget(execution_id)
        self._users = {execution_id: count for execution_id, count in self._users.items() if count}

    def _forget(self, execution_id: str) -> None:
        del self._follows[execution_id]
        task = self._tasks.pop(execution_id, None)
        if task is not None:
            task.cancel()

    async def _stop_following(self) -> None:
        """Stop; the states stay for pages to show until others take their place."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _guarded(work: Coroutine[Any, Any, None], follow: Follow) -> None:
    try:
        await work
    except RequestRefusedError as error:
        follow.problem = str(error)
    except (ZMQRuntimeError, OSError) as error:
        _log.info("an execution is no longer followed: %s", error)  # the watch looks for the server again
        return
    follow.is_ready = True
    follow.changed()


async def _follow_live(client: AsyncExecutionClient, execution_id: str, follow: Follow) -> None:
    """Apply the events of an execution as they come, several times a second."""
    snapshot = await client.snapshot_of(execution_id)
    is_over = has_ended(snapshot.status, snapshot.resumable)
    arrived, loop = asyncio.Event(), asyncio.get_running_loop()
    with client.client.opened(execution_id, 0, is_over) as sink:
        sink.on_change = functools.partial(_wake, loop, arrived)
        while (events := sink.take(_EVENTS_AT_ONCE)) is not None:
            if events:
                follow.apply(events)
                await asyncio.sleep(0)
                continue
            if not follow.is_ready and sink.position() >= snapshot.event_count:
                follow.is_ready = True
                follow.changed()
            await _next(arrived, follow.is_ready)
    follow.put_snapshot(await client.snapshot_of(execution_id))
    follow.has_ended = True


async def _next(arrived: asyncio.Event, is_ready: bool) -> None:
    """Wait for events, and let some more come; of those that are no longer kept, nobody says that they are over."""
    if is_ready:
        await arrived.wait()
        await asyncio.sleep(_MERGE_SECONDS)
    else:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(arrived.wait(), _ASK_SECONDS)
    arrived.clear()


async def _follow_stored(reader: StoredReader | None, execution_id: str, follow: Follow) -> None:
    assert reader is not None
    stored = await asyncio.to_thread(reader.execution, execution_id)
    follow.apply(stored.events)
    follow.put_snapshot(stored.snapshot)
    follow.has_ended = True


def _wake(loop: asyncio.AbstractEventLoop, arrived: asyncio.Event) -> None:
    """Called on the client's thread for each batch; only the first one since the last look costs anything."""
    if not arrived.is_set():
        with contextlib.suppress(RuntimeError):  # the loop was closed
            loop.call_soon_threadsafe(arrived.set)
