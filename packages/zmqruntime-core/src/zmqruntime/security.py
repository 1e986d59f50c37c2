"""Access over TCP: CURVE keys of servers and clients, generated on first use and readable only by this user.

Anyone who can submit a task can run code as the server's user, so a server answers only clients whose key it knows, and
a client talks only to servers whose key it knows (CurveZMQ, RFC 26; keys are checked by ZAP, RFC 27). Servers and
clients that share a home folder know each other. Keys for another machine are exchanged once, by hand:

    keys/server.key            the server's public key, for clients on other machines
    keys/client.key            the client's public key, for servers on other machines
    keys/*.key_secret          the secret keys; they never leave this folder
    keys/clients/<name>.key    other clients that our servers answer
    keys/servers/<name>.key    servers on other machines, as <host> or <host>-<port>
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.lock import FileLock
from zmqruntime.loop import SocketLoop
from zmqruntime.transport import prepare_private_dir

__all__ = ["ClientCheck", "KeyPair", "KeyStore"]

_ZAP_URL = "inproc://zeromq.zap.01"
_ZAP_VERSION = b"1.0"
_LOCK_SECONDS = 10.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,100}")
_Z85_KEY = re.compile(rb"[0-9a-zA-Z.\-:+=^!/*?&<>()\[\]{}@%$#]{40}")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A CURVE key pair, each key as 40 characters of Z85."""

    public: bytes
    secret: bytes


class KeyStore:
    """The keys in the home folder of one application.

    Raises:
        ConfigurationError: this build of ZeroMQ does not support CURVE, or the folder cannot be made private.
    """

    def __init__(self, config: ZMQConfig) -> None:
        if not zmq.has("curve"):
            raise ConfigurationError(
                "this build of libzmq does not support CURVE encryption; install the pyzmq wheel, or use IPC"
            )
        self.folder = config.home / "keys"

    def server(self) -> KeyPair:
        """Return the key pair of our servers, generating it if necessary."""
        return self._own("server")

    def client(self) -> KeyPair:
        """Return the key pair of our clients, generating it if necessary."""
        return self._own("client")

    def is_admitted(self, public: bytes) -> bool:
        """Return whether our servers answer a client with this key: our own clients and admitted ones."""
        known = [self.folder / "client.key", *self._listed("clients").values()]
        return public in {_read_public(path) for path in known} - {b""}

    def admit(self, name: str, public: bytes) -> None:
        """Let our servers answer a client; takes effect immediately, even for running servers.

        Raises:
            ConfigurationError: the name cannot be used, or the key is not one.
            TypeError: the key is not bytes, or the name is not text.
        """
        self._write("clients", name, public)

    def trust(self, name: str, public: bytes) -> None:
        """Let our clients talk to a server on another machine; ``name`` is its host, or ``host-port``.

        Raises:
            ConfigurationError: the name cannot be used, or the key is not one.
            TypeError: the key is not bytes, or the name is not text.
        """
        self._write("servers", name, public)

    def forget(self, name: str) -> bool:
        """Undo ``admit`` or ``trust``; return False if there is no such name. Open connections are not closed."""
        found = [path for kind in ("clients", "servers") if (path := self._listed(kind).get(name)) is not None]
        for path in found:
            path.unlink(missing_ok=True)
        return bool(found)

    def admitted(self) -> dict[str, bytes]:
        """Return the admitted clients by name."""
        return {name: _read_public(path) for name, path in self._listed("clients").items()}

    def trusted(self) -> dict[str, bytes]:
        """Return the servers on other machines that our clients talk to, by name."""
        return {name: _read_public(path) for name, path in self._listed("servers").items()}

    def server_key_for(self, host: str, port: int, *, is_local: bool) -> bytes:
        """Return the public key that the server at an address must have.

        Raises:
            ConfigurationError: it is not known; the message says how to exchange keys.
        """
        file = self.server_key_file(host, port)
        if file.parent != self.folder:
            return _read_public(file)
        if is_local:
            return self.server().public
        raise ConfigurationError(
            f"the key of the server on {host} is unknown, so its identity cannot be verified; copy keys/server.key "
            f"from its home folder to {self.folder / 'servers' / host}.key, and our {self.folder / 'client.key'} to "
            "its keys/clients/"
        )

    def server_key_file(self, host: str, port: int) -> Path:
        """Return the file with the key that the server at an address must have: a trusted one, or that of our own."""
        listed = self._listed("servers")
        names = (name for name in (f"{host}-{port}", host) if name in listed)
        name = next(names, None)
        return self.folder / "server.key" if name is None else listed[name]

    def _own(self, name: str) -> KeyPair:
        secret_file = self.folder / f"{name}.key_secret"
        if not secret_file.is_file():
            self._make(name)
        public, secret = _read_key(secret_file, "public"), _read_key(secret_file, "secret")
        if not public or not secret:
            raise ConfigurationError(f"{secret_file} does not contain a key; delete it to generate a new pair")
        return KeyPair(public, secret)

    def _make(self, name: str) -> None:
        prepare_private_dir(self.folder)
        lock = FileLock(self.folder / "lock")
        if not lock.acquire(_LOCK_SECONDS):
            raise ConfigurationError(
                f"another process has been generating keys in {self.folder} for more than {_LOCK_SECONDS:g} s"
            )
        try:
            if not (self.folder / f"{name}.key_secret").is_file():
                public, secret = _new_pair()
                _write_keys(self.folder / f"{name}.key", public=public)
                _write_keys(self.folder / f"{name}.key_secret", public=public, secret=secret)
        finally:
            lock.release()

    def _write(self, kind: str, name: str, public: bytes) -> None:
        if not isinstance(public, bytes):
            raise TypeError(f"a public key is bytes, not {type(public).__name__}: write b'...', or call key.encode()")
        if not isinstance(name, str):
            raise TypeError(f"the name of a key is text, not {type(name).__name__}: write '...'")
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} is not a valid name for a key; use letters, digits, dots and dashes")
        if not _Z85_KEY.fullmatch(public):
            raise ConfigurationError("a public key is 40 characters of Z85, as after 'public-key =' in a .key file")
        _write_keys(prepare_private_dir(prepare_private_dir(self.folder) / kind) / f"{name}.key", public=public)

    def _listed(self, kind: str) -> dict[str, Path]:
        folder = self.folder / kind
        return {path.stem: path for path in sorted(folder.glob("*.key"))} if folder.is_dir() else {}


