"""Checks what a server needs from its machine, one by one, without changing anything."""

import contextlib
import enum
import os
import platform
import shutil
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import zmq

from zmqruntime._version import VERSION
from zmqruntime.config import TransportMode
from zmqruntime.exceptions import ConfigurationError, RequestRefusedError
from zmqruntime.execution.cli.endpoint import Endpoint, running_server
from zmqruntime.execution.cli.failures import CommandError
from zmqruntime.execution.cli.self_test import TrialError, run_trial
from zmqruntime.execution.server.read_only import ReadOnlyDatabase
from zmqruntime.execution.server.stored import database_path
from zmqruntime.execution.text import duration, size
from zmqruntime.transport import get_ipc_socket_path, is_listening

__all__ = ["Check", "CheckState", "check_all"]

_LITTLE_SPACE = 200_000_000
_SLOW_WRITE_SECONDS = 0.05
_PROBE_WRITES = 5


class CheckState(enum.StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """It works, but not as well as it could."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What was checked, what was found, and what to do about it."""

    name: str
    state: CheckState
    message: str
    remedy: str = ""


def check_all(endpoint: Endpoint) -> list[Check]:
    """All checks for a server at ``endpoint``, in the order in which a server would run into them."""
    sockets = _socket_path(endpoint)
    found = [_versions(), _home(endpoint), sockets, _disk(endpoint), _database(endpoint)]
    if sockets.state is CheckState.OK:
        found.append(_server(endpoint))
    if any(check.state is CheckState.FAILED for check in found):
        return [*found, Check("trial", CheckState.WARNING, "not tried", "fix what failed above, then try again")]
    return [*found, _trial()]


def _versions() -> Check:
    python = f"Python {platform.python_version()}, {platform.system()}"
    return Check("versions", CheckState.OK, f"zmqruntime {VERSION}, pyzmq {zmq.__version__}, {python}")


def _home(endpoint: Endpoint) -> Check:
    """The folder of sockets, locks and keys."""
    folder = endpoint.config.home / endpoint.config.ipc_socket_dir
    remedy = f"make {endpoint.config.home} a folder that you can write to, or set HOME to another folder"
    try:
        existing = _existing(folder)
        with tempfile.TemporaryFile(dir=existing):
            pass
        if existing == folder and os.name == "posix":
            return _privacy(folder)
    except OSError as error:
        return Check("home folder", CheckState.FAILED, f"cannot write to {folder}: {_reason(error)}", remedy)
    return Check("home folder", CheckState.OK, f"{folder} can be created")


def _privacy(folder: Path) -> Check:
    entry = folder.stat()
    if entry.st_uid != os.getuid():
        message = f"{folder} belongs to another user"
        return Check("home folder", CheckState.FAILED, message, "remove it, or use another application name")
    if entry.st_mode & 0o077:
        message = f"other users can enter {folder}"
        return Check(
            "home folder", CheckState.WARNING, message, f"chmod 700 {folder}, which a server also does when it starts"
        )
    return Check("home folder", CheckState.OK, f"{folder}, only yours")


def _socket_path(endpoint: Endpoint) -> Check:
    if endpoint.host is not None:
        return Check("sockets", CheckState.OK, "TCP, without socket files")
    try:
        path = get_ipc_socket_path(endpoint.port + endpoint.config.control_port_offset, endpoint.config)
    except ConfigurationError as error:
        message, _, remedy = str(error).partition("; ")
        return Check("sockets", CheckState.FAILED, message, remedy)
    return Check(
        "sockets", CheckState.OK, "TCP, since this platform has no socket files" if path is None else str(path)
    )


def _disk(endpoint: Endpoint) -> Check:
    """The folder of the durable queue: space, and whether SQLite can write ahead there."""
    folder = endpoint.config.data_dir
    remedy = f"make {folder} a folder that you can write to, on a local disk with free space"
    try:
        existing = _existing(folder)
        free = shutil.disk_usage(existing).free
        with tempfile.TemporaryDirectory(dir=existing, prefix=".zmqruntime-check-") as probe:
            seconds = _durable_write_seconds(Path(probe) / "probe.sqlite")
    except (OSError, sqlite3.Error) as error:
        return Check("disk", CheckState.FAILED, f"cannot write to {folder}: {_reason(error)}", remedy)
    message = f"{folder}: {size(free)} free, a durable write takes {seconds * 1000:.1f} ms"
    if free < _LITTLE_SPACE:
        return Check(
            "disk", CheckState.WARNING, message, "free some space; with a full disk no executions are accepted"
        )
    if seconds > _SLOW_WRITE_SECONDS:
        return Check("disk", CheckState.WARNING, message, "use a local disk; this one slows down every submission")
    return Check("disk", CheckState.OK, message)


def _durable_write_seconds(path: Path) -> float:
    """The median time of a committed and synced row, as the queue writes it.

    Raises:
        sqlite3.Error: the file system cannot do it.
    """
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise sqlite3.OperationalError(
                "this file system lacks the shared memory that SQLite needs for its write-ahead log"
            )
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE probe (value INTEGER)")
        times = []
        for value in range(_PROBE_WRITES):
            begin = time.perf_counter()
            connection.execute("INSERT INTO probe VALUES (?)", (value,))
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def _database(endpoint: Endpoint) -> Check:
    path = database_path(endpoint.config, endpoint.port)
    if endpoint.host is not None or not path.is_file():
        return Check(
            "database", CheckState.OK, "on the server's machine" if endpoint.host else f"{path} will be created"
        )
    try:
        with ReadOnlyDatabase(path) as database:
            ((count,),) = database.rows("SELECT count(*) FROM executions")
    except RequestRefusedError as error:
        remedy = f"stop the server and move {path} away; the next server creates a new one, without what was queued"
        return Check("database", CheckState.FAILED, str(error), remedy)
    return Check("database", CheckState.OK, f"{path}: {count:,} executions")


def _server(endpoint: Endpoint) -> Check:
    try:
        server = running_server(endpoint)
    except CommandError as error:
        message, _, remedy = error.message.partition("; ")
        return Check("server", CheckState.FAILED, message, remedy)
    if server is not None:
        message = f"{server.server} {server.version} answers on port {endpoint.port}, process {server.pid}"
        return Check("server", CheckState.OK, message)
    if endpoint.host is not None:
        message = f"nothing listens on port {endpoint.port} of {endpoint.host}"
        return Check("server", CheckState.FAILED, message, "start the server there, and check its firewall")
    return Check("server", CheckState.OK, _quiet(endpoint))


def _quiet(endpoint: Endpoint) -> str:
    """Nothing on the control port is fine, also when a killed server left its files."""
    path = get_ipc_socket_path(endpoint.port, endpoint.config)
    is_held = is_listening(endpoint.port, "", TransportMode.IPC, endpoint.config)
    is_left = path is not None and path.exists() and not is_held
    left = "; a killed server left its socket files, which the next one replaces" if is_left else ""
    return f"{endpoint.absence}{left}"


def _trial() -> Check:
    try:
        times = run_trial()
    except TrialError as error:
        first, _, rest = str(error).partition("\n")
        log = rest.strip().splitlines()
        message = f"a task on a new server failed: {first}" + (f" ({log[-1]})" if log else "")
        return Check("trial", CheckState.FAILED, message, "fix what the message says, then try again")
    message = f"a server started in {duration(times.start)} and ran a task in {duration(times.run)}"
    return Check("trial", CheckState.OK, message)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists.

    Raises:
        OSError: something that is not a folder is in the way.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is not a folder")
    return existing


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
