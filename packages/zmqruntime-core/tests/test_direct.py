"""Requests on sockets of the calling threads: quick, never mixed up, and no server is lost without a proof."""

import os
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
    ClosedError,
    ControlClient,
    Message,
    PongResponse,
    RequestTimeoutError,
    ServerLostError,
    Standing,
    TransportMode,
    Vocabulary,
    ZMQConfig,
    ZMQServer,
)
from zmqruntime.address import Address
from zmqruntime.base_messages import OkResponse
from zmqruntime.direct import _GREETING, _GREETING_BYTES, _MOST_IDLE, _MOST_OPEN, _READY
from zmqruntime.evidence import Evidence
from zmqruntime.identity import ProcessIdentity
from zmqruntime.messages import PingRequest
from zmqruntime.transport import remove_ipc_socket

PORT = 7744
QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.3)

pytestmark = [
    pytest.mark.usefixtures("isolated_home"),
    pytest.mark.skipif(os.name != "posix", reason="needs Unix sockets and SIGSTOP"),
]


class Say(Message, frozen=True, kw_only=True, tag="say"):
    """Is answered with the same text, once the server is told to."""

    may_repeat = False
    text: str


class SayAgain(Say, frozen=True, kw_only=True, tag="say-again"):
    """The same, but may be sent twice."""

    may_repeat = True


class EchoServer(ZMQServer):
    """Answers with the text; the text ``wait`` makes it wait for ``go``."""

    vocabulary = Vocabulary(requests=(Say, SayAgain))

    def __init__(self, port: int = PORT) -> None:
        super().__init__(port, config=QUICK)
        self.asked, self.go = threading.Event(), threading.Event()

    def handle_request(self, request: Message) -> Message:
        if not isinstance(request, Say):
            return super().handle_request(request)
        if request.text == "wait":
            self.asked.set()
            self.go.wait(20)
        return OkResponse(message=request.text)


class EchoClient(ControlClient):
    vocabulary = EchoServer.vocabulary

    def say(self, text: str, timeout: float = 20.0) -> str:
        return self.request(Say(text=text), OkResponse, timeout).message


PROGRAM = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_direct import EchoServer
class Noting(EchoServer):
    def handle_request(self, request):
        if getattr(request, "text", "") == "stop":
            print("got it", flush=True)
            os.kill(os.getpid(), int(sys.argv[1]))
        return super().handle_request(request)
