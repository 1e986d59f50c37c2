"""A server that is stopped, killed or cut off, against all that clients have under way: nothing lost, nothing doubled.

SILENCE_SECONDS and SILENCE_CLIENTS set how long and how many; short and few in the suite, long and many in the chaos
session.
"""

import asyncio
import collections
import contextlib
import dataclasses
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zmqruntime import (
    ClientState,
    ExecutionStatus,
    LogLine,
    ProgressUpdate,
    RequestTimeoutError,
    Security,
    StateChange,
    TransportMode,
    ZMQConfig,
)
from zmqruntime.execution import (
    AsyncExecutionClient,
    BatchSubmitWaitEngine,
    CallbackBatchSubmitWaitPolicy,
    ExecutionClient,
    SubmissionTimeoutError,
)

MakeClient = Callable[..., ExecutionClient]
S = ExecutionStatus
SECONDS = float(os.environ.get("SILENCE_SECONDS", "2"))
CLIENTS = int(os.environ.get("SILENCE_CLIENTS", "4"))
WAIT = 60 + 3 * SECONDS
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP"),
    pytest.mark.timeout(180 + 20 * SECONDS),
]


class User:
    """One client with a wait, an iteration over events and submissions under way, each in a thread of its own."""

    def __init__(self, owner: ExecutionClient, mark: Path) -> None:
        self.client = ExecutionClient(owner.port, config=owner.config, host=_host_of(owner))
        self.mark = mark
        self.errors: list[BaseException] = []
        self.submitted: list[str] = []
        self.client.connect()
        self.long = self.client.submit({"do": "resumable_until", "file": str(mark)}, resumable=True)
        self.events: list[object] = []
        self._threads = [
            threading.Thread(target=self._guard, args=(call,)) for call in (self._wait, self._follow, self._submit)
        ]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(WAIT)
            assert not thread.is_alive(), thread.name

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.errors.append(error)

    def _wait(self) -> None:
        assert self.client.wait(self.long).status is S.COMPLETE

    def _follow(self) -> None:
        self.events += self.client.events(self.long)

    def _submit(self) -> None:
        for _ in range(3):
            task = {"do": "append", "file": f"{self.mark}.{len(self.submitted)}"}
            execution_id = self.client.submit(task, resumable=True)
            self.submitted.append(execution_id)
            assert self.client.wait(execution_id).status is S.COMPLETE

    def check(self) -> None:
        """Nothing was lost and nothing was doubled."""
        assert not self.errors
        for kind in (StateChange, ProgressUpdate, LogLine):
            numbers = [event.sequence for event in self.events if isinstance(event, kind)]
            assert numbers == list(range(1, len(numbers) + 1))
        for number in range(3):
            assert Path(f"{self.mark}.{number}").read_text() == "ran\n"
        assert [event.execution.status for event in self.events if isinstance(event, StateChange)][-1] is S.COMPLETE


def _host_of(owner: ExecutionClient) -> str | None:
    return owner.host if owner.transport_mode is TransportMode.TCP else None


@pytest.fixture
def users(make_client: MakeClient, tmp_path: Path) -> Iterator[list[User]]:
    owner = make_client("ManyAtOnceServer")
    made = [User(owner, tmp_path / f"user-{number}") for number in range(CLIENTS)]
    yield made
    for user in made:
        user.client.disconnect()


def test_a_server_that_is_stopped_costs_time_and_nothing_else(users: list[User]) -> None:
    pid = users[0].client.server.pid
    os.kill(pid, signal.SIGSTOP)
    resume = threading.Timer(SECONDS, os.kill, (pid, signal.SIGCONT))
    resume.start()
    for user in users:
        user.begin()
    resume.join()
    for user in users:
        user.mark.touch()  # lets the long ones end
    for user in users:
        user.join()
        user.check()
        assert user.client.server.pid == pid
        assert user.client.state is ClientState.CONNECTED


