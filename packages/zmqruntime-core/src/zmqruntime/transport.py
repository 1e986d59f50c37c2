"""Where a port is found: URLs, socket files, and whether anything listens there."""

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
_MAX_SOCKET_PATH_BYTES = 103  # sun_path holds 104 bytes on macOS, 108 on Linux, with the closing zero


def get_default_transport_mode() -> TransportMode:
    """IPC where the platform has it, else TCP."""
    return TransportMode.IPC if hasattr(socket, "AF_UNIX") and os.name == "posix" else TransportMode.TCP


def choose_transport_mode(mode: TransportMode | None, host: str | None = None) -> TransportMode:
    """The one that is asked for, else TCP where a host is named, else what the platform has.

    Raises:
        ConfigurationError: there is no such mode.
    """
    if mode is None:
        return TransportMode.TCP if host else get_default_transport_mode()
    if mode not in set(TransportMode):
        raise ConfigurationError(f"{mode!r} is no transport_mode (these are: {', '.join(TransportMode)})")
    return TransportMode(mode)


def get_ipc_socket_path(port: int, config: ZMQConfig | None = None) -> Path | None:
    """The socket file of ``port``, or None on a platform without IPC.

    Raises:
        ConfigurationError: the path is longer than a socket address can be.
    """
    if get_default_transport_mode() is not TransportMode.IPC:
        return None
    config = config or ZMQConfig()
    name = f"{config.ipc_socket_prefix}-{port}{config.ipc_socket_extension}"
    path = config.home / config.ipc_socket_dir / name
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise ConfigurationError(
            f"the socket path {path} is longer than the {_MAX_SOCKET_PATH_BYTES} bytes that a socket address holds; "
            "use a shorter home folder or app_name, or TCP: transport_mode=TransportMode.TCP, on a command line --host"
        )
    return path


def get_zmq_transport_url(
    port: int,
    host: str = "localhost",
    mode: TransportMode | None = None,
    config: ZMQConfig | None = None,
) -> str:
    """The ZeroMQ URL of ``port``.

    Raises:
        ConfigurationError: the port is out of range, or IPC is asked for where there is none.
    """
    if not 0 < port < 65536:
        offset = (config or ZMQConfig()).control_port_offset
        raise ConfigurationError(
            f"port {port} is not between 1 and 65535 (a control port is {offset} higher than its data port)"
        )
    if (mode or get_default_transport_mode()) is TransportMode.TCP:
        name = LOOPBACK if host == "localhost" else host
        return f"tcp://[{name}]:{port}" if ":" in name else f"tcp://{name}:{port}"
    path = get_ipc_socket_path(port, config)
    if path is None:
        raise ConfigurationError("this platform has no IPC sockets; use transport_mode=TransportMode.TCP")
    return f"ipc://{path}"


def remove_ipc_socket(port: int, config: ZMQConfig | None = None) -> bool:
    """Remove the socket file of ``port`` if nothing listens on it; True if one was removed."""
    path = get_ipc_socket_path(port, config)
    if path is None or not path.is_socket() or is_listening(port, LOOPBACK, TransportMode.IPC, config):
        return False
    path.unlink(missing_ok=True)
    return True


def is_listening(
    port: int, host: str, mode: TransportMode, config: ZMQConfig | None = None, timeout: float = 1.0
) -> bool:
    """Whether any program, ours or not, accepts connections there now. Sends nothing."""
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
            return True  # somebody listens who is behind with accepting: a socket file then refuses at once
        except TimeoutError:
            return is_loopback(host)  # where nothing is lost, and who does not listen refuses at once
        except OSError:
            return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address is of this machine alone."""
    return host in ("localhost", "::1") or host.startswith("127.")


def is_known_host(host: str) -> bool:
    """Whether this machine can tell the address of a host; asks the network if need be."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def prepare_private_dir(path: Path) -> Path:
    """Make ``path`` a folder that only this user can enter.

    Raises:
        ConfigurationError: it cannot be made, or belongs to another user.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix":
            if path.stat().st_uid != os.getuid():
                raise ConfigurationError(f"{path} belongs to another user; remove it or set another app_name")
            path.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make the folder {path}: {error.strerror or error}; set HOME to a folder that you can write"
        ) from error
    return path


def make_private(folder: Path) -> None:
    """Take the rights of others from all that is in a folder, if any of it shows that it was open to them once."""
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
    """Make ``path`` a file that only this user can read, in a folder that only this user can enter.

    What is there already, also with names that go on after this one's, loses the rights that others have.

    Raises:
        ConfigurationError: the folder cannot be made, or belongs to another user.
        OSError: the file cannot be made.
    """
    prepare_private_dir(path.parent)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    for part in path.parent.glob(f"{path.name}*"):
        part.chmod(0o600)
