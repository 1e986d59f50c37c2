"""A machine that loses its power, whose disk is slow, whose clock is set: nothing is lost, nothing false is said.

What is preloaded into the servers is in ``unreliable.c``. POWER_CUTS and SLOW_SYNC_SECONDS set how many and how slow;
few and short in the suite, many and long in the chaos session.
"""

import concurrent.futures
import contextlib
import mmap
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from zmqruntime import (
    ClientState,
    ExecutionStatus,
    LogLevel,
    LogLine,
    ProgressUpdate,
    StateChange,
    ZMQConfig,
)
from zmqruntime.execution import ExecutionClient
from zmqruntime.launch import Lifetime, ServerSpec, start_server_process
from zmqruntime.messages import Event, ExecutionSnapshot

S = ExecutionStatus
HERE = Path(__file__).parent
PORT = 7777
CONFIG = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5)
CUTS = int(os.environ.get("POWER_CUTS", "1"))
SEED = int(os.environ.get("POWER_SEED", "0")) or random.randrange(1, 2**31)
SYNC_SECONDS = float(os.environ.get("SLOW_SYNC_SECONDS", "0.5"))
DAY = 86_400.0
WAIT = 60 + 30 * SYNC_SECONDS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library as Linux does"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler"),
    pytest.mark.timeout(120 + 20 * CUTS + 60 * SYNC_SECONDS),
]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is preloaded, compiled."""
    library = tmp_path_factory.mktemp("unreliable") / "unreliable.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, HERE / "unreliable.c", "-ldl"], check=True)
    return library


class Machine:
    """One server on a machine that misbehaves as told."""

    def __init__(self, library: Path, folder: Path) -> None:
        self.folder = CONFIG.server_dir(PORT)
        self._process: subprocess.Popen[bytes] | None = None
        self._variables = {
            "LD_PRELOAD": str(library),
            "UNRELIABLE_FOLDER": str(self.folder),
            "UNRELIABLE_CONTROL": str(folder / "control"),
        }
        (folder / "control").write_bytes(bytes(16))
        with (folder / "control").open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), 16)

    def start(self, server: str = "TwoAtOnceServer") -> None:
        spec = ServerSpec(target=f"{HERE / 'servers.py'}:{server}", port=PORT, config=CONFIG)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            self._process = start_server_process(spec, Lifetime.OWNED, 60)

    def set_sync_seconds(self, seconds: float) -> None:
        """How much longer each sync takes from now on."""
        self._control[:8] = struct.pack("d", seconds)

    def set_clock(self, seconds: float) -> None:
        """How far the clock is ahead from now on."""
        self._control[8:] = struct.pack("d", seconds)

    def cut_power(self) -> None:
        """All processes end at once; of the server's files only that is left which the disk had confirmed."""
        assert self._process is not None
        family = [*psutil.Process(self._process.pid).children(recursive=True), psutil.Process(self._process.pid)]
        for process in reversed(family):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._reap(0)
        psutil.wait_procs(family)
        for path in [path for path in self.folder.rglob("*") if path.is_file() and ".durable" not in path.name]:
            durable = path.with_name(f"{path.name}.durable")
            if durable.exists():
                shutil.copyfile(durable, path)
            elif not path.name.endswith(".log"):
                path.unlink()

    def stop_server(self) -> None:
        self._reap(60)

    def stop(self) -> None:
        self._reap(60)
        self._control.close()

    def _reap(self, seconds: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()  # which ends it
            process.wait(seconds or None)


@pytest.fixture
def machine(library: Path, tmp_path: Path, isolated_home: Path) -> Iterator[Machine]:
    made = Machine(library, tmp_path)
    yield made
    made.stop()


# --- power ----------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What one client saw of an execution."""

    execution_id: str
    events: list[Event]
    end: ExecutionSnapshot


class User:
    """Submits, reads and waits until told to stop, whatever happens to the server."""

    def __init__(self, seed: int, heard: threading.Event) -> None:
        self.heard = heard
        self.accepted: list[str] = []
        self.seen: list[Seen] = []
        self.stopped = threading.Event()
        self._random = random.Random(seed)
        self._client = ExecutionClient(PORT, config=CONFIG)

    def work(self) -> None:
        with self._client, concurrent.futures.ThreadPoolExecutor(2) as threads:
            while not self.stopped.is_set():
                execution_id = self._submit()
                end = threads.submit(self._client.wait, execution_id)
                events = threads.submit(self._read, execution_id)
                self.seen.append(Seen(execution_id, events.result(), end.result()))

    def _submit(self) -> str:
        size = self._random.choice([10, 10, 200_000])
        task = {"do": "steps", "count": self._random.randrange(1, 40), "size": size}
        resumable, retries = self._random.random() < 0.5, self._random.choice([0, 1])
        execution_id = self._client.submit(task, resumable=resumable, max_retries=retries)
        self.accepted.append(execution_id)
        return execution_id

    def _read(self, execution_id: str) -> list[Event]:
        events: list[Event] = []
        for event in self._client.events(execution_id):
            events.append(event)
            self.heard.set()
        return events


def test_a_power_cut_costs_nothing_that_anybody_was_told(machine: Machine) -> None:
    print(f"POWER_SEED={SEED}")
    machine.start()
    chance, pause = random.Random(SEED), threading.Event()
    heard = threading.Event()
    users = [User(SEED + number, heard) for number in range(3)]
    with concurrent.futures.ThreadPoolExecutor(len(users)) as threads:
        working = [threads.submit(user.work) for user in users]
        try:
            for _ in range(CUTS):
                heard.clear()
                assert heard.wait(WAIT)
                pause.wait(chance.uniform(0, 0.7))  # a cut comes at any moment
                machine.cut_power()
                machine.start()
        finally:
            for user in users:
                user.stopped.set()
        for work in working:
            work.result(WAIT)
    with ExecutionClient(PORT, config=CONFIG) as fresh:
        for user in users:
            assert [seen.execution_id for seen in user.seen] == user.accepted
            for seen in user.seen:
                check(seen, fresh)
    seen_count = sum(len(user.seen) for user in users)
    interrupted = sum(seen.end.status is S.INTERRUPTED for user in users for seen in user.seen)
    print(f"{CUTS} cuts, {seen_count} executions, {interrupted} interrupted for good")


def check(seen: Seen, fresh: ExecutionClient) -> None:
    """The server still says all that it had said before, and nothing came twice, or not at all."""
    assert fresh.wait(seen.execution_id, WAIT) == seen.end
    now = list(fresh.events(seen.execution_id))
    for kind in (StateChange, LogLine):
        told = [event for event in seen.events if isinstance(event, kind)]
        assert told == [event for event in now if isinstance(event, kind)]
        assert [event.sequence for event in told] == list(range(1, len(told) + 1))
    progress = [event.sequence for event in seen.events if isinstance(event, ProgressUpdate)]
    assert progress == list(range(1, len(progress) + 1))
    assert not [event for event in seen.events if isinstance(event, LogLine) and event.level is not LogLevel.INFO]


# --- a slow disk ----------------------------------------------------------------------------------------------------


def test_a_disk_that_takes_its_time_is_no_error_and_no_end(machine: Machine) -> None:
    machine.start()
    with ExecutionClient(PORT, config=CONFIG) as client:
        client.wait(client.submit({"do": "nothing"}), WAIT)
        told: list[ClientState] = []
        client.add_listener(lambda standing: told.append(standing.state))
        machine.set_sync_seconds(SYNC_SECONDS)
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            stopping = threads.submit(cancel_one, client)
            working = [threads.submit(work_through, client, number) for number in range(3)]
            for work in working:
                work.result(WAIT)
            assert stopping.result(WAIT) is S.CANCELLED
        machine.set_sync_seconds(0)
        assert ClientState.LOST not in told
        assert client.status().ended == {S.COMPLETE: 4, S.CANCELLED: 1}


def work_through(client: ExecutionClient, number: int) -> None:
    """A submission, its status, its events and its end."""
    execution_id = client.submit({"do": "steps", "count": 5, "size": number})
    assert client.poll_status(execution_id).status is not S.FAILED
    events = list(client.events(execution_id))
    assert client.wait(execution_id, WAIT).result == b"x" * number
    assert [event.sequence for event in events if isinstance(event, LogLine)] == [1, 2, 3, 4, 5]
    states = [event.execution.status for event in events if isinstance(event, StateChange)]
    assert states == [S.QUEUED, S.RUNNING, S.COMPLETE]


def cancel_one(client: ExecutionClient) -> ExecutionStatus:
    execution_id = client.submit({"do": "wait"})
    assert client.cancel(execution_id).status == "ok"
    return client.wait(execution_id, WAIT).status


# --- a clock that is set --------------------------------------------------------------------------------------------


def test_a_clock_that_was_wrong_at_one_start_costs_no_history(machine: Machine) -> None:
    kept: list[str] = []
    for ahead in (0.0, 100 * DAY, -100 * DAY, 0.0):
        machine.set_clock(ahead)
        machine.start()
        with ExecutionClient(PORT, config=CONFIG) as client:
            assert [each.execution_id for each in client.history()] == kept[::-1]
            ended = client.wait(client.submit({"do": "steps", "count": 2, "size": 1}), WAIT)
            assert ended.status is S.COMPLETE, ended.error or ended.traceback
            kept.append(ended.execution_id)
            events = list(client.events(kept[0]))
            assert [event.sequence for event in events if isinstance(event, LogLine)] == [1, 2]
        machine.stop_server()


def test_a_clock_that_is_set_while_all_goes_on_changes_nothing(machine: Machine, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    machine.start()
    with ExecutionClient(PORT, config=CONFIG) as client:
        told: list[ClientState] = []
        client.add_listener(lambda standing: told.append(standing.state))
        began = time.monotonic()
        running = client.submit({"do": "resumable_until", "file": str(mark)}, time_limit=WAIT)
        for ahead in (DAY, -DAY, 3600.0, -3600.0):
            machine.set_clock(ahead)
            flaky = client.submit({"do": "flaky", "failures": 1}, max_retries=1, retry_delay=0.1)
            assert (ended := client.wait(flaky, WAIT)).result == 2, ended
            assert ended.run_seconds is not None
            assert 0 <= ended.run_seconds < WAIT
        mark.touch()
        ended = client.wait(running, WAIT)
        assert ended.status is S.COMPLETE
        assert ended.run_seconds is not None
        assert 0 < ended.run_seconds <= time.monotonic() - began
        assert ClientState.LOST not in told
        assert client.history()[0].execution_id == running


def test_a_retry_that_is_due_is_not_put_off_by_a_clock_that_went_back(machine: Machine) -> None:
    machine.start()
    with ExecutionClient(PORT, config=CONFIG) as client:
        flaky = client.submit({"do": "flaky", "failures": 1}, max_retries=1, retry_delay=0.5)
        failures = (event for event in client.events(flaky) if isinstance(event, StateChange))
        while next(failures).execution.attempts != 1 or client.poll_status(flaky).status is not S.QUEUED:
            pass  # until it waits for its second try
        machine.cut_power()
        machine.set_clock(-DAY)
        machine.start()
        assert client.wait(flaky, WAIT).result == 2
