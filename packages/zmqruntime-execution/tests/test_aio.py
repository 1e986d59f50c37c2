"""The asyncio client on real servers: the same answers, nothing left behind, no thread for each wait."""

import asyncio
import contextlib
import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Coroutine

import msgspec
import pytest

from zmqruntime import (
    ClientState,
    ClosedError,
    ErrorCode,
    ExecutionStatus,
    LogLine,
    ProgressUpdate,
    QueueAction,
    RequestRefusedError,
    ServerLostError,
    StateChange,
)
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient, SubmissionTimeoutError, WaitTimeoutError
from zmqruntime.execution.client.followers import IteratorSink
from zmqruntime.execution.client.loop_calls import LoopCalls

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]
Body = Callable[[AsyncExecutionClient], Coroutine[object, object, None]]


@pytest.fixture
def owner(make_client: MakeClient) -> ExecutionClient:
    """Owns the server of the test."""
    return make_client()


def run(
    owner: ExecutionClient,
    body: Body,
    progress_callback: Callable[[ProgressUpdate], None] | None = None,
    heartbeat_window: float = 10.0,  # most tests mean their server to live, however busy the machine is
    successor_window: float = 60.0,
) -> None:
    """Run ``body`` with a client of the owner's server."""

    async def main() -> None:
        config = dataclasses.replace(owner.config, heartbeat_window=heartbeat_window, successor_window=successor_window)
        async with AsyncExecutionClient(owner.port, config=config, progress_callback=progress_callback) as client:
            await body(client)

    asyncio.run(main())


async def until_reported(client: AsyncExecutionClient, execution_id: str) -> None:
    """Return once the task has reported something."""
    async with contextlib.aclosing(client.events(execution_id)) as events:
        async for event in events:
            if isinstance(event, ProgressUpdate):
                return
    raise AssertionError("the execution ended without a report")


async def until_free(client: AsyncExecutionClient) -> None:
    """Return once the I/O thread follows nothing more."""
    followers = client.client._followers
    async with asyncio.timeout(10):
        while any(followers.values()):
            await client.status()


