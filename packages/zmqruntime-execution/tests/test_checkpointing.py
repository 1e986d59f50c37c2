"""The log of the database is shortened beside the commits, and does not grow without end."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from zmqruntime.execution.server import checkpointing
from zmqruntime.execution.server.checkpointing import Checkpointer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "executions.sqlite"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE lines (line BLOB)")
        yield connection


def write(connection: sqlite3.Connection, checkpointer: Checkpointer, count: int) -> None:
    for _ in range(count):
        connection.execute("INSERT INTO lines VALUES (?)", (bytes(100_000),))
        checkpointer.note(1, 100_000)


def log_size(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def test_the_log_begins_anew_once_it_was_moved(path: Path, connection: sqlite3.Connection) -> None:
    checkpointer = Checkpointer(path, connection)
    for _ in range(10):
        write(connection, checkpointer, 50)
        checkpointer.close()  # waits
    assert log_size(path) < 10 * 50 * 100_000 / 2
    assert connection.execute("SELECT count(*) FROM lines").fetchone() == (500,)


def test_a_log_that_nobody_can_move_beside_is_moved_by_the_writer(
    path: Path, connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(checkpointing, "_EVERY_BYTES", 500_000)
    checkpointer = Checkpointer(path, connection)
    write(connection, checkpointer, 400)
    checkpointer.close()
    assert log_size(path) < 400 * 100_000 / 2


def test_a_thread_that_cannot_open_the_database_is_not_the_end(
    path: Path, connection: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    checkpointer = Checkpointer(path.parent / "not there" / "at all", connection)
    write(connection, checkpointer, 100)
    checkpointer.close()
    assert "cannot shorten the log" in caplog.text
    assert connection.execute("SELECT count(*) FROM lines").fetchone() == (100,)
