"""Server and client in two network namespaces, as on two machines, and a cable that is pulled out between them.

NETWORK_CUT_SECONDS sets for how long: short in the suite, a minute in the chaos session.
"""

import concurrent.futures
import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import (
    ClientState,
    ExecutionStatus,
    KeyStore,
    LogLine,
    ProgressUpdate,
    RequestTimeoutError,
    ServerLostError,
    Standing,
    StateChange,
    ZMQConfig,
)
from zmqruntime.execution import ExecutionClient
from zmqruntime.messages import Event

S = ExecutionStatus
HERE = Path(__file__).parent
SECONDS = float(os.environ.get("NETWORK_CUT_SECONDS", "3"))
WAIT = 90 + 3 * SECONDS
PORT = 7777
CONFIG = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5, request_timeout=2.0)
SERVE = f"""
import sys
sys.path.append({str(HERE)!r})
from servers import TwoAtOnceServer
from zmqruntime import ZMQConfig
config = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5)
TwoAtOnceServer({PORT}, host=sys.argv[1], config=config).serve_forever(lambda: print("up", flush=True))
"""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or shutil.which("ip") is None, reason="needs ip, of Linux"),
    pytest.mark.timeout(180 + 5 * SECONDS),
]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Cable:
    """Between this network namespace and another one."""

    def __init__(self) -> None:
        number = os.getpid() % 60_000
        self.namespace, self._here, self._there = f"zr{number}", f"zr{number}a", f"zr{number}b"
        self._network = f"10.213.{number // 250}"
        place = 4 * (number % 60)
        self.near, self.far = f"{self._network}.{place + 1}", f"{self._network}.{place + 2}"

    def __enter__(self) -> "Cable":
        ip("netns", "add", self.namespace)
        try:
            ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.namespace)
            ip("address", "add", f"{self.near}/30", "dev", self._here)
            ip("-n", self.namespace, "address", "add", f"{self.far}/30", "dev", self._there)
            ip("link", "set", self._here, "up")
            self.plug()
        except BaseException:
            ip("netns", "delete", self.namespace)
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "delete", self._here)
        ip("netns", "delete", self.namespace)

    def plug(self) -> None:
        ip("-n", self.namespace, "link", "set", self._there, "up")

    def pull(self) -> None:
        ip("-n", self.namespace, "link", "set", self._there, "down")


@pytest.fixture
def cable() -> Iterator[Cable]:
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(Cable())
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"cannot make a network namespace: {error}")
        yield made


@pytest.fixture
def server(cable: Cable, isolated_home: Path) -> Iterator[None]:
    command = ["ip", "netns", "exec", cable.namespace, sys.executable, "-c", SERVE, cable.far]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield
        process.terminate()


class Work:
    """All that a client may have under way."""

    def __init__(self, client: ExecutionClient, folder: Path) -> None:
        self.client = client
        self.mark, self.once = folder / "mark", folder / "once"
        self.timeouts = 0
        self.long = client.submit({"do": "resumable_until", "file": str(self.mark)})
        self.stopped = client.submit({"do": "wait"})

    def wait(self) -> ExecutionStatus:
        return self.client.wait(self.long).status

    def read(self) -> list[Event]:
        return list(self.client.events(self.long))

    def submit(self) -> str:
        return self.client.submit({"do": "append", "file": str(self.once)}, timeout=WAIT)

    def cancel(self) -> None:
        """As a user does who is told that there was no answer in time."""
        while self._has_no_answer(lambda: self.client.cancel(self.stopped)):
            self.timeouts += 1

    def poll(self) -> None:
        while self._has_no_answer(lambda: self.client.poll_status(self.long)):
            self.timeouts += 1

    def _has_no_answer(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except RequestTimeoutError:
            return True
        except ServerLostError as error:
            if "cannot be reached" not in str(error):
                raise
            return True
        return False


def test_a_network_that_is_cut_for_a_while_loses_and_doubles_nothing(
    cable: Cable, server: None, tmp_path: Path
) -> None:
    told: list[Standing] = []
    store = KeyStore(CONFIG)
    store.trust(cable.far, store.server().public)
    with (
        ExecutionClient(PORT, host=cable.far, config=CONFIG) as client,
        concurrent.futures.ThreadPoolExecutor() as threads,
    ):
        client.add_listener(told.append)
        work = Work(client, tmp_path)
        waiting, reading = threads.submit(work.wait), threads.submit(work.read)
        next(iter(client.events(work.long)))
        cable.pull()
        try:
            submitting = threads.submit(work.submit)
            asking = [threads.submit(call) for call in (work.cancel, work.poll)]
            threading.Event().wait(SECONDS)  # the time that it is cut
            cable.plug()
            submitted = submitting.result(WAIT)
            for other in asking:
                other.result(WAIT)
        finally:
            cable.plug()
            work.mark.touch()  # lets the long one end
        assert waiting.result(WAIT) is S.COMPLETE
        check(reading.result(WAIT))
        assert client.wait(submitted, WAIT).status is S.COMPLETE
        assert client.wait(work.stopped, WAIT).status is S.CANCELLED
        assert work.once.read_text() == "ran\n"
    assert ClientState.SILENT in {standing.state for standing in told}
    assert not [standing.text for standing in told if "ended" in standing.text or "stopped" in standing.text]


def check(events: list[Event]) -> None:
    """Nothing is missing, and nothing came twice."""
    for kind in (StateChange, ProgressUpdate, LogLine):
        numbers = [event.sequence for event in events if isinstance(event, kind)]
        assert numbers == list(range(1, len(numbers) + 1))