def test_a_server_that_is_killed_is_replaced_under_all_that_goes_on(users: list[User], make_client: MakeClient) -> None:
    for user in users:
        user.begin()
    before = users[0].client.server.instance_id
    os.kill(users[0].client.server.pid, signal.SIGKILL)
    make_client("ManyAtOnceServer")  # the next client starts its successor
    for user in users:
        user.mark.touch()
    for user in users:
        user.join()
        assert not user.errors
        numbers = [event.sequence for event in user.events if isinstance(event, StateChange)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert user.client.server.instance_id != before


def test_questions_keep_their_own_deadline_and_submissions_say_their_id(client: ExecutionClient) -> None:
    config = dataclasses.replace(client.config, request_timeout=1.0)
    with ExecutionClient(client.port, config=config) as impatient:
        execution_id = impatient.submit({"do": "nothing", "value": 1})
        assert impatient.wait(execution_id, WAIT).result == 1
        os.kill(client.server.pid, signal.SIGSTOP)
        try:
            for ask in (lambda: impatient.poll_status(execution_id), lambda: impatient.cancel(execution_id)):
                with pytest.raises(RequestTimeoutError, match=r"within 1 s"):
                    ask()
            with pytest.raises(SubmissionTimeoutError, match=r"no answer for .* s from the server") as caught:
                impatient.submit({"do": "nothing", "value": 2}, timeout=1.0)
            assert impatient.state is ClientState.SILENT
        finally:
            os.kill(client.server.pid, signal.SIGCONT)
        assert impatient.wait(caught.value.execution_id, WAIT).result == 2
        assert client.status().ended[S.COMPLETE] == 2


def test_a_batch_says_that_it_waits_and_goes_on(client: ExecutionClient) -> None:
    said: list[str] = []

    async def work() -> None:
        async with AsyncExecutionClient(client.port, config=client.config) as waiting:
            policy = CallbackBatchSubmitWaitPolicy[int, str, object](
                submit=lambda number: waiting.submit({"do": "nothing", "value": number}),
                wait=lambda number, execution_id: waiting.wait(execution_id),
            )
            heard = asyncio.Event()

            def hear(line: str) -> None:
                said.append(line)
                heard.set()

            engine = BatchSubmitWaitEngine(policy, client=waiting.client, on_no_answer=hear)
            os.kill(client.server.pid, signal.SIGSTOP)
            try:
                running = asyncio.ensure_future(engine.run(range(3)))
                await heard.wait()
            finally:
                os.kill(client.server.pid, signal.SIGCONT)
            assert (await running).is_complete

    asyncio.run(work())
    assert said[0].startswith("No answer for ")
    assert said[0].endswith("still waiting")


class CuttableLine:
    """Carries TCP connections to a port of this machine; can hold all bytes back, or cut all connections."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._wakes = socket.socketpair()
        self._selector.register(self._wakes, selectors.EVENT_READ)
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._is_held = self._is_ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hold(self, is_held: bool) -> None:
        """Carry nothing, in either direction, and take no new connection; or go on."""
        self._is_held = is_held
        self._wake.send(b"x")

    def cut(self) -> None:
        """End all connections."""
        for sock in list(self._pairs):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._is_ended = True
        self._wake.send(b"x")
        self._thread.join()
        for sock in (*self._pairs, self._listener, self._wake, self._wakes):
            sock.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._is_ended:
            ready = [key.fileobj for key, _ in self._selector.select()] if not self._is_held else [self._wakes]
            for sock in ready:
                assert isinstance(sock, socket.socket)
                if sock is self._wakes:
                    self._wakes.recv(1)
                elif sock is self._listener:
                    self._accept()
                elif sock in self._pairs:
                    self._carry(sock)

    def _accept(self) -> None:
        here = self._listener.accept()[0]
        try:
            there = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            here.close()
            return
        for one, other in ((here, there), (there, here)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, sock: socket.socket) -> None:
        other = self._pairs[sock]
        with contextlib.suppress(OSError):
            data = sock.recv(65536)
            if data:
                other.sendall(data)
                return
        for each in (sock, other):
            self._selector.unregister(each)
            self._pairs.pop(each, None)
            each.close()


@pytest.mark.parametrize("is_cut", [False, True], ids=["held", "cut"])
def test_a_line_that_carries_nothing_for_a_while_loses_and_doubles_nothing(
    tmp_path: Path, isolated_home: Path, is_cut: bool
) -> None:
    """As between two machines: nothing of the server's process can be seen from the client."""
    config = ZMQConfig(security=Security.NONE, heartbeat_interval=0.1, heartbeat_window=0.5)
    server = f"{HERE / 'servers.py'}:ManyAtOnceServer"
    with contextlib.ExitStack() as stack:
        owner = ExecutionClient(_two_free_ports(), host="127.0.0.1", config=config, server=server, persistent=False)
        stack.callback(owner.disconnect)
        owner.connect()
        data, control = (stack.enter_context(contextlib.closing(CuttableLine(owner.port + n))) for n in (0, 1000))
        far = dataclasses.replace(config, control_port_offset=control.port - data.port)
        client = ExecutionClient(data.port, host="127.0.0.1", config=far)
        stack.callback(client.disconnect)
        client.connect()
        assert client._vigil._evidence.process is not None  # it can be seen here: made not to be, as on another machine
        client._io.call_soon(client._vigil._forget_process)
        client._vigil._evidence = dataclasses.replace(client._vigil._evidence, process=None, has_lock=False)
        mark = tmp_path / "mark"
        execution_id = client.submit({"do": "resumable_until", "file": str(mark)})
        events: list[object] = []
        follower = threading.Thread(target=lambda: events.extend(client.events(execution_id)))
        follower.start()
        for line in (data, control):
            line.hold(True)
        submitted: list[str] = []
        task = {"do": "append", "file": str(tmp_path / "once")}
        submitter = threading.Thread(target=lambda: submitted.append(client.submit(task)))
        submitter.start()
        follower.join(SECONDS)
        assert client.state is not ClientState.LOST
        for line in (data, control):
            if is_cut:
                line.cut()
            line.hold(False)
        submitter.join(WAIT)
        mark.touch()
        assert client.wait(execution_id, WAIT).status is S.COMPLETE
        assert client.wait(submitted[0], WAIT).status is S.COMPLETE
        follower.join(WAIT)
        assert (tmp_path / "once").read_text() == "ran\n"
        counts = collections.Counter(type(event) for event in events)
        for kind in (StateChange, ProgressUpdate):
            numbers = [event.sequence for event in events if isinstance(event, kind)]
            assert numbers == list(range(1, counts[kind] + 1))


def _two_free_ports() -> int:
    while True:
        with socket.create_server(("127.0.0.1", 0)) as data:
            port: int = data.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError), socket.create_server(("127.0.0.1", port + 1000)):
                return port


