"""Server and client in two network namespaces, as on two machines: whose key is answered, and what is on the wire."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zmq

from zmqruntime import (
    ConfigurationError,
    KeyStore,
    Message,
    PortInUseError,
    Security,
    Vocabulary,
    ZMQClient,
    ZMQConfig,
    ZMQServer,
)

PORT = 7811
CONFIG = ZMQConfig(request_timeout=20)
OPEN = ZMQConfig(request_timeout=20, security=Security.NONE)
SECRET = "the cells of patient 4711"
ALL_FRAMES = 3  # ETH_P_ALL of Linux: everything that crosses the device
SERVE = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
from test_two_machines import CONFIG, OPEN, PORT, KeyStore, NoteServer
host, security, client = sys.argv[1:]
if security == "curve":
    KeyStore(CONFIG).admit("laptop", client.encode())
    print(KeyStore(CONFIG).server().public.decode(), flush=True)
server = NoteServer(PORT, host=host, config=CONFIG if security == "curve" else OPEN)
server.serve_forever(lambda: print("up", flush=True))
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("ip") is None, reason="needs the command ip of Linux"
)


class Note(Message, frozen=True, tag="note"):
    """Text that nobody else should read; the reply repeats it."""

    text: str


NOTES = Vocabulary(requests=(Note,), replies=(Note,))


class NoteServer(ZMQServer):
    """Repeats notes."""

    vocabulary = NOTES

    def handle_request(self, request: Message) -> Message:
        return request if isinstance(request, Note) else super().handle_request(request)


class NoteClient(ZMQClient):
    """Sends notes."""

    vocabulary = NOTES


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass(frozen=True)
class Cable:
    """A network of two: this namespace, and another one with the server."""

    namespace: str
    device: str
    near: str
    far: str


@contextlib.contextmanager
def laid_cable() -> Iterator[Cable]:
    number = os.getpid() % 60_000
    network = f"10.214.{number // 250}.{4 * (number % 60)}".rpartition(".")
    near, far = (f"{network[0]}.{int(network[2]) + place}" for place in (1, 2))
    cable = Cable(f"zrc{number}", f"zrc{number}a", near, far)
    inside = f"zrc{number}b"
    ip("netns", "add", cable.namespace)
    try:
        ip("link", "add", cable.device, "type", "veth", "peer", "name", inside, "netns", cable.namespace)
        ip("address", "add", f"{cable.near}/30", "dev", cable.device)
        ip("-n", cable.namespace, "address", "add", f"{cable.far}/30", "dev", inside)
        ip("link", "set", cable.device, "up")
        ip("-n", cable.namespace, "link", "set", inside, "up")
        yield cable
    finally:
        ip("netns", "delete", cable.namespace)  # and with it both ends of the cable


@pytest.fixture
def cable() -> Iterator[Cable]:
    with contextlib.ExitStack() as stack:
        try:
            made = stack.enter_context(laid_cable())
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"cannot make a network namespace, for which one has to be root: {error}")
        yield made


@pytest.fixture
def serve(cable: Cable, tmp_path: Path) -> Iterator[Callable[[Security], bytes]]:
    """Starts the server on the other machine, with a home of its own, and returns its public key."""
    with contextlib.ExitStack() as stack:

        def start(security: Security) -> bytes:
            client = KeyStore(CONFIG).client().public.decode()
            command = [sys.executable, "-c", SERVE, cable.far, security, client]
            environment = {**os.environ, "HOME": str(tmp_path)}
            inside = ["ip", "netns", "exec", cable.namespace, *command]
            process = stack.enter_context(subprocess.Popen(inside, stdout=subprocess.PIPE, text=True, env=environment))
            stack.callback(process.terminate)
            assert process.stdout is not None
            key = process.stdout.readline().strip() if security is Security.CURVE else ""
            assert process.stdout.readline() == "up\n"
            return key.encode()

        yield start


@contextlib.contextmanager
def overheard(cable: Cable) -> Iterator[Callable[[], bytes]]:
    """A third party on the cable, which can say everything that it has heard so far."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_FRAMES)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        ear.bind((cable.device, 0))
        ear.setblocking(False)

        def heard() -> bytes:
            frames = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    frames.append(ear.recv(65536))
            return b"".join(frames)

        yield heard


@pytest.mark.parametrize("security", list(Security))
def test_a_note_crosses_the_network_encrypted_unless_that_is_switched_off(
    cable: Cable, serve: Callable[[Security], bytes], security: Security
) -> None:
    key = serve(security)
    if security is Security.CURVE:
        KeyStore(CONFIG).trust(cable.far, key)
    config = CONFIG if security is Security.CURVE else OPEN
    with overheard(cable) as heard, NoteClient(PORT, host=cable.far, config=config) as client:
        assert client.request(Note(text=SECRET), Note).text == SECRET
        on_the_wire = heard()
    assert len(on_the_wire) > 500
    assert (SECRET.encode() in on_the_wire) is (security is Security.NONE)


def test_a_wrong_key_of_either_side_is_refused_and_nothing_of_the_request_is_sent(
    cable: Cable, serve: Callable[[Security], bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = serve(Security.CURVE)
    client = NoteClient(PORT, host=cable.far, config=CONFIG)
    with pytest.raises(ConfigurationError, match=rf"the key of the server on {cable.far} is unknown"):
        client.connect(2)
    wrong_key, _ = zmq.curve_keypair()
    with overheard(cable) as heard:
        KeyStore(CONFIG).trust(cable.far, wrong_key)
        with pytest.raises(PortInUseError):
            NoteClient(PORT, host=cable.far, config=CONFIG).connect(2)
        monkeypatch.setenv("HOME", str(tmp_path / "a stranger"))  # has another key of its own, which is not admitted
        KeyStore(CONFIG).trust(cable.far, key)
        with pytest.raises(PortInUseError):
            NoteClient(PORT, host=cable.far, config=CONFIG).connect(2)
        on_the_wire = heard()
    assert b"CURVE" in on_the_wire  # the handshake began
    assert b"ping" not in on_the_wire
