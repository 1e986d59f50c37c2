"""Locating a port: URLs, socket files, and whether anything is listening there."""

import os
import socket
from pathlib import Path

from zmqruntime.config import TransportMode, ZMQConfig
from zmqruntime.exceptions import ConfigurationError

__all__ = [
    "choose_transport_mode",
    "get_default_transport_mode",
    "get_ipc_socket_path",
    "get_zmq_transport_url",
    "is_known_host",
    "is_listening",
    "make_private",
    "prepare_private_dir",
    "prepare_private_file",
    "remove_ipc_socket",
]

LOOPBACK = "127.0.0.1"
_MAX_SOCKET_PATH_BYTES = 103  # sun_path holds 104 bytes on macOS, 108 on Linux, including the terminating null byte


def get_default_transport_mode() -> TransportMode:
    """Return IPC if the platform supports it, otherwise TCP."""
    return TransportMode.IPC if hasattr(socket, "AF_UNIX") and os.name == "posix" else TransportMode.TCP


def choose_transport_mode(mode: TransportMode | None, host: str | None = None) -> TransportMode:
    """Return the requested mode; by default TCP if a host is given, otherwise the platform's default.

    Raises:
        ConfigurationError: the mode is unknown.
    """
    if mode is None:
        return TransportMode.TCP if host else get_default_transport_mode()
    if mode not in set(TransportMode):
        raise ConfigurationError(f"unknown transport_mode {mode!r}; choose {' or '.join(TransportMode)}")
    return TransportMode(mode)


def get_ipc_socket_path(port: int, config: ZMQConfig | None = None) -> Path | None:
    """Return the socket file of ``port``, or None on a platform without IPC.

    Raises:
        ConfigurationError: the path is too long for a socket address.
    """
    if get_default_transport_mode() is not TransportMode.IPC:
        return None
    config = config or ZMQConfig()
    name = f"{config.ipc_socket_prefix}-{port}{config.ipc_socket_extension}"
    path = config.home / config.ipc_socket_dir / name
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise ConfigurationError(
            f"the socket path {path} is longer than {_MAX_SOCKET_PATH_BYTES} bytes, the limit of a socket address; use "
            "a shorter home folder or app_name, or TCP: transport_mode=TransportMode.TCP, on a command line --host"
        )
    return path


def get_zmq_transport_url(
    port: int,
    host: str = "localhost",
    mode: TransportMode | None = None,
    config: ZMQConfig | None = None,
) -> str:
    """Return the ZeroMQ URL of ``port``.

    Raises:
        ConfigurationError: the port is out of range, or IPC is requested on a platform without it.
    """
    if not 0 < port < 65536:
        offset = (config or ZMQConfig()).control_port_offset
        raise ConfigurationError(
            f"port {port} is not between 1 and 65535 (a control port is its data port plus {offset})"
        )
    if (mode or get_default_transport_mode()) is TransportMode.TCP:
        name = LOOPBACK if host == "localhost" else host
        return f"tcp://[{name}]:{port}" if ":" in name else f"tcp://{name}:{port}"
    path = get_ipc_socket_path(port, config)
    if path is None:
        raise ConfigurationError("this platform does not support IPC sockets; use transport_mode=TransportMode.TCP")
    return f"ipc://{path}"


def remove_ipc_socket(port: int, config: ZMQConfig | None = None) -> bool:
    """Remove the socket file of ``port`` if nothing is listening on it; return whether one was removed."""
    path = get_ipc_socket_path(port, config)
    if path is None or not path.is_socket() or is_listening(port, LOOPBACK, TransportMode.IPC, config):
        return False
    path.unlink(missing_ok=True)
    return True


def is_listening(
    port: int, host: str, mode: TransportMode, config: ZMQConfig | None = None, timeout: float = 1.0
) -> bool:
    """Return whether any program accepts connections there now, without sending anything."""
    address: str | tuple[str, int]
    if mode is TransportMode.IPC:
        path = get_ipc_socket_path(port, config)
        if path is None or not path.exists():
            return False
        family, address = socket.AF_UNIX, str(path)
    else:
        name = LOOPBACK if host == "localhost" else host
        family, address = (socket.AF_INET6 if ":" in name else socket.AF_INET), (name, port)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(address)
        except BlockingIOError:
            return True  # a listener is behind with accepting; without one a socket file refuses at once
        except TimeoutError:
            return is_loopback(host)  # loopback loses nothing, and a port without a listener refuses at once
        except OSError:
            return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether an address is a loopback address."""
    return host in ("localhost", "::1") or host.startswith("127.")


def is_known_host(host: str) -> bool:
    """Return whether this machine can resolve a host name; queries the network if necessary."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def prepare_private_dir(path: Path) -> Path:
    """Create the folder ``path`` if necessary, and make it accessible only to this user.

    Raises:
        ConfigurationError: it cannot be created, or belongs to another user.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            if path.stat().st_uid != os.getuid():
                raise ConfigurationError(f"{path} belongs to another user; remove it or set another app_name")
            path.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"cannot create the folder {path}: {error.strerror or error}; set HOME to a folder that you can write to"
        ) from error
    return path


def make_private(folder: Path) -> None:
    """Remove all permissions of other users from the contents of a folder, recursively where they had any."""
    if os.name != "posix":
        return
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if not mode & 0o077 or path.is_symlink():
            continue
        path.chmod(0o700 if path.is_dir() else 0o600)
        if path.is_dir():
            make_private(path)


def prepare_private_file(path: Path) -> None:
    """Create ``path`` as a file that only this user can read, in a folder that only this user can enter.

    Other users also lose their permissions for existing files whose names start with this one's.

    Raises:
        ConfigurationError: the folder cannot be created, or belongs to another user.
        OSError: the file cannot be created.
    """
    prepare_private_dir(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    for part in path.parent.glob(f"{path.name}*"):
        part.chmod(0o600)
