"""What must come back comes back, what is another user's stays closed, and what is damaged is said."""

import codecs
import functools
import os
import random
import resource
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from zmqruntime import (
    ConfigurationError,
    ErrorCode,
    ExecuteRequest,
    ExecutionStatus,
    PortInUseError,
    RequestRefusedError,
)
from zmqruntime.codec import encode
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.client.followers import Follower, IteratorSink
from zmqruntime.execution.events.event_batches import Reader
from zmqruntime.execution.events.worker_messages import TaskReportsRaw
from zmqruntime.execution.server.executions import Ledger
from zmqruntime.execution.server.schema import MIGRATIONS
from zmqruntime.execution.server.store import Store, StoreError
from zmqruntime.launch import ServerSpec
from zmqruntime.messages import Event, EventBatch, EventsResponse, LogLevel, LogLine

SERVERS = Path(__file__).with_name("servers.py")
S = ExecutionStatus
MakeClient = Callable[..., ExecutionClient]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def free_port() -> int:
    """A data port whose control port is free."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1] - 1000
        return port


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for what another process does, which has no event for it."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.05)


# --- sockets, locks, workers --------------------------------------------------------------------------------------


def test_a_removed_socket_folder_is_made_again_and_no_second_server_starts(
    client: ExecutionClient, isolated_home: Path
) -> None:
    folder = client.config.home / client.config.ipc_socket_dir
    running = client.submit({"do": "wait"})
    shutil.rmtree(folder)
    second = ServerSpec(target=f"{SERVERS}:BenchServer", port=7777).build()
    with pytest.raises(PortInUseError, match=str(client.server.pid)):
        second.start()
    until(lambda: (folder / "zmq-8777.sock").exists() and (folder / "zmq-7777.sock").exists())
    with ExecutionClient(7777, config=client.config) as other:
        assert other.server.pid == client.server.pid
        assert other.cancel(running).status == "ok"
        assert other.wait(running, 60).status is S.CANCELLED
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1


@on_linux
def test_a_worker_is_replaced_as_soon_as_there_are_descriptors_again(client: ExecutionClient) -> None:
    pid = client.server.pid
    running = client.submit({"do": "wait"})
    until(lambda: client.snapshot_of(running).status is S.RUNNING)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (12, hard))  # fewer than it has, more than it polls
    client.cancel(running, grace_seconds=0)
    next_one = client.submit({"do": "nothing", "value": 1})
    assert client.wait(running, 60).status is S.CANCELLED
    until(lambda: "cannot start a worker process" in client.status().trouble)
    assert client.snapshot_of(next_one).status is S.QUEUED
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert client.wait(next_one, 60).result == 1
    assert client.status().trouble == ""


@on_linux
def test_what_a_killed_guard_could_not_end_is_ended(client: ExecutionClient) -> None:
    running = client.submit({"do": "grandchild"})
    lines = (event for event in client.events(running) if isinstance(event, LogLine))
    grandchild = psutil.Process(int(next(lines).text))
    guards = [child for child in psutil.Process(client.server.pid).children() if child.children()]
    guards[0].kill()
    assert client.wait(running, 60).status is S.FAILED
    grandchild.wait(60)
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1


@on_linux
def test_workers_that_are_killed_while_they_start_fail_nothing(make_client: MakeClient) -> None:
    client = make_client("SlowStartServer")
    queued = client.submit({"do": "nothing", "value": 1})
    killed: set[int] = set()

    def kill_some() -> bool:
        for child in psutil.Process(client.server.pid).children():
            if child.pid not in killed:
                killed.add(child.pid)
                child.kill()
        return len(killed) >= 4

    until(kill_some)
    ended = client.wait(queued, 60)
    assert (ended.status, ended.attempts) == (S.COMPLETE, 1)


def test_a_message_of_another_execution_is_dropped(client: ExecutionClient) -> None:
    code = (
        "import gc, msgspec\n"
        "from zmqruntime.execution.workers.worker import Worker\n"
        "from zmqruntime.execution.events.worker_messages import Finished\n"
        "worker = next(o for o in gc.get_objects() if isinstance(o, Worker))\n"
        "worker._say(Finished(execution_id='another', attempt=1, outcome='complete'))\n"
        "worker._say(Finished(execution_id=task.execution_id, attempt=7, outcome='complete'))\n"
        "result = 'mine'"
    )
    assert client.wait(client.submit({"do": "code", "code": code}), 60).result == "mine"


def test_a_worker_that_talks_nonsense_is_replaced(client: ExecutionClient) -> None:
    code = (
        "import gc, threading\n"
        "from zmqruntime.execution.workers.worker import Worker\n"
        "worker = next(o for o in gc.get_objects() if isinstance(o, Worker))\n"
        "worker._loop.call_soon(lambda: worker._stream.send(b'nonsense'))\n"
        "threading.Event().wait(60)"
    )
    ended = client.wait(client.submit({"do": "code", "code": code}), 60)
    assert ended.status is S.FAILED
    assert "sent an unreadable message" in (ended.error or "")
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1


# --- who may read -------------------------------------------------------------------------------------------------


def test_nothing_of_a_server_is_open_to_others(client: ExecutionClient, isolated_home: Path) -> None:
    client.wait(client.submit({"do": "code", "code": "task.log.info('a line'); result = b'x' * 1_000_000"}), 60)
    folder = client.config.server_dir(7777)
    paths = [folder, *folder.rglob("*"), client.config.home / "ipc", *(client.config.home / "ipc").glob("*.lock")]
    assert {"executions.sqlite", "server.log", "logs", "results"} <= {path.name for path in paths}
    for path in paths:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_what_was_open_is_closed_at_the_next_start(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    client.wait(client.submit({"do": "code", "code": "task.log.info('a line'); result = b'x' * 1_000_000"}), 60)
    client.shutdown_server()
    folder = client.config.server_dir(7777)
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    client.connect()
    assert [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    client.shutdown_server()


needs_root = pytest.mark.skipif(not (hasattr(os, "getuid") and os.getuid() == 0), reason="needs to be another user")
OTHER_USER = 4321


@needs_root
def test_another_user_reads_signals_and_reaches_nothing(client: ExecutionClient, isolated_home: Path) -> None:
    isolated_home.chmod(0o755)
    result = {"do": "code", "code": "print('a secret'); result = b'secret' * 100_000"}
    client.wait(client.submit(result), 60)
    client.submit({"do": "wait"})
    paths = [path for path in isolated_home.rglob("*") if "cache" not in str(path)]
    names = {path.suffix for path in paths}
    assert {".sqlite", ".sqlite-wal", ".log", ".result", ".sock", ".lock"} <= names
    server = psutil.Process(client.server.pid)
    pids = [server.pid, *(child.pid for child in server.children(recursive=True))]
    assert len(pids) > 2

    files = [path for path in paths if path.is_file()]

    def look() -> list[str]:
        found = [str(path) for path in files if allowed(lambda path=path: path.read_bytes())]  # type: ignore[misc]
        found += [str(path) for path in paths if allowed(lambda path=path: connect(str(path)))]  # type: ignore[misc]
        return found + [f"signalled {pid}" for pid in pids if allowed(lambda pid=pid: os.kill(pid, 0))]  # type: ignore[misc]

    assert told_by_another_user(look) == "[]"


@needs_root
def test_another_user_gets_no_key_and_no_word_over_tcp(isolated_home: Path) -> None:
    isolated_home.chmod(0o755)
    other_home = isolated_home / "other"
    other_home.mkdir()
    os.chown(other_home, OTHER_USER, OTHER_USER)
    port = free_port()
    with ExecutionClient(port, host="127.0.0.1", server=f"{SERVERS}:BenchServer", persistent=False) as client:
        client.wait(client.submit({"do": "nothing"}), 60)
        keys = list((isolated_home / ".zmqruntime" / "keys").rglob("*.key*"))
        assert len(keys) == 4

        def look() -> list[str]:
            found = [str(key) for key in keys if allowed(lambda key=key: key.read_bytes())]  # type: ignore[misc]
            os.environ["HOME"] = str(other_home)
            stranger = ExecutionClient(port, host="127.0.0.1")
            try:
                stranger.connect(timeout=2)
            except PortInUseError as error:
                return [*found, str(error)]
            return [*found, "connected"]

        codecs.lookup("ascii")  # the other user may not be allowed to load it
        told = told_by_another_user(look)
        assert "does not know this client's key" in told
        assert ".key_secret" not in told
        assert told.count("'") <= 4, told  # the words alone


def told_by_another_user(look: Callable[[], list[str]]) -> str:
    """What a process of another user finds."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(OTHER_USER)
            os.setuid(OTHER_USER)
            found = repr(look())
        except BaseException as error:  # noqa: BLE001 - for the parent, who fails the test with it
            found = repr(error)
        os.write(writer, found.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        return pipe.read()


def allowed(call: Callable[[], object]) -> bool:
    try:
        call()
    except OSError:
        return False
    return True


def connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)