POLLING = """
import asyncio, sys, threading
from zmqruntime import ClientState, ZMQConfig
from zmqruntime.execution import AsyncExecutionClient, ExecutionClient
config = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.5, request_timeout=1.0)
execution_id, is_async = sys.argv[1], sys.argv[2] == "async"
states = []
async def work():
    async with AsyncExecutionClient(7777, config=config) as client:
        client.client.add_listener(lambda standing: states.append(standing.state))
        while (await client.poll_status(execution_id)).ended_at is None:
            print("polled", flush=True)
if is_async:
    asyncio.run(work())
else:
    with ExecutionClient(7777, config=config) as client:
        client.add_listener(lambda standing: states.append(standing.state))
        seen = []
        following = threading.Thread(target=lambda: seen.extend(client.events(execution_id)))
        following.start()
        while client.poll_status(execution_id).ended_at is None:
            print("polled", flush=True)
        assert client.wait(execution_id).status == "complete"
        following.join()
        for kind in {type(event) for event in seen}:
            numbers = [event.sequence for event in seen if type(event) is kind]
            assert numbers == list(range(1, len(numbers) + 1)), numbers
assert ClientState.LOST not in states, states
print("well", flush=True)
"""


@pytest.mark.parametrize("kind", ["threads", "async"])
def test_a_client_that_was_stopped_goes_on_as_if_nothing_had_been(
    client: ExecutionClient, tmp_path: Path, kind: str
) -> None:
    """As on a laptop that was closed: what was answered in time, but could not be heard, is no timeout."""
    mark = tmp_path / "mark"
    running = client.submit({"do": "resumable_until", "file": str(mark)})
    command = [sys.executable, "-c", POLLING, running, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "polled\n"
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(SECONDS)  # the time that it is stopped, longer than the deadline of its requests
        process.send_signal(signal.SIGCONT)
        mark.touch()
        lines = process.stdout.read().splitlines()
    assert lines[-1] == "well"
    assert process.returncode == 0
