"""Real servers and clients over real sockets, in both transports."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import zmq

from zmqruntime import (
    ClientState,
    ClosedError,
    ConfigurationError,
    ConnectionFailedError,
    ErrorCode,
    KeyStore,
    Message,
    PongResponse,
    PortInUseError,
    RequestRefusedError,
    RequestTimeoutError,
    ServerLostError,
    ServerStartError,
    StatusRequest,
    StatusResponse,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
    get_ipc_socket_path,
    get_zmq_transport_url,
)
from zmqruntime.codec import Decoder, encode
from zmqruntime.identity import ProcessIdentity
from zmqruntime.launch import ServerSpec
from zmqruntime.messages import ErrorResponse, PingRequest, Response

R = TypeVar("R", bound=Message)

QUICK = ZMQConfig(heartbeat_interval=0.1, heartbeat_window=0.3)


class StartingClient(ZMQClient):
    """Starts a plain server when none answers."""

    server_target = "zmqruntime.server:ZMQServer"


class MisledClient(ZMQClient):
    """Starts a server that does not exist."""

    server_target = "zmqruntime.server:NoSuchServer"


def free_port() -> int:
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            if port < 64_000:
                try:
                    second.bind(("127.0.0.1", port + 1000))
                except OSError:
                    continue
                return port


def introduce(sock: "zmq.Socket[bytes]", server: ZMQServer) -> None:
    """Give a plain socket the keys that it needs for a server over TCP."""
    if server.transport_mode is TransportMode.TCP:
        keys = KeyStore(server.config)
        sock.curve_publickey, sock.curve_secretkey = keys.client().public, keys.client().secret
        sock.curve_serverkey = keys.server().public


@pytest.fixture(params=[TransportMode.IPC, TransportMode.TCP])
def mode(request: pytest.FixtureRequest) -> TransportMode:
    found: TransportMode = request.param
    return found


@pytest.fixture
def server(mode: TransportMode) -> Iterator[ZMQServer]:
    with ZMQServer(free_port(), transport_mode=mode, config=QUICK) as server:
        yield server


@pytest.fixture
def client(server: ZMQServer) -> Iterator[ZMQClient]:
    with ZMQClient(server.port, transport_mode=server.transport_mode, config=QUICK) as client:
        yield client


@pytest.fixture
def raw(server: ZMQServer) -> Iterator[Callable[[list[bytes]], Response]]:
    """A plain REQ socket as any language has it: sends frames, gives the decoded reply."""
    decode: Decoder[Response] = Decoder(Response)
    with zmq.Context() as context, context.socket(zmq.REQ) as sock:
        sock.linger = 0
        sock.rcvtimeo = 10_000
        introduce(sock, server)
        sock.connect(get_zmq_transport_url(server.control_port, mode=server.transport_mode))

        def ask(frames: list[bytes]) -> Response:
            sock.send_multipart(frames)
            return decode(sock.recv())

        yield ask


def test_connect_says_who_the_server_is(server: ZMQServer, client: ZMQClient) -> None:
    assert client.server.instance_id == server.instance_id
    assert client.server.pid == os.getpid()
    assert ProcessIdentity(client.server.pid, client.server.process_start).is_running()
    assert client.state is ClientState.CONNECTED


def test_a_plain_req_socket_gets_one_reply_to_each_request_good_or_bad(
    raw: Callable[[list[bytes]], Response],
) -> None:
    for frames in ([b"\xff\x00 rubbish"], [b""], [b"a", b"b"], [encode({"type": "ping", "x": 1})], [encode([1])]):
        reply = raw(frames)
        assert isinstance(reply, ErrorResponse)
        assert reply.code is ErrorCode.INVALID
    assert isinstance(raw([encode(PingRequest())]), PongResponse)


def test_a_request_that_the_server_does_not_know_is_refused_by_name(client: ZMQClient) -> None:
    with pytest.raises(
        RequestRefusedError, match="does not know the request 'status'; it knows ping, shutdown"
    ) as caught:
        client.request(StatusRequest(), StatusResponse)
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_frames_without_an_envelope_and_other_protocols_do_no_harm(server: ZMQServer, client: ZMQClient) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        sock.linger = 0
        introduce(sock, server)
        sock.connect(get_zmq_transport_url(server.control_port, mode=server.transport_mode))
        for frames in ([b"no delimiter"], [b""], [b"", b"", b""], [b"x" * 100_000] * 20):
            sock.send_multipart(frames)
        sock.send_multipart([b"", encode(PingRequest())])
        assert sock.poll(10_000)
    if server.transport_mode is TransportMode.TCP:
        with socket.create_connection(("127.0.0.1", server.control_port)) as http:
            http.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id


def test_a_client_that_asks_much_before_it_reads_gets_every_reply(server: ZMQServer) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as sock:
        introduce(sock, server)
        sock.sndhwm = sock.rcvhwm = 1000
        sock.rcvtimeo = sock.sndtimeo = 10_000
        sock.connect(get_zmq_transport_url(server.control_port, "127.0.0.1", server.transport_mode))
        for _ in range(20_000):
            sock.send_multipart([b"", encode(PingRequest())])
        for _ in range(20_000):
            sock.recv_multipart()


def test_many_threads_share_a_client(client: ZMQClient) -> None:
    answers: list[PongResponse] = []

    def ask() -> None:
        answers.extend(client.request(PingRequest(), PongResponse) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 400


def test_close_and_disconnect_may_be_called_twice_and_end_everything(mode: TransportMode) -> None:
    port = free_port()
    server = ZMQServer(port, transport_mode=mode)
    server.start()
    client = ZMQClient(port, transport_mode=mode)
    client.connect()
    with pytest.raises(ClosedError):
        server.start()
    threads = [threading.Thread(target=end) for end in (server.close, client.disconnect) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(ClosedError):
        client.request(PingRequest(), PongResponse)
    with pytest.raises(ClosedError):
        client.connect()
    with pytest.raises(ClosedError):
        server.start()
    if mode is TransportMode.IPC:
        path = get_ipc_socket_path(port)
        assert path is not None
        assert not path.exists()


def test_an_address_that_is_not_of_this_machine_is_a_clear_error() -> None:
    with pytest.raises(
        ConfigurationError, match=r"cannot listen on tcp://192\.0\.2\.1:.*; use an address of this machine"
    ):
        ZMQServer(free_port(), host="192.0.2.1", transport_mode=TransportMode.TCP).start()


def test_a_host_that_nobody_knows_is_a_clear_error() -> None:
    with pytest.raises(ConnectionFailedError, match=r"cannot resolve the host name nobody\.invalid"):
        ZMQClient(free_port(), host="nobody.invalid", transport_mode=TransportMode.TCP).connect()


def test_a_second_server_on_the_port_is_refused_and_the_first_goes_on(server: ZMQServer, client: ZMQClient) -> None:
    with pytest.raises(PortInUseError, match=str(server.port)):
        ZMQServer(server.port, transport_mode=server.transport_mode, config=QUICK).start()
    assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id


def test_a_foreign_tcp_program_is_named_and_left_alone() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port + 1000)) as foreign:
        with pytest.raises(PortInUseError, match=r"process \d+"):
            ZMQServer(port, transport_mode=TransportMode.TCP).start()
        with pytest.raises(PortInUseError, match=r"process \d+.*choose another port"):
            StartingClient(port, transport_mode=TransportMode.TCP).connect(timeout=5)
        with socket.create_connection(("127.0.0.1", port + 1000)):
            foreign.accept()[0].close()


@pytest.mark.skipif(os.name != "posix", reason="IPC sockets need POSIX")
def test_a_foreign_ipc_program_is_left_alone_and_a_stale_socket_is_not_in_the_way() -> None:
    path = get_ipc_socket_path(8701)
    assert path is not None
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as foreign:
        foreign.bind(str(path))
        foreign.listen()
        with pytest.raises(PortInUseError, match="another program is listening"):
            ZMQServer(7701).start()
        client = StartingClient(7701)
        with pytest.raises(PortInUseError, match="does not answer"):
            client.connect(timeout=5)
        client.disconnect()
        assert path.exists()
    with ZMQServer(7701), ZMQClient(7701):
        pass


def test_nothing_there_and_nothing_to_start_is_a_clear_error(mode: TransportMode) -> None:
    with pytest.raises(ConnectionFailedError, match="no server is listening on"):
        ZMQClient(free_port(), transport_mode=mode).connect()


def test_a_client_starts_an_owned_server_that_ends_with_it(mode: TransportMode) -> None:
    client = StartingClient(free_port(), transport_mode=mode, persistent=False)
    pong = client.connect()
    assert pong.pid != os.getpid()
    client.disconnect()
    assert not ProcessIdentity(pong.pid, pong.process_start).is_running()


def test_an_owned_server_ends_when_its_client_is_killed() -> None:
    code = (
        "import sys; from zmqruntime import ZMQClient\n"
        "class C(ZMQClient): server_target = 'zmqruntime.server:ZMQServer'\n"
        "c = C(7702, persistent=False); s = c.connect(); print(s.pid, s.process_start, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        pid, start = owner.stdout.readline().split()
        server = ProcessIdentity(int(pid), float(start))
        assert server.is_running()
        owner.kill()
        assert server.wait(10)
    path = get_ipc_socket_path(7702)
    assert path is not None
    assert not path.exists()


def test_a_persistent_server_outlives_its_client_and_is_found_by_the_next() -> None:
    with StartingClient(7703) as first:
        pid = first.server.pid
    with StartingClient(7703) as second:
        assert second.server.pid == pid
        second.shutdown_server()
    assert not ProcessIdentity(pid, second.server.process_start).is_running()


def test_a_target_that_names_no_class_is_said() -> None:
    spec = ServerSpec(target="module", port=7777)
    with pytest.raises(ConfigurationError, match="'module' does not name a server class; write module:Class"):
        spec.build()


def test_a_server_that_cannot_start_says_why() -> None:
    client = MisledClient(7705)
    with pytest.raises(ServerStartError, match="NoSuchServer") as caught:
        client.connect()
    assert "cannot find the server class" in caught.value.log_tail
    client.disconnect()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_stopped_server_costs_a_deadline_and_the_next_call_works() -> None:
    with StartingClient(7706, persistent=False) as client:
        os.kill(client.server.pid, signal.SIGSTOP)
        with pytest.raises(RequestTimeoutError, match=r"0\.1 s"):
            client.request(PingRequest(), PongResponse, timeout=0.1)
        os.kill(client.server.pid, signal.SIGCONT)
        assert client.request(PingRequest(), PongResponse).pid == client.server.pid


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_server_that_ends_without_a_reply_has_ended() -> None:
    with StartingClient(7717, persistent=False) as client:
        server = client.server
        os.kill(server.pid, signal.SIGSTOP)  # too busy with ending to answer, for longer than a silence may last
        silent = threading.Event()
        client.on_server_silent = silent.set  # type: ignore[method-assign]
        ending = threading.Thread(target=client.shutdown_server, args=(60,))
        ending.start()
        assert silent.wait(30)
        assert ending.is_alive()
        os.kill(server.pid, signal.SIGCONT)
        ending.join(30)
        assert not ending.is_alive()
        assert not ProcessIdentity(server.pid, server.process_start).is_running()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGSTOP")
def test_a_server_that_is_busy_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqruntime.control_client._PING_SECONDS", 0.1)
    pings: list[Message] = []

    class PatientClient(StartingClient):
        def request(self, message: Message, expect: type[R], timeout: float | None = None) -> R:
            pings.append(message)
            if len(pings) == 3:
                os.kill(owner.server.pid, signal.SIGCONT)
            return super().request(message, expect, timeout)

    with StartingClient(7716, persistent=False) as owner:
        os.kill(owner.server.pid, signal.SIGSTOP)
        with PatientClient(7716) as patient:
            assert patient.server.pid == owner.server.pid
    assert len(pings) >= 3


def test_a_killed_server_is_noticed_and_connect_starts_its_successor() -> None:
    lost, back = threading.Event(), threading.Event()

    class WatchingClient(StartingClient):
        def on_server_lost(self, error: ServerLostError) -> None:
            lost.set()

        def on_server_back(self, is_new: bool) -> None:
            if is_new:
                back.set()

    with WatchingClient(7707, persistent=False, config=QUICK) as client:
        first = client.server
        os.kill(first.pid, signal.SIGKILL)
        assert lost.wait(10)
        assert client.state is ClientState.LOST
        second = client.connect()
        assert back.wait(10)
        assert second.instance_id != first.instance_id
        assert str(client.state.value) == "connected"


def test_a_request_to_a_server_that_dies_fails_as_lost_and_is_not_sent_to_its_successor() -> None:
    with StartingClient(7708, persistent=False, config=QUICK) as client:
        os.kill(client.server.pid, signal.SIGKILL)
        with pytest.raises(ServerLostError, match=str(client.server.pid)):
            client.request(PingRequest(), PongResponse, timeout=10)
        client.connect()
        assert client.request(PingRequest(), PongResponse).pid == client.server.pid


def test_serve_forever_ends_on_sigterm_and_leaves_no_socket(isolated_home: Path) -> None:
    code = "from zmqruntime import ZMQServer; ZMQServer(7709).serve_forever(lambda: print('up', flush=True))"
    for number in (signal.SIGTERM, signal.SIGINT):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            process.send_signal(number)
            assert process.wait(10) == 0
