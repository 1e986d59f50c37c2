"""A database with damaged bytes, or one that cannot be written: said in words, and what is whole is served.

DAMAGE_SEEDS sets how many times a server meets random damage: few in the suite, many in the chaos session.
"""

import contextlib
import dataclasses
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import (
    ConfigurationError,
    ErrorCode,
    ExecutionStatus,
    LogLine,
    QueueAction,
    RequestRefusedError,
    ServerLostError,
    ServerStartError,
    StateChange,
    ZMQConfig,
)
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.store import Store

QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5)
S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]
SEEDS = int(os.environ.get("DAMAGE_SEEDS", "1"))
REFUSALS = {ErrorCode.STORAGE, ErrorCode.NOT_FOUND}
BRIEF = dataclasses.replace(QUICK, successor_window=1.0)
REMEDY = "stop the server and move the file away"
OTHER_USER = 4321
is_root = hasattr(os, "getuid") and os.getuid() == 0

pytestmark = pytest.mark.timeout(120 + 20 * SEEDS)


def database_of(client: ExecutionClient) -> Path:
    return client.config.server_dir(client.port) / "executions.sqlite"


@contextlib.contextmanager
def changed(client: ExecutionClient) -> Iterator[sqlite3.Connection]:
    """The database of a server that is stopped for as long."""
    client.shutdown_server()
    connection = sqlite3.connect(database_of(client))
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()
    client.connect()


def filled(
    make_client: MakeClient, count: int, config: ZMQConfig = QUICK
) -> tuple[ExecutionClient, list[str], list[str]]:
    """A client of a server that has ended some executions and has queued others."""
    client = make_client("TwoAtOnceServer", config=config)
    ended = [client.submit({"do": "steps", "count": 3, "size": 100}) for _ in range(count)]
    for execution_id in ended:
        client.wait(execution_id, 60)
    client.change_queue(QueueAction.PAUSE)
    queued = [client.submit({"do": "nothing", "value": number}, resumable=True) for number in range(5)]
    return client, ended, queued


# --- random damage --------------------------------------------------------------------------------------------------


def test_whatever_is_damaged_a_server_answers_in_words_and_serves_the_rest(make_client: MakeClient) -> None:
    client, ended, queued = filled(make_client, 12, BRIEF)
    client.shutdown_server()
    folder = database_of(client).parent
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    served = 0
    for seed in range(SEEDS):
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        (folder / "server.log").unlink()
        damage(folder / "executions.sqlite", seed)
        if starts(client):
            served += ask_for_all(client, ended, queued)
            client.shutdown_server()
        assert "\nTraceback" not in (folder / "server.log").read_text(), seed
    assert served or SEEDS < 20  # of few databases none may be left that a server can start with


def test_a_wait_for_an_execution_whose_id_is_damaged_ends_in_words(make_client: MakeClient) -> None:
    client, _, queued = filled(make_client, 1)
    client.shutdown_server()
    path = database_of(client)
    content = bytearray(path.read_bytes())
    at = content.find(queued[1].encode())  # in the row: the index has it, too
    content[at + 20] ^= 0x80
    path.write_bytes(content)
    client.connect()
    with pytest.raises(RequestRefusedError, match="damaged"):
        client.wait(queued[1], 60)
    client.change_queue(QueueAction.RESUME)
    assert [client.wait(each, 60).status for each in queued if each != queued[1]] == [S.COMPLETE] * 4


def damage(path: Path, seed: int) -> None:
    content, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(30):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)


def starts(client: ExecutionClient) -> bool:
    """False if the server says what is wrong instead."""
    try:
        client.connect()
    except ServerStartError as error:
        if REMEDY not in str(error):
            raise
        return False
    return True


def ask_for_all(client: ExecutionClient, ended: list[str], queued: list[str]) -> int:
    """How many executions could be read in full; nothing is refused but in words."""
    count = sum(is_answered(lambda each=each: read(client, each)) for each in ended)  # type: ignore[misc]
    for ask in (client.history, client.status, lambda: client.change_queue(QueueAction.RESUME)):
        is_answered(ask)
    for execution_id in queued:
        is_answered(lambda execution_id=execution_id: client.wait(execution_id))  # type: ignore[misc]
    is_answered(lambda: client.wait(client.submit({"do": "nothing"})))
    return count


def read(client: ExecutionClient, execution_id: str) -> None:
    client.wait(execution_id, 60)
    client.submission_of(execution_id)
    client.logs(execution_id)
    list(client.events(execution_id))


def is_answered(call: Callable[[], object]) -> bool:
    try:
        call()
    except RequestRefusedError as error:
        if error.code not in REFUSALS:
            raise
        return False
    except ServerLostError as error:
        if REMEDY not in str(error):
            raise
        return False
    return True


# --- damage of each kind --------------------------------------------------------------------------------------------


def test_events_that_cannot_be_read_are_told_and_their_reader_comes_to_an_end(make_client: MakeClient) -> None:
    client, (first, last), _ = filled(make_client, 2)
    whole = list(client.events(first))
    with changed(client) as database:
        last_one = "SELECT MAX(upto) FROM event_batches WHERE number = 1"
        database.execute(f"UPDATE event_batches SET batch = X'C1' WHERE number = 1 AND upto = ({last_one})")
    *before, line, end = client.events(first)
    assert before == whole[: len(before)]
    assert isinstance(line, LogLine)
    assert line.text == (
        f"the database is damaged: events {len(before) + 1} to {len(whole) - 1} of this execution cannot be read"
    )
    assert client.logs(first)[-1].text == line.text
    assert end == whole[-1]  # it follows from what the database has of the execution itself
    assert client.wait(first, 60).status is S.COMPLETE
    assert [event.execution.status for event in client.events(last) if isinstance(event, StateChange)][-1] is S.COMPLETE
    client.shutdown_server()