# --- disks and clocks ---------------------------------------------------------------------------------------------


def ended_store(path: Path, count: int) -> Store:
    store = Store(path)
    ledger = Ledger(store, lambda batches: None, lambda execution_id, count: None)
    for number in range(count):
        ledger.accept(ExecuteRequest(submission_id=f"execution-{number}"))
        record = ledger.active[f"execution-{number}"]
        ledger.set_status(record, S.RUNNING)
        ledger.set_status(record, S.COMPLETE)
    ledger.commit()
    return store


def test_a_clock_that_jumps_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_store(tmp_path / "executions.sqlite", 5).close()
    monkeypatch.setattr(time, "time", functools.partial(float, time.time() + 100 * 86_400))
    store = Store(tmp_path / "executions.sqlite")
    assert store.prune(100, 90 * 86_400, 20) == []
    assert store.prune(3, 90 * 86_400, 20) == ["execution-0", "execution-1"]
    store.commit()
    assert len(store.ended_records(10)) == 3
    store.close()


def test_what_is_to_go_with_the_next_commit_is_not_counted_twice(tmp_path: Path) -> None:
    store = ended_store(tmp_path / "executions.sqlite", 6)
    assert store.prune(2, 90 * 86_400, 3) == ["execution-0", "execution-1", "execution-2"]
    assert store.prune(2, 90 * 86_400, 3) == ["execution-3"]
    assert store.prune(2, 90 * 86_400, 3) == []
    store.commit()
    assert [record.execution_id for record in store.ended_records(10)] == ["execution-5", "execution-4"]
    store.close()


