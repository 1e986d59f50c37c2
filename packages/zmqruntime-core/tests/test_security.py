"""Who may talk: keys, strangers, what is on the wire."""

import contextlib
import os
import re
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from zmqruntime import (
    ConfigurationError,
    ControlClient,
    ExecuteRequest,
    KeyMismatchError,
    KeyStore,
    PongResponse,
    PortInUseError,
    RequestRefusedError,
    Security,
    TransportMode,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
)
from zmqruntime.codec import encode
from zmqruntime.messages import AcceptedResponse, PingRequest

HERE = ZMQConfig(heartbeat_interval=0.1)
ELSEWHERE = ZMQConfig(app_name="elsewhere", heartbeat_interval=0.1)
"""Another home folder, as that of another user or machine."""
OPEN = ZMQConfig(security=Security.NONE)
SECRET_TEXT = b"the plain text of a submission"


@pytest.fixture
def port() -> int:
    """One whose control port is free too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            found = int(first.getsockname()[1])
            if found < 64_000 and second.connect_ex(("127.0.0.1", found + 1000)):
                return found


@pytest.fixture
def server(port: int) -> Iterator[ZMQServer]:
    with ZMQServer(port, transport_mode=TransportMode.TCP, config=HERE) as server:
        yield server


def test_a_new_public_key_can_be_typed_as_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([(b"-" + b"a" * 39, b"b" * 40), (b"c" * 40, b"d" * 40)])
    monkeypatch.setattr(zmq, "curve_keypair", lambda: next(drawn))
    assert KeyStore(HERE).server().public == b"c" * 40


class Wiretap:
    """Passes a TCP connection on to another port and keeps all that goes by."""

    def __init__(self, port: int) -> None:
        self.seen = bytearray()
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                near = self._listener.accept()[0]
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [near, far]
            for pair in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pump, args=pair))
                self._threads[-1].start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def test_keys_are_made_once_and_only_this_user_can_read_them() -> None:
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.append(KeyStore(HERE).server().public)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1
    folder = KeyStore(HERE).folder
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for path in folder.glob("*.key*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyStore(HERE).client() == KeyStore(HERE).client() != KeyStore(HERE).server()


def test_admit_trust_and_forget() -> None:
    here, there = KeyStore(HERE), KeyStore(ELSEWHERE)
    public = there.client().public
    assert not here.is_admitted(public)
    here.admit("laptop", public)
    assert here.is_admitted(public)
    assert here.admitted() == {"laptop": public}
    assert here.forget("laptop")
    assert not here.forget("laptop")
    assert not here.is_admitted(public)
    assert not here.is_admitted(b"")
    for name, key in (("../evil", public), ("laptop", b"short")):
        with pytest.raises(ConfigurationError):
            here.admit(name, key)
    there.trust("lab-server", here.server().public)
    assert there.server_key_for("lab-server", 7777, is_local=False) == here.server().public
    with pytest.raises(ConfigurationError, match="identity cannot be verified"):
        there.server_key_for("other-server", 7777, is_local=False)


def test_a_damaged_key_file_admits_nobody() -> None:
    store = KeyStore(HERE)
    store.admit("laptop", KeyStore(ELSEWHERE).client().public)
    (store.folder / "clients" / "laptop.key").write_bytes(b"\xff\xfe rubbish")
    assert not store.is_admitted(KeyStore(ELSEWHERE).client().public)
    (store.folder / "server.key_secret").write_text("curve\n")
    with pytest.raises(ConfigurationError, match="delete it"):
        store.server()


def test_the_same_user_is_admitted_without_further_ado(server: ZMQServer) -> None:
    with ZMQClient(server.port, transport_mode=TransportMode.TCP, config=HERE) as client:
        assert client.server.instance_id == server.instance_id


def test_another_user_gets_nothing_until_keys_were_exchanged(server: ZMQServer) -> None:
    stranger = ZMQClient(server.port, transport_mode=TransportMode.TCP, config=ELSEWHERE)
    with pytest.raises(KeyMismatchError, match="has another key than the one trusted here"):
        stranger.connect(timeout=20)
    KeyStore(ELSEWHERE).trust("127.0.0.1", KeyStore(HERE).server().public)
    with pytest.raises(KeyMismatchError, match="does not know this client's key"):
        stranger.connect(timeout=20)
    KeyStore(HERE).admit("stranger", KeyStore(ELSEWHERE).client().public)
    with ZMQClient(server.port, transport_mode=TransportMode.TCP, config=ELSEWHERE) as known:
        assert known.server.instance_id == server.instance_id
    stranger.disconnect()


def test_a_client_without_encryption_gets_nothing_and_costs_nothing(server: ZMQServer) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger, context.socket(zmq.SUB) as listener:
        for sock, port in ((stranger, server.control_port), (listener, server.port)):
            sock.linger = 0
            sock.connect(f"tcp://127.0.0.1:{port}")
        listener.subscribe(b"")
        stranger.send_multipart([b"", encode(PingRequest())])
        with ZMQClient(server.port, transport_mode=TransportMode.TCP, config=HERE) as client:
            assert client.request(PingRequest(), PongResponse).instance_id == server.instance_id
        assert not stranger.poll(300)
        assert not listener.poll(0)


def test_a_server_with_the_wrong_key_is_not_talked_to(server: ZMQServer) -> None:
    KeyStore(HERE).trust("127.0.0.1", KeyStore(ELSEWHERE).server().public)
    with pytest.raises(KeyMismatchError, match=r"another key than the one trusted here, in .*127\.0\.0\.1\.key"):
        ZMQClient(server.port, transport_mode=TransportMode.TCP, config=HERE).connect(timeout=20)


def test_a_refused_key_is_said_at_once_with_the_call_that_admits_it(server: ZMQServer) -> None:
    KeyStore(ELSEWHERE).trust("127.0.0.1", KeyStore(HERE).server().public)
    public = KeyStore(ELSEWHERE).client().public.decode()
    with pytest.raises(KeyMismatchError, match=rf"does not know this client's key: .*{re.escape(public)}"):
        ControlClient(server.port, transport_mode=TransportMode.TCP, config=ELSEWHERE).connect(timeout=20)


@pytest.mark.parametrize(
    ("served", "asked", "text"), [(OPEN, HERE, "has no encryption"), (HERE, OPEN, "is encrypted, and this client")]
)
def test_encryption_on_one_side_only_is_said_at_once(port: int, served: ZMQConfig, asked: ZMQConfig, text: str) -> None:
    with ZMQServer(port, transport_mode=TransportMode.TCP, config=served), pytest.raises(KeyMismatchError, match=text):
        ZMQClient(port, transport_mode=TransportMode.TCP, config=asked).connect(timeout=20)


def test_a_tunnel_with_nothing_behind_it_is_not_taken_for_a_wrong_key(port: int) -> None:
    with socket.create_server(("127.0.0.1", port + 1000)) as listener:

        def close_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        closing = threading.Thread(target=close_all)
        closing.start()
        try:
            with pytest.raises(PortInUseError, match="is taken") as failed:
                ControlClient(port, transport_mode=TransportMode.TCP, config=HERE).connect(timeout=1)
            assert not isinstance(failed.value, KeyMismatchError)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            closing.join()


def test_a_key_that_is_not_bytes_is_said_in_words() -> None:
    with pytest.raises(TypeError, match=r"a public key is bytes, not str: write b'\.\.\.', or call key\.encode\(\)"):
        KeyStore(HERE).admit("laptop", "x" * 40)  # type: ignore[arg-type]


def test_a_server_whose_key_is_not_known_is_said_and_leaves_nothing_open(isolated_home: Path) -> None:
    for _ in range(3):
        with pytest.raises(ConfigurationError, match=r"203\.0\.113\.1 is unknown"):
            ZMQClient(7777, host="203.0.113.1", config=HERE).connect(timeout=1)


@pytest.mark.parametrize("security", list(Security))
def test_the_text_of_a_submission_is_on_the_wire_only_without_encryption(port: int, security: Security) -> None:
    config = HERE if security is Security.CURVE else OPEN
    with ZMQServer(port, transport_mode=TransportMode.TCP, config=config) as server:
        tap = Wiretap(server.control_port)
        try:
            client = ZMQClient(tap.port - 1000, transport_mode=TransportMode.TCP, config=config)
            request = ExecuteRequest(submission_id="0123456789", payload=SECRET_TEXT)
            with client, pytest.raises(RequestRefusedError):
                client.request(request, AcceptedResponse)
        finally:
            tap.close()
    assert len(tap.seen) > 100
    assert (SECRET_TEXT in tap.seen) is (security is Security.NONE)


def test_another_users_socket_folder_is_refused(isolated_home: Path) -> None:
    if os.name != "posix" or os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    folder = isolated_home / ".zmqruntime" / "ipc"
    folder.mkdir(parents=True)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        ZMQServer(7777).start()