def test_a_reader_that_has_all_events_comes_to_an_end(client: ExecutionClient) -> None:
    execution_id = client.submit({"do": "steps", "count": 2, "size": 1})
    count = client.wait(execution_id, 60).event_count
    assert list(client.events(execution_id, after=count)) == []
    assert len(list(client.events(execution_id, after=count - 1))) == 1


def test_texts_and_values_that_are_none_cost_only_their_own_execution(make_client: MakeClient) -> None:
    client, ended, queued = filled(make_client, 3)
    with changed(client) as database:
        database.execute("UPDATE executions SET error = CAST(X'99FF' AS TEXT) WHERE number = 1")
        database.execute("UPDATE outcomes SET result = X'C1' WHERE number = 2")
        database.execute("UPDATE submissions SET payload = X'A199' WHERE number = 4")
    assert {each.execution_id for each in client.history()} == {ended[1], ended[2]}
    for execution_id, words in ((ended[0], "error cannot be read"), (ended[1], "is damaged")):
        with pytest.raises(RequestRefusedError, match=words):
            client.poll_status(execution_id)
    client.change_queue(QueueAction.RESUME)
    failed = client.wait(queued[0], 60)
    assert failed.status is S.FAILED
    assert "the payload" in (failed.error or "")
    assert [client.wait(each, 60).result for each in queued[1:]] == [1, 2, 3, 4]
    client.shutdown_server()


def test_values_that_can_be_read_but_are_not_those_written_are_refused(make_client: MakeClient) -> None:
    client, ended, queued = filled(make_client, 2)
    with changed(client) as database:
        database.execute("UPDATE executions SET held = 1 WHERE execution_id = ?", (queued[0],))
        database.execute("UPDATE outcomes SET result = X'07' WHERE number = 1")
        database.execute("UPDATE submissions SET payload = X'07' WHERE number = 4")
    for execution_id in (queued[0], ended[0]):
        with pytest.raises(RequestRefusedError, match="checksum"):
            client.poll_status(execution_id)
    client.change_queue(QueueAction.RESUME)
    assert "the payload" in (client.wait(queued[1], 60).error or "")
    assert [client.wait(each, 60).result for each in queued[2:]] == [2, 3, 4]
    client.shutdown_server()


def test_a_database_that_cannot_be_written_because_it_is_damaged_ends_the_server_in_words(
    make_client: MakeClient,
) -> None:
    client, ended, queued = filled(make_client, 2, BRIEF)
    client.shutdown_server()
    path = database_of(client)
    kept = path.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event_batches'").fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    client.connect()
    assert client.wait(ended[0], 60).status is S.COMPLETE
    client.change_queue(QueueAction.RESUME)
    with pytest.raises(ServerLostError, match=REMEDY):
        client.wait(client.submit({"do": "steps", "count": 1, "size": 1}))
    with pytest.raises(ServerStartError, match=REMEDY):
        client.connect()
    client.disconnect()  # and with it its attempts to start a successor
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
    path.write_bytes(kept)
    client = make_client("TwoAtOnceServer")
    client.change_queue(QueueAction.RESUME)
    assert [client.wait(each, 60).result for each in queued] == [0, 1, 2, 3, 4]
    client.shutdown_server()


# --- what may not be written ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not is_root or sys.platform != "linux", reason="needs the right to mount a file system")
def test_a_folder_that_may_only_be_read_ends_the_start_in_words(make_client: MakeClient, isolated_home: Path) -> None:
    with mounted(isolated_home / ".local" / "share" / "zmqruntime" / "server-7777") as folder:
        client = make_client()
        done = client.submit({"do": "nothing", "value": 1})
        client.wait(done, 60)
        client.shutdown_server()
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with pytest.raises(ServerStartError, match="Read-only file system") as caught:
            client.connect()
        assert "Traceback" not in str(caught.value)
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        client.connect()
        assert client.wait(done, 60).result == 1
        client.shutdown_server()


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "tests", folder], capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.skipif(not is_root, reason="needs the right to be another user")
@pytest.mark.parametrize("owns_folder", [True, False])
def test_a_database_of_another_user_is_said_with_the_remedy_and_left_as_it_is(
    isolated_home: Path, owns_folder: bool
) -> None:
    path = isolated_home / "executions.sqlite"
    Store(path).close()
    path.chmod(0o644)
    isolated_home.chmod(0o755)
    if owns_folder:
        os.chown(isolated_home, OTHER_USER, OTHER_USER)
    before = path.read_bytes()
    told = as_another_user(lambda: Store(path).close())
    assert str(isolated_home) in told
    assert (REMEDY if owns_folder else "belongs to another user; remove it or set another app_name") in told
    assert path.read_bytes() == before


def as_another_user(call: Callable[[], object]) -> str:
    """The words of the ConfigurationError that it raises there."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        told = "it did not refuse"
        try:
            os.setgroups([])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
            call()
        except ConfigurationError as error:
            told = str(error)
        except BaseException as error:  # noqa: BLE001 - for the parent, who fails the test with it
            told = repr(error)
        os.write(writer, told.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        return pipe.read()