def test_time_counts_while_a_server_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ended_store(tmp_path / "executions.sqlite", 2)
    monkeypatch.setattr(time, "monotonic", functools.partial(float, time.monotonic() + 91 * 86_400))
    assert store.prune(100, 90 * 86_400, 20) == ["execution-0", "execution-1"]
    store.close()


def test_a_run_takes_as_long_as_it_took_whatever_the_clock_says(client: ExecutionClient) -> None:
    code = "while time.monotonic() < until: pass"
    ended = client.wait(
        client.submit({"do": "code", "code": f"import time\nuntil = time.monotonic() + 0.2\n{code}"}), 60
    )
    assert ended.run_seconds is not None
    assert ended.run_seconds >= 0.2


def test_a_damaged_entry_is_set_aside_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "executions.sqlite"
    ended_store(path, 3).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE executions SET status = 'unheard-of' WHERE execution_id = 'execution-1'")
        connection.execute("UPDATE executions SET ended_at = NULL, status = '?' WHERE execution_id = 'execution-2'")
    connection.close()
    store = Store(path)
    assert [record.execution_id for record in store.ended_records(10)] == ["execution-0"]
    assert store.open_records() == []
    assert "execution-1" in caplog.text
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT COUNT(*) FROM executions").fetchone() == (3,)
    connection.close()


def test_one_damaged_entry_costs_only_itself(make_client: MakeClient) -> None:
    client = make_client(persistent=True)
    ids = [client.submit({"do": "nothing", "value": n}) for n in range(3)]
    for each in ids:
        client.wait(each, 60)
    client.shutdown_server()
    connection = sqlite3.connect(client.config.server_dir(7777) / "executions.sqlite")
    connection.execute("UPDATE executions SET status = '?' WHERE execution_id = ?", (ids[1],))
    connection.commit()
    connection.close()
    client.connect()
    assert [each.execution_id for each in client.history()] == [ids[2], ids[0]]
    with pytest.raises(RequestRefusedError) as refused:
        client.poll_status(ids[1])
    assert refused.value.code is ErrorCode.STORAGE
    assert "damaged" in str(refused.value)
    assert client.wait(client.submit({"do": "nothing", "value": 1}), 60).result == 1
    client.shutdown_server()


@pytest.mark.parametrize("kind", ["text", "cut", "newer", "folder", "random"])
def test_a_database_that_cannot_be_used_is_said_with_the_remedy_and_left_as_it_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "executions.sqlite"
    ended_store(path, 50).close()
    content = bytearray(path.read_bytes())
    if kind == "text":
        path.write_text("not a database at all, " * 100)
    elif kind == "cut":
        path.write_bytes(content[:5000])
    elif kind == "newer":
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        connection.close()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    else:
        content[100:4000] = bytes(3900)
        path.write_bytes(content)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(ConfigurationError, match="move the file away"):
        Store(path).close()
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("seed", range(12))
def test_random_damage_is_never_a_traceback(tmp_path: Path, seed: int) -> None:
    """Whatever it hits: words with the remedy at the start or at the request, or nothing that matters."""
    path = tmp_path / "executions.sqlite"
    ended_store(path, 200).close()
    content, chance = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(30):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)
    words = ""
    try:
        store = Store(path)
    except ConfigurationError as error:
        words = str(error)
    assert not words or "move the file away" in words
    if words:
        return
    try:
        store.open_records()
        store.ended_records(1000)
        for number in range(200):
            record = store.find(f"execution-{number}")
            if record is not None:
                store.add_outcome(record)
                store.request_of(record)
                store.events_after(record, 0)
        store.prune(100, 1e9, 20)
        store.commit()
    except StoreError as error:
        words = str(error)
    finally:
        store.close()
    assert not words or str(path) in words


