"""Why a server closes each connection during the handshake, as libzmq and the server's greeting tell it."""

import enum
import socket
import time
from collections import deque
from typing import Final

import zmq

from zmqruntime.address import Address
from zmqruntime.config import TransportMode
from zmqruntime.exceptions import KeyMismatchError
from zmqruntime.security import KeyStore

__all__ = ["HANDSHAKE_FAILURES", "Handshakes", "Refusal", "refused"]

HANDSHAKE_FAILURES: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_CLOSED_TIMES = 3
_CLOSED_SECONDS = 3.0  # shorter than the time after which a busy server gives up on a handshake
_GREETING_SECONDS = 1.0
_GREETING_BYTES = 64
_MECHANISM = slice(12, 32)


class Refusal(enum.Enum):
    """What does not match between a client and a server."""

    CLIENT_KEY = enum.auto()
    """The server does not know the client's key."""
    SERVER_KEY = enum.auto()
    """The server does not have the key that the client trusts."""
    SERVER_IS_OPEN = enum.auto()
    """The client wants encryption, and the server has none."""
    CLIENT_IS_OPEN = enum.auto()
    """The server wants encryption, and the client has none."""


class Handshakes:
    """The failed handshakes of one client's socket.

    A server that cannot read the first message of a client, because it was encrypted for another key, closes the
    connection without a word (CurveZMQ, RFC 26). So does a tunnel with nothing behind it, which sends no greeting.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._closed: deque[float] = deque(maxlen=_CLOSED_TIMES)

    def refusal(self, event: int, value: int) -> Refusal | None:
        """Note a failed handshake; return its reason if it is certain.

        Args:
            event: one of ``HANDSHAKE_FAILURES``.
            value: the value of the event: an error number, or the status of the authentication.
        """
        if self._address.transport_mode is TransportMode.IPC:
            return None
        match event:
            case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return Refusal.CLIENT_KEY if value == 400 else None
            case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
                is_mismatch = value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH
                return Refusal.SERVER_IS_OPEN if is_mismatch and self._address.is_encrypted else None
        return self._closed_again(time.monotonic())

    def _closed_again(self, now: float) -> Refusal | None:
        self._closed.append(now)
        if len(self._closed) < _CLOSED_TIMES or now - self._closed[0] > _CLOSED_SECONDS:
            return None
        self._closed.clear()
        match _mechanism(self._address), self._address.is_encrypted:
            case b"CURVE", True:
                return Refusal.SERVER_KEY
            case b"CURVE", False:
                return Refusal.CLIENT_IS_OPEN
            case b"NULL", True:
                return Refusal.SERVER_IS_OPEN
        return None


def _mechanism(address: Address) -> bytes:
    """Begin a greeting (ZMTP 3.1, RFC 37) and return the server's security mechanism; b"" if there is no answer."""
    begin = b"\xff" + bytes(8) + b"\x7f\x03\x01"  # signature and version
    found = b""
    try:
        with socket.create_connection((address.host, address.control_port), _GREETING_SECONDS) as sock:
            sock.sendall(begin)
            while len(found) < _GREETING_BYTES and (data := sock.recv(_GREETING_BYTES - len(found))):
                found += data
    except OSError:
        return b""
    return found[_MECHANISM].rstrip(b"\0")


def refused(address: Address, refusal: Refusal) -> KeyMismatchError:
    """Return the error to raise when a server refuses every connection of this client."""
    server = f"the server on {address.control_url}"
    match refusal:
        case Refusal.CLIENT_KEY:
            public = KeyStore(address.config).client().public.decode()
            return KeyMismatchError(
                f"{server} does not know this client's key: admit it there, with KeyStore.admit(NAME, b'{public}') or "
                f"zmqruntime keys admit --app {address.config.app_name} -- NAME '{public}'"
            )
        case Refusal.SERVER_KEY:
            file = KeyStore(address.config).server_key_file(address.host, address.port)
            return KeyMismatchError(
                f"{server} has another key than the one trusted here, in {file}: compare it with keys/server.key "
                "in the home folder of the server; if that one is right, store it here with KeyStore.trust(HOST, KEY) "
                "or zmqruntime keys trust"
            )
        case Refusal.SERVER_IS_OPEN:
            return KeyMismatchError(
                f"{server} has no encryption, and this client wants it: use the same security= in both ZMQConfig"
            )
        case Refusal.CLIENT_IS_OPEN:
            return KeyMismatchError(
                f"{server} is encrypted, and this client is not: use the same security= in both ZMQConfig"
            )