Noting().serve_forever(lambda: print("up", flush=True))
"""


@pytest.fixture
def client() -> Iterator[EchoClient]:
    client = EchoClient(PORT, config=QUICK)
    yield client
    client.disconnect()


@pytest.fixture
def server() -> Iterator[EchoServer]:
    with EchoServer() as server:
        yield server
        server.go.set()


@pytest.fixture
def start(client: EchoClient) -> Iterator[Callable[[signal.Signals], "subprocess.Popen[str]"]]:
    """Start the server in a process that sends itself a signal once it is asked to ``stop``, and connect to it."""
    started: list[subprocess.Popen[str]] = []

    def start(number: signal.Signals) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", PROGRAM, str(int(number))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        client.connect()
        assert client.say("hello") == "hello"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for port in (PORT, PORT + QUICK.control_port_offset):
        remove_ipc_socket(port, QUICK)


def state_of(client: ControlClient, state: ClientState) -> threading.Event:
    """Be told when the client comes to a state."""
    reached = threading.Event()

    def note(standing: Standing) -> None:
        if standing.state is state:
            reached.set()

    client.add_listener(note)
    return reached


def test_a_request_wakes_no_other_thread_of_the_client(server: EchoServer) -> None:
    turns: list[int] = []
    ready = threading.Event()
    with EchoClient(PORT, config=ZMQConfig(heartbeat_window=600)) as client:  # its timers are far away
        client.say("opens the connection")
        client.call_soon(ready.set)
        assert ready.wait(20)
        client.call_soon(lambda: setattr(client.loop, "after_turn", lambda: turns.append(1)))
        for number in range(50):
            assert client.say(str(number)) == str(number)
        assert len(turns) <= 1  # the one in which counting began


@pytest.mark.parametrize("size", [0, 1, 254, 255, 256, 300, 70_000, 5_000_000])
def test_texts_of_every_size_come_back(server: EchoServer, client: EchoClient, size: int) -> None:
    client.connect()
    assert client.say("x" * size) == "x" * size
    assert client.say("next") == "next"


def test_many_threads_get_their_own_replies_and_keep_few_connections(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    wrong: list[str] = []

    def ask(name: int) -> None:
        for number in range(20):
            text = f"{name}-{number}"
            if client.say(text) != text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(_MOST_OPEN + 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    direct = client._control._direct
    assert not wrong
    assert direct is not None
    assert len(direct._idle) <= _MOST_IDLE
    assert not direct.are_used


def test_a_late_reply_answers_no_other_request(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    with pytest.raises(RequestTimeoutError, match=r"did not reply to Say within 0\.2 s"):
        client.say("wait", 0.2)
    server.go.set()
    assert client.say("other") == "other"


def test_disconnecting_ends_a_request_of_another_thread(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client.say("wait")
        except ClosedError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    assert server.asked.wait(20)
    client.disconnect()
    asking.join(20)
    assert len(errors) == 1


def test_ctrl_c_interrupts_a_request_and_the_next_one_works(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    client.say("opens the connection")

    def interrupt() -> None:
        server.asked.wait(20)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        client.say("wait")
    server.go.set()
    assert client.say("next") == "next"


def test_a_forked_child_cannot_use_the_connections_of_its_parent(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    client.say("opens the connection")
    pid = os.fork()
    if not pid:
        try:
            client.say("from the child")
        except ClosedError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert client.say("still") == "still"


def test_a_stopped_server_is_silent_never_lost_and_answers_once_it_goes_on(
    client: EchoClient, start: Callable[[signal.Signals], "subprocess.Popen[str]"]
) -> None:
    process = start(signal.SIGSTOP)
    silent, lost = state_of(client, ClientState.SILENT), state_of(client, ClientState.LOST)
    replies: list[str] = []
    asking = threading.Thread(target=lambda: replies.append(client.say("stop", 60)))
    asking.start()
    assert silent.wait(20)
    with pytest.raises(RequestTimeoutError, match=r"no answer for .* s from the server"):
        client.say("meanwhile", 0.1)
    assert not replies
    process.send_signal(signal.SIGCONT)
    asking.join(60)
    assert replies == ["stop"]
    assert client.say("again") == "again"
    assert not lost.is_set()


def test_a_killed_server_is_lost_at_once_for_a_request_that_must_not_be_repeated(
    client: EchoClient, start: Callable[[signal.Signals], "subprocess.Popen[str]"]
) -> None:
    start(signal.SIGKILL)
    with pytest.raises(ServerLostError, match="it is unknown whether it has acted on this request"):
        client.say("stop", 600)


def test_a_request_that_may_be_repeated_goes_to_the_successor(
    client: EchoClient, start: Callable[[signal.Signals], "subprocess.Popen[str]"]
) -> None:
    process = start(signal.SIGKILL)
    assert process.stdout is not None
    replies: list[str] = []
    asking = threading.Thread(
        target=lambda: replies.append(client.request(SayAgain(text="stop"), OkResponse, 60).message)
    )
    asking.start()
    assert process.stdout.readline() == "got it\n"
    process.wait()
    before = client.server.instance_id
    with EchoServer():
        asking.join(60)
        assert replies == ["stop"]
        assert client.say("next") == "next"
        assert client.server.instance_id != before


def test_a_connection_to_an_earlier_run_of_the_server_is_not_used(client: EchoClient) -> None:
    with EchoServer():
        client.connect()
        client.say("opens the connection")
    with EchoServer() as successor:
        assert client.request(PingRequest(), PongResponse, 20).instance_id == successor.instance_id
        for text in ("one", "two"):
            assert client.request(SayAgain(text=text), OkResponse, 20).message == text


def test_what_does_not_speak_zmtp_is_left_to_the_io_thread(server: EchoServer, client: EchoClient) -> None:
    client.connect()
    direct = client._control._direct
    assert direct is not None
    path = f"{direct._path}.other"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        direct._path = path  # type: ignore[misc]

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n".ljust(200, b"\n"))

        answering = threading.Thread(target=answer)
        answering.start()
        assert client.say("hello") == "hello"
        answering.join()
    os.unlink(path)


def test_a_tcp_server_is_asked_by_the_io_thread(client: EchoClient) -> None:
    with (
        ZMQServer(PORT, transport_mode=TransportMode.TCP, config=QUICK) as server,
        ControlClient(PORT, transport_mode=TransportMode.TCP, config=QUICK) as other,
    ):
        assert other._control._direct is None
        assert other.request(PingRequest(), PongResponse).instance_id == server.instance_id


def test_the_greeting_is_that_of_zmtp() -> None:
    """RFC 23: signature, version 3.0, mechanism, as-server, filler; then the command with the socket's type."""
    assert len(_GREETING) == _GREETING_BYTES
    assert (_GREETING[0], _GREETING[9], _GREETING[10:12]) == (0xFF, 0x7F, b"\x03\x00")
    assert _GREETING[12:32].rstrip(b"\0") == b"NULL"
    kind = bytes((len("Socket-Type"),)) + b"Socket-Type" + (3).to_bytes(4) + b"REQ"
    assert b"\x05READY" + kind == _READY


# --- what proves that a server has ended ------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_that_cannot_be_looked_at_counts_as_running() -> None:
    """Without file descriptors nothing can be read about it."""
    import resource

    alive, gone = ProcessIdentity.current(), ProcessIdentity(2**22 + 1, 1.0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, limits[1]))
    try:
        found = alive.is_running(), gone.is_running(), alive.wait(0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        os.close(lowest)
    assert found == (True, False, False)


def test_a_missing_lock_file_proves_nothing_and_a_free_one_does() -> None:
    address = Address.of(PORT, config=QUICK)
    with EchoServer() as server, EchoClient(PORT, config=QUICK) as client:
        evidence = Evidence.of(client.server, address)
        assert evidence.has_lock
        assert not evidence.has_ended(is_cut=True)
        lock = server._claim._path
        lock.rename(f"{lock}.away")
        assert not evidence.has_ended(is_cut=True)
        Path(f"{lock}.away").rename(lock)
    assert evidence.has_ended(is_cut=True)
