"""Random submissions, cancels, kills and restarts, against what must be true whatever happens.

CHAOS_SECONDS and CHAOS_SEED set how long and which course; a failure prints the seed that repeats its decisions.
"""

import contextlib
import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from zmqruntime import (
    ExecutionStatus,
    LogLine,
    ProgressUpdate,
    QueueAction,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    StateChange,
)
from zmqruntime.execution import ExecutionClient, WaitTimeoutError
from zmqruntime.execution.lifecycle import TERMINAL, advance

S = ExecutionStatus
SECONDS = float(os.environ.get("CHAOS_SECONDS", "3"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 2**31)
UNREACHABLE = (ServerLostError, RequestTimeoutError)
ENOUGH_QUEUED = 300


@dataclass
class Submitted:
    """What we know of an execution from our own doing."""

    kind: str
    resumable: bool
    retries: int
    was_cancelled: bool = False


class Chaos:
    """Does random things to a server and keeps what it was promised."""

    def __init__(self, client: ExecutionClient, folder: Path) -> None:
        self.random = random.Random(SEED)
        self.client = client
        self.folder = folder
        self.known: dict[str, Submitted] = {}
        self.server_deaths = 0

    def step(self) -> None:
        """One random deed; whatever cannot be reached is reached again first."""
        deeds = [self.submit] * 12 + [self.batch] * 2 + [self.cancel] * 4 + [self.kill_worker, self.pause, self.follow]
        deeds += [self.kill_server] if self.random.random() < 0.15 else []
        try:
            self.random.choice(deeds)()
        except UNREACHABLE:
            self.client.connect(30)

    def submit(self) -> None:
        request = self.new_request()
        with contextlib.suppress(RequestRefusedError):
            self.send([request])

    def batch(self) -> None:
        self.send([self.new_request() for _ in range(self.random.randrange(1, 6))])

    def send(self, requests: list[tuple[object, Submitted]]) -> None:
        if self.client.status(limit=0).queued > ENOUGH_QUEUED:
            return  # what kills its worker is not run as fast as it is submitted
        made = [
            self.client.request_for(
                task, max_retries=entry.retries, retry_delay=0.01, resumable=entry.resumable, priority=len(entry.kind)
            )
            for task, entry in requests
        ]
        # Kept before it is sent: when the reply is lost it may have been accepted, and then it must be found.
        unsure = dict(zip((request.submission_id for request in made), (entry for _, entry in requests), strict=True))
        try:
            self.client.submit_batch(made, timeout=5)
        except UNREACHABLE:
            self.client.connect(30)
            for execution_id, entry in unsure.items():
                with contextlib.suppress(RequestRefusedError):
                    self.client.poll_status(execution_id)
                    self.known[execution_id] = entry
        else:
            self.known.update(unsure)

    def new_request(self) -> tuple[object, Submitted]:
        kind = self.random.choice(["short", "short", "short", "long", "fail", "die"])
        entry = Submitted(kind, self.random.random() < 0.5, self.random.choice([0, 0, 2]))
        return {"do": "chaos", "kind": kind, "folder": str(self.folder)}, entry

    def cancel(self) -> None:
        if self.known:
            execution_id = self.random.choice(list(self.known))
            grace = self.random.choice([None, None, 0.0, 0.05])
            self.known[execution_id].was_cancelled = True
            self.client.cancel(execution_id, grace_seconds=grace)

    def kill_worker(self) -> None:
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.client.server.pid).children(recursive=True)
            if family:
                self.random.choice(family).kill()

    def kill_server(self) -> None:
        self.server_deaths += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.client.server.pid, signal.SIGKILL)
        self.client.connect(30)

    def pause(self) -> None:
        self.client.change_queue(self.random.choice([QueueAction.PAUSE, QueueAction.RESUME]))

    def follow(self) -> None:
        if self.known:
            events = self.client.events(self.random.choice(list(self.known)))
            assert isinstance(next(iter(events)), StateChange)

    def finish(self) -> None:
        """Let everything come to its end."""
        self.client.connect(30)
        self.client.change_queue(QueueAction.RESUME)
        for execution_id, entry in self.known.items():
            if entry.kind == "long":
                entry.was_cancelled = True
                self.client.cancel(execution_id)
        for execution_id in self.known:
            self.wait_while_others_end(execution_id)

    def wait_while_others_end(self, execution_id: str) -> None:
        """Wait for its end as long as any execution has ended in the latest 60 s."""
        ended = -1
        while True:
            try:
                self.client.wait(execution_id, 60)
                return
            except WaitTimeoutError:
                before, ended = ended, sum(self.client.status(limit=0).ended.values())
                if ended == before:
                    raise


def check(chaos: Chaos, execution_id: str, entry: Submitted) -> None:
    """What must be true of every execution that was accepted."""
    events = list(chaos.client.events(execution_id))
    snapshot = chaos.client.poll_status(execution_id)
    states = [event.execution.status for event in events if isinstance(event, StateChange)]
    assert states[0] is S.QUEUED
    assert states[-1] is snapshot.status
    assert snapshot.status in TERMINAL | {S.INTERRUPTED}
    for before, after in itertools.pairwise(states):
        advance(before, after)
    for kind in (StateChange, ProgressUpdate, LogLine):
        sequences = [event.sequence for event in events if isinstance(event, kind)]
        assert sequences == list(range(1, len(sequences) + 1))
    if S.CANCELLED in states or S.CANCELLING in states:
        assert entry.was_cancelled
        assert snapshot.status is not S.COMPLETE
    if snapshot.status is S.COMPLETE:
        assert entry.kind == "short"
        assert (chaos.folder / f"{execution_id}.ran").exists()
    if snapshot.status is S.INTERRUPTED:
        assert chaos.server_deaths
        assert not entry.resumable
    if entry.kind in ("fail", "die") and not entry.was_cancelled and not chaos.server_deaths:
        assert snapshot.status is S.FAILED


@pytest.mark.timeout(SECONDS * 3 + 180)
def test_chaos(make_client: Callable[..., ExecutionClient], isolated_home: Path) -> None:
    print(f"CHAOS_SEED={SEED}")
    folder = isolated_home / "chaos"
    folder.mkdir()
    chaos = Chaos(make_client("TwoAtOnceServer", persistent=True), folder)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        chaos.step()
    chaos.finish()
    for execution_id, entry in chaos.known.items():
        check(chaos, execution_id, entry)
    assert not (folder / "twice").exists(), (folder / "twice").read_text()
    listed = {snapshot.execution_id for snapshot in chaos.client.history(limit=1000)}
    assert (
        set(itertools.islice(chaos.known, len(chaos.known) - 900, None) if len(chaos.known) > 900 else chaos.known)
        <= listed
    )
    print(f"{len(chaos.known)} executions, {chaos.server_deaths} servers killed")
    chaos.client.shutdown_server()
