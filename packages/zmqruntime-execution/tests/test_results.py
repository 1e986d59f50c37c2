"""Results of any length: in the reply while they are short, in pieces from a file when they are long."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from zmqruntime import ErrorCode, ExecutionStatus, MessageError, RequestRefusedError
from zmqruntime.codec import encode
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.execution.server.store import Store
from zmqruntime.messages import StateChange

S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]
LONG = 5_000_000


def make(client: ExecutionClient, size: int) -> str:
    return client.submit({"do": "code", "code": f"result = b'x' * {size}"})


@pytest.mark.parametrize("server", ["BenchServer", "ThreadServer"])
def test_a_long_result_arrives_and_no_list_carries_any(make_client: MakeClient, server: str) -> None:
    client = make_client(server)
    ids = [make(client, LONG), make(client, 10), make(client, 70_000)]
    ended = [client.wait(each, 60) for each in ids]
    assert [len(each.result) for each in ended] == [LONG, 10, 70_000]
    assert len(client.poll_status(ids[0]).result) == LONG
    listed = [*client.history(), *client.status().executions]
    assert [each.result for each in listed] == [None] * 6
    assert {each.result_bytes for each in listed} == {each.result_bytes for each in ended}
    last = list(client.events(ids[0]))[-1]
    assert isinstance(last, StateChange)
    assert last.execution.result is None
    assert last.execution.result_bytes == LONG + 5


def test_the_same_on_an_event_loop(make_client: MakeClient) -> None:
    execution_id = make(make_client(persistent=True), LONG)

    async def main() -> None:
        async with AsyncExecutionClient(7777) as client:
            assert len((await client.wait(execution_id, 60)).result) == LONG
            assert len((await client.poll_status(execution_id)).result) == LONG
            assert [each.result for each in await client.history()] == [None]
            assert (await client.find(execution_id[:6])).execution_ids == [execution_id]
            await client.shutdown_server()

    asyncio.run(main())


def test_a_result_that_is_too_long_fails_its_task_in_words(make_client: MakeClient) -> None:
    client = make_client("ShortResultsServer")
    ended = client.wait(make(client, 2_000_000), 60)
    assert ended.status is S.FAILED
    assert "the result of the task is 2,000,005 bytes, the limit is 1,000,000; write it to a file" in (
        ended.error or ""
    )
    assert len(client.wait(make(client, 900_000), 60).result) == 900_000


def test_a_result_survives_its_server(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    execution_id = make(client, LONG)
    client.wait(execution_id, 60)
    client.shutdown_server()
    client.connect()
    assert len(client.wait(execution_id, 60).result) == LONG
    client.shutdown_server()


def test_a_damaged_or_missing_file_is_said_and_costs_nothing_else(client: ExecutionClient, isolated_home: Path) -> None:
    execution_id = make(client, LONG)
    client.wait(execution_id, 60)
    (path,) = isolated_home.rglob("*.result")
    content = path.read_bytes()
    path.write_bytes(b"\xc1" + content[1:])
    with pytest.raises(MessageError, match="cannot be read"):
        client.poll_status(execution_id)
    path.write_bytes(content[:-1])
    with pytest.raises(MessageError, match="damaged"):
        client.poll_status(execution_id)
    path.unlink()
    with pytest.raises(RequestRefusedError) as refused:
        client.poll_status(execution_id)
    assert refused.value.code is ErrorCode.STORAGE
    assert client.snapshot_of(execution_id).status is S.COMPLETE


def test_history_comes_in_pages_without_gap_or_repetition(client: ExecutionClient) -> None:
    ids = [client.submit({"do": "raise", "text": "x" * 3_900}) for _ in range(300)]
    for each in ids:
        client.wait(each, 120)
    assert [each.execution_id for each in client.history(1_000)] == ids[::-1]
    assert [each.execution_id for each in client.history(100, older_than=ids[200])] == ids[199:99:-1]
    assert client.history(10, older_than=ids[0]) == []
    status = client.status(1_000)
    assert status.more
    assert [each.execution_id for each in status.executions] == ids[::-1][: len(status.executions)]
    with pytest.raises(RequestRefusedError):
        client.cancel("none")
    assert client.find(ids[0][:12]).more


def test_a_database_of_the_first_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "executions.sqlite"
    old = sqlite3.connect(path)
    old.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    columns = [row[1] for row in old.execute("PRAGMA table_info(executions)")]
    for number, (size, ended_at) in enumerate([(10, 3.0), (LONG, 1.0), (None, None)], start=1):
        row = dict.fromkeys(columns, 0) | {
            "number": number,
            "execution_id": f"execution-{number}",
            "plate_id": "",
            "payload": encode({"n": number}),
            "status": "queued" if ended_at is None else "complete",
            "ended_at": ended_at,
            "traceback": None,
            "error": None,
            "started_at": None,
            "not_before": None,
            "result": None if size is None else encode(b"x" * size),
            "cpu_seconds": None,
            "peak_memory_bytes": None,
            "soft_time_limit": None,
            "time_limit": None,
        }
        old.execute(f"INSERT INTO executions VALUES ({', '.join('?' * len(columns))})", list(row.values()))
    old.commit()
    old.close()
    store = Store(path)
    assert [record.number for record in store.ended_records(10)] == [1, 2]
    (queued,) = store.open_records()
    assert encode(store.request_of(queued).payload) == encode({"n": 3})
    short, long = store.find("execution-1"), store.find("execution-2")
    assert short is not None
    assert long is not None
    store.add_outcome(short)
    store.add_outcome(long)
    assert short.result == encode(b"x" * 10)
    assert (long.result, long.result_bytes) == (None, LONG + 5)
    assert store.result_piece(long, LONG, 100) == b"xxxxx"
    store.close()