def test_nothing_is_published_before_it_is_durable(tmp_path: Path) -> None:
    store = ended_store(tmp_path / "executions.sqlite", 0)
    published: list[tuple[int, bool]] = []

    def note(batches: object) -> None:
        (level,) = store._database.connection.execute("PRAGMA synchronous").fetchone()
        published.append((level, store._database.connection.in_transaction))

    ledger = Ledger(store, note, lambda execution_id, count: None)
    ledger.accept(ExecuteRequest(submission_id="execution"))
    record = ledger.active["execution"]
    ledger.commit()
    ledger.tell()
    line = LogLine(execution_id="execution", sequence=1, timestamp=0.0, level=LogLevel.INFO, logger="", text="")
    reports = [msgspec.Raw(encode(line))]
    ledger.add_reports(
        record,
        TaskReportsRaw(execution_id="execution", attempt=1, reports=reports, progress_count=0, log_count=1),
    )
    assert record.snapshot().event_count == 1
    assert not ledger.is_urgent
    ledger.commit()
    ledger.tell()
    assert record.snapshot().event_count == 2
    assert published == [(2, False), (2, False)]  # 2 is FULL: the commit returned when the disk had it
    store.close()


def test_a_reader_that_is_ahead_of_its_server_starts_again_and_says_so() -> None:
    asked: list[int] = []
    sink = IteratorSink(lambda events: events)
    follower = Follower("execution", 120, sink, lambda follower, after: asked.append(after))
    follower.on_position(46)
    assert asked == [120]
    follower.on_response(EventsResponse(execution_id="execution", batches=[], upto=46))
    (warning,) = sink.take(10) or []
    assert isinstance(warning, LogLine)
    assert "lost the events of this execution after number 46" in warning.text
    assert asked == [120, 0]
    line = LogLine(execution_id="execution", sequence=1, timestamp=0.0, level=warning.level, logger="", text="first")
    batch = EventBatch(execution_id="execution", after=0, upto=46, events=[line])
    follower.on_response(EventsResponse(execution_id="execution", batches=[batch], upto=46))
    assert sink.take(10) == [line]


def test_an_answer_that_comes_after_it_was_given_up_is_not_taken_for_lost_events() -> None:
    """The server was back meanwhile, and live events have overtaken the answer."""
    asked: list[int] = []
    sink = IteratorSink(lambda events: events)
    follower = Follower("execution", 0, sink, lambda follower, after: asked.append(follower.question))
    follower.ask_now()
    follower.give_up_asking()
    lines: list[Event] = [
        LogLine(execution_id="execution", sequence=n, timestamp=0.0, level=LogLevel.INFO, logger="", text="")
        for n in (1, 2)
    ]
    follower.on_batch(EventBatch(execution_id="execution", after=0, upto=2, events=lines))
    follower.on_response(EventsResponse(execution_id="execution", batches=[], upto=1), asked[0])
    assert sink.take(10) == lines
    assert len(asked) == 1


def test_a_reader_that_starts_again_knows_nothing() -> None:
    reader = Reader(5)
    reader.restart()
    assert (reader.position, reader.is_behind) == (0, False)


# --- servers on TCP -----------------------------------------------------------------------------------------------


def test_a_server_on_tcp_is_in_the_list_and_is_stopped_by_its_port(
    make_client: MakeClient, command: Callable[..., "subprocess.CompletedProcess[str]"], isolated_home: Path
) -> None:
    port = free_port()
    with ExecutionClient(port, host="127.0.0.1", server=f"{SERVERS}:BenchServer") as client:
        listed = command("list")
        assert f"{port}" in listed.stdout
        assert "127.0.0.1" in listed.stdout
        assert "running" in listed.stdout
        stopped = command("stop", "--port", str(port))
        assert f"process {client.server.pid}" in stopped.stdout
        assert stopped.returncode == 0
