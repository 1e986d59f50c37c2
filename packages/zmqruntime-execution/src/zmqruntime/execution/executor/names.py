"""Names of executors: each has a server of its own, on a port that is the same for every program of the user."""

import hashlib
import re
from pathlib import Path

import msgspec

from zmqruntime.config import ZMQConfig
from zmqruntime.exceptions import ConfigurationError
from zmqruntime.lock import FileLock
from zmqruntime.transport import prepare_private_dir

__all__ = ["check_name", "known_names", "port_of"]

_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_FIRST = 12_000
_BLOCK = 1000
_BLOCKS = 4  # of data ports, which alternate with their control ports
_LOCK_SECONDS = 10.0


def check_name(name: str) -> None:
    """Check the name of an executor.

    Raises:
        ConfigurationError: It is not one.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of an executor: use 1 to 64 letters, digits, dots, dashes and underscores"
        )


def port_of(name: str, config: ZMQConfig) -> int:
    """Return the data port of an executor's server; a new name gets one that no other name has.

    Raises:
        ConfigurationError: The file of names cannot be read, or there are too many names.
    """
    check_name(name)
    folder = prepare_private_dir(config.home / "executors")
    lock = FileLock(folder / "names.lock")
    if not lock.acquire(timeout=_LOCK_SECONDS):
        raise ConfigurationError(f"another program is holding {folder / 'names.lock'}: end it, then try again")
    try:
        ports = _read(folder / "names.json")
        if name not in ports:
            ports[name] = _free_port(name, ports, config)
            _write(folder / "names.json", ports)
        return ports[name]
    finally:
        lock.release()


def known_names(config: ZMQConfig) -> dict[str, int]:
    """Return the ports of all names.

    Raises:
        ConfigurationError: The file of names cannot be read.
    """
    return _read(config.home / "executors" / "names.json")


def _read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            f"the names of executors in {path} cannot be read ({error}): restore the file, or delete it to give every "
            "name a new server; what their old servers keep then has to be asked for by port"
        ) from error


def _write(path: Path, ports: dict[str, int]) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(ports)))
    part.replace(path)


def _free_port(name: str, ports: dict[str, int], config: ZMQConfig) -> int:
    count = _BLOCKS * _BLOCK
    taken = set(ports.values())
    first = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) % count
    for step in range(count):
        number = (first + step) % count
        port = _FIRST + number // _BLOCK * 2 * _BLOCK + number % _BLOCK
        if port not in taken:
            return port
    unused = [each for each, port in ports.items() if not config.server_dir(port).exists()]
    if not unused:
        raise ConfigurationError(
            f"there are already {count:,} executors: delete the folders of some in {config.data_dir}"
        )
    return ports.pop(unused[0])