def test_submit_and_wait_give_the_result(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        assert client.state is ClientState.CONNECTED
        assert client.server == owner.server
        execution_id = await client.submit({"do": "nothing", "value": 7}, plate_id="/plate")
        snapshot = await client.wait(execution_id, 30)
        assert (snapshot.status, snapshot.result, snapshot.plate_id) == (S.COMPLETE, 7, "/plate")
        assert await client.poll_status(execution_id) == snapshot == owner.wait(execution_id)
        assert await client.wait(execution_id) == snapshot
        brief = msgspec.structs.replace(snapshot, result=None)
        assert await client.history() == [brief]
        assert (await client.status()).executions == [brief]
        await until_free(client)

    run(owner, body)


def test_a_batch_a_held_queue_and_a_cancel(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        assert (await client.change_queue(QueueAction.PAUSE)).paused
        ids = await client.submit_batch([client.request_for({"do": "wait"}) for _ in range(3)])
        assert (await client.change_queue(QueueAction.RESUME)).queued[-2:] == ids[1:]
        await until_reported(client, ids[0])
        waits = [asyncio.ensure_future(client.wait(each, 30)) for each in ids]
        for each in reversed(ids):
            assert (await client.cancel(each))["status"] == "ok"
        assert [(await wait).status for wait in waits] == [S.CANCELLED] * 3
        await until_free(client)

    run(owner, body)


def test_errors_are_those_of_the_client(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        with pytest.raises(RequestRefusedError) as refused:
            await client.wait("nobody-knows-it")
        assert refused.value.code is ErrorCode.NOT_FOUND
        with pytest.raises(RequestRefusedError):
            await anext(client.events("nobody-knows-it"))
        execution_id = await client.submit({"do": "wait"})
        with pytest.raises(WaitTimeoutError, match=r"within 0\.05 s"):
            await client.wait(execution_id, 0.05)
        assert (await client.poll_status(execution_id)).status in (S.QUEUED, S.RUNNING)
        await client.cancel(execution_id, grace_seconds=0)
        await client.wait(execution_id, 30)
        await until_free(client)

    run(owner, body)


def test_a_server_that_is_silent_is_a_timeout_and_the_next_call_works(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        os.kill(owner.server.pid, signal.SIGSTOP)
        try:
            with pytest.raises(SubmissionTimeoutError, match=r"within 0\.05 s") as caught:
                await client.submit({"do": "nothing"}, timeout=0.05)
            with pytest.raises(WaitTimeoutError):
                await client.wait("anything", 0.05)
        finally:
            os.kill(owner.server.pid, signal.SIGCONT)
        assert (await client.wait(await client.submit({"do": "nothing"}), 30)).status is S.COMPLETE
        assert (await client.wait(caught.value.execution_id, 30)).status is S.COMPLETE

    run(owner, body)


def test_events_come_all_and_in_order_and_others_get_their_turn(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await client.submit({"do": "count", "upto": 12_000})
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        others = asyncio.ensure_future(count_turns())
        events = [event async for event in client.events(execution_id)]
        assert [e.sequence for e in events if isinstance(e, ProgressUpdate)] == list(range(1, 12_001))
        states = [e.execution.status for e in events if isinstance(e, StateChange)]
        assert states == [S.QUEUED, S.RUNNING, S.COMPLETE]
        before = turns
        late = [e.sequence async for e in client.events(execution_id) if isinstance(e, ProgressUpdate)]
        assert late == list(range(1, 12_001))
        assert turns - before > 12_000 / 200
        others.cancel()
        assert len([event async for event in client.events(execution_id, after=12_000)]) == 3
        await until_free(client)

    run(owner, body)


def test_events_that_are_not_taken_wait_at_the_server(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await client.submit({"do": "count", "upto": 30_000})
        async with contextlib.aclosing(client.events(execution_id)) as events:
            await anext(events)
            await asyncio.to_thread(owner.wait, execution_id, 60)
            sinks = [each.sink for each in client.client._followers[execution_id]]
            assert [sink.has_room() for sink in sinks if isinstance(sink, IteratorSink)] == [False]
            assert len([event async for event in events if isinstance(event, ProgressUpdate)]) == 30_000
        await until_free(client)

    run(owner, body)


@pytest.mark.parametrize("how", ["break", "cancel"])
def test_a_reader_that_leaves_early_leaves_no_follower(owner: ExecutionClient, how: str) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await asyncio.to_thread(owner.submit, {"do": "wait"})
        reported = asyncio.Event()

        async def read() -> None:
            async for event in client.events(execution_id):
                if isinstance(event, ProgressUpdate):
                    reported.set()
                    if how == "break":
                        break

        reader = asyncio.ensure_future(read())
        await reported.wait()
        assert execution_id in client.client._followers or how == "break"
        if how == "cancel":
            reader.cancel()
        await asyncio.wait({reader})
        await until_free(client)
        assert execution_id not in client.client._followers
        await client.cancel(execution_id, grace_seconds=0)

    run(owner, body)


def test_a_cancelled_wait_leaves_no_follower(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await asyncio.to_thread(owner.submit, {"do": "wait"})
        waits = [asyncio.ensure_future(client.wait(execution_id)) for _ in range(20)]
        await until_reported(client, execution_id)
        while len(client.client._followers.get(execution_id, [])) < 20:
            await client.status()
        for wait in waits[1:]:
            wait.cancel()
        results = await asyncio.gather(*waits[1:], return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        await client.cancel(execution_id)
        assert (await waits[0]).status is S.CANCELLED
        await until_free(client)

    run(owner, body)


def test_a_thousand_waits_need_no_thread_more(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        await client.change_queue(QueueAction.PAUSE)
        ids = await client.submit_batch([client.request_for({"value": number}) for number in range(1000)])
        await client.status()
        before = threading.active_count()
        waits = [asyncio.ensure_future(client.wait(each, 60)) for each in ids]
        await client.change_queue(QueueAction.RESUME)
        assert threading.active_count() == before
        results = [snapshot.result for snapshot in await asyncio.gather(*waits)]
        assert results == list(range(1000))
        assert threading.active_count() == before
        await until_free(client)

    run(owner, body)


def test_progress_is_called_on_the_loop_all_of_it_before_wait_returns(owner: ExecutionClient) -> None:
    seen: list[tuple[int, str]] = []

    def note(update: ProgressUpdate) -> None:
        seen.append((update.sequence, threading.current_thread().name))
        if update.sequence == 7:
            raise RuntimeError("from a callback")

    async def body(client: AsyncExecutionClient) -> None:
        await client.wait(await client.submit({"do": "count", "upto": 3000}), 30)
        assert [sequence for sequence, _ in seen] == list(range(1, 3001))
        assert {name for _, name in seen} == {threading.current_thread().name}

    run(owner, body, note)


def test_disconnect_ends_what_waits_and_is_final(owner: ExecutionClient) -> None:
    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await client.submit({"do": "wait"})
        await until_reported(client, execution_id)
        known = (await client.poll_status(execution_id)).event_count
        wait = asyncio.ensure_future(client.wait(execution_id))
        events = client.events(execution_id, after=known)
        reader = asyncio.ensure_future(anext(events))
        while len(client.client._followers[execution_id]) < 2:
            await client.status()
        await client.disconnect()
        for each in (wait, reader):
            with pytest.raises(ClosedError):
                await each
        await client.disconnect()
        with pytest.raises(ClosedError):
            await client.connect()
        assert client.state is ClientState.CLOSED

    run(owner, body)


def test_a_wait_goes_on_with_the_successor_that_another_client_starts(make_client: MakeClient) -> None:
    owner = make_client(persistent=True)

    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await client.submit({"do": "wait"})
        await until_reported(client, execution_id)
        wait = asyncio.ensure_future(client.wait(execution_id))
        await client.status()  # by then the wait has begun
        os.kill(client.server.pid, signal.SIGKILL)
        await asyncio.to_thread(owner.connect)
        assert (await wait).status is S.INTERRUPTED
        assert client.state is ClientState.CONNECTED
        await client.shutdown_server()

    run(owner, body, heartbeat_window=0.5)


def test_a_wait_ends_when_no_successor_comes_and_by_its_own_deadline_if_it_has_one(make_client: MakeClient) -> None:
    owner = make_client(persistent=True)
    owner.disconnect()  # it would start one

    async def body(client: AsyncExecutionClient) -> None:
        execution_id = await client.submit({"do": "wait"})
        await until_reported(client, execution_id)
        await client.shutdown_server()
        with pytest.raises(ServerLostError, match="was stopped, and no successor has answered within 1 s"):
            await client.wait(execution_id)
        assert client.state is ClientState.LOST
        with pytest.raises(WaitTimeoutError, match="was stopped"):
            await client.wait(execution_id, 2.5)

    run(owner, body, heartbeat_window=0.5, successor_window=1.0)


def test_leaving_the_loop_without_a_word_hangs_nobody(owner: ExecutionClient) -> None:
    async def body() -> AsyncExecutionClient:
        client = AsyncExecutionClient(owner.port, config=owner.config, progress_callback=lambda _: None)
        await client.connect()
        events = client.events(await client.submit({"do": "wait"}))
        await anext(events)
        return client

    client = asyncio.run(body())
    asyncio.run(client.disconnect())


def test_a_client_that_cannot_connect_releases_what_it_has(owner: ExecutionClient) -> None:
    async def main() -> None:
        os.kill(owner.server.pid, signal.SIGSTOP)
        client = AsyncExecutionClient(owner.port, config=owner.config)
        entering = asyncio.ensure_future(client.__aenter__())
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(entering), 0.2)
            entering.cancel()
        finally:
            os.kill(owner.server.pid, signal.SIGCONT)
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert client.state is ClientState.CLOSED

    asyncio.run(main())


def test_a_subclass_names_the_client_that_does_the_work(owner: ExecutionClient) -> None:
    class LoudClient(ExecutionClient):
        """Turns what it submits into something else."""

        def serialize_task(self, task: object, config: object) -> object:
            return {"do": "log", "lines": task}

    class LoudAsyncClient(AsyncExecutionClient):
        """The same for asyncio."""

        client_type = LoudClient

    async def main() -> None:
        async with LoudAsyncClient(owner.port, config=owner.config) as client:
            execution_id = await client.submit(2)
            lines = [event.text async for event in client.events(execution_id) if isinstance(event, LogLine)]
            assert lines == ["line 0", "line 1"]

    asyncio.run(main())


def test_who_gives_more_than_the_loop_takes_waits_and_is_let_go() -> None:
    seen: list[int] = []
    calls = LoopCalls(seen.append)

    def give() -> None:
        for number in range(1000):
            calls.give(number)

    async def main() -> None:
        calls.attach(asyncio.get_running_loop())
        thread = threading.Thread(target=give)
        thread.start()
        thread.join(0.2)  # the loop is busy with this
        assert thread.is_alive()
        assert seen == []
        await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)
        assert seen == list(range(1000))
        thread = threading.Thread(target=give)
        thread.start()
        thread.join(0.2)
        calls.close()
        thread.join()
        await asyncio.sleep(0)
        assert len(seen) == 1000

    asyncio.run(main())


def test_who_gives_to_a_loop_that_is_gone_is_let_go() -> None:
    calls = LoopCalls(print)
    loop = asyncio.new_event_loop()
    calls.attach(loop)
    thread = threading.Thread(target=lambda: list(map(calls.give, range(1000))))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    loop.close()
    thread.join(10)
    assert not thread.is_alive()