class ClientCheck:
    """The ZAP handler that decides, on the loop's thread, whether a connecting client may talk to this server.

    A client that may not gets no reply, and its connection is closed before it can send a message.
    """

    def __init__(
        self, context: "zmq.Context[zmq.Socket[bytes]]", loop: SocketLoop, is_admitted: Callable[[bytes], bool]
    ) -> None:
        self._is_admitted = is_admitted
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(_ZAP_URL)
        loop.add_reader(self._socket, self._answer)

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()

    def _answer(self) -> None:
        _, number, _, _, _, mechanism, *credentials = self._socket.recv_multipart()
        public = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        status = (b"200", b"") if public and self._is_admitted(public) else (b"400", b"this key is not known here")
        self._socket.send_multipart([_ZAP_VERSION, number, *status, b"", b""])


def _new_pair() -> tuple[bytes, bytes]:
    """Generate a public and a secret key; the public key does not look like a command-line option."""
    while True:
        public, secret = zmq.curve_keypair()
        if not public.startswith(b"-"):
            return public, secret


def _read_public(path: Path) -> bytes:
    return _read_key(path, "public")


def _read_key(path: Path, half: str) -> bytes:
    """Read a key from a file in the format of ZeroMQ tools (ZPL, RFC 4); return b"" if there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return b""
    found = re.search(rf'^\s*{half}-key\s*=\s*"([^"]+)"', text, re.MULTILINE)
    return found[1].encode() if found and _Z85_KEY.fullmatch(found[1].encode()) else b""


def _write_keys(path: Path, **halves: bytes) -> None:
    """Write the file atomically, readable only by this user from the start."""
    lines = "".join(f'    {half}-key = "{key.decode()}"\n' for half, key in halves.items())
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(f"curve\n{lines}")
    unfinished.replace(path)
