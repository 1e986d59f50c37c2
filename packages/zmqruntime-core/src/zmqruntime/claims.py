"""The ports held by servers on this machine: each server keeps a lock file for as long as it runs, naming itself."""

from pathlib import Path

import msgspec

from zmqruntime.config import ZMQConfig
from zmqruntime.lock import FileLock
from zmqruntime.transport import prepare_private_dir, remove_ipc_socket

__all__ = ["Claim", "ClaimedPort", "claimant", "find_claims", "lock_path", "remove_stale"]

_MAX_BYTES = 4096


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A server's claim to a port: the data port, its process id, and the address it listens on if that is TCP."""

    port: int
    pid: int
    host: str | None = None
    control_port_offset: int = 1000


class ClaimedPort:
    """The lock file of one port, from the point of view of its server."""

    def __init__(self, config: ZMQConfig, claim: Claim) -> None:
        self._config = config
        self._claim = claim
        self._lock: FileLock | None = None

    def acquire(self, timeout: float) -> bool:
        """Claim the port; return False if another server still holds it after ``timeout`` seconds."""
        prepare_private_dir(self._path.parent)
        lock = FileLock(self._path)
        if not lock.acquire(timeout):
            return False
        lock.write(msgspec.json.encode(self._claim))
        self.release()
        self._lock = lock
        return True

    @property
    def is_intact(self) -> bool:
        """Whether the locked file is the one that others would find; a cleanup tool may have removed it."""
        return self._lock is not None and self._lock.is_at_its_path

    def release(self) -> None:
        """Release the port; may be called twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def _path(self) -> Path:
        return lock_path(self._config, self._claim.port)


def lock_path(config: ZMQConfig, port: int) -> Path:
    """Return the path of the lock file of a port."""
    return config.home / config.ipc_socket_dir / f"{config.ipc_socket_prefix}-{port}.lock"


def claimant(config: ZMQConfig, port: int) -> str:
    """Describe the process of the server whose lock file of a port is held; empty if the file does not say it."""
    try:
        claim = msgspec.json.decode(lock_path(config, port).read_bytes()[:_MAX_BYTES], type=Claim)
    except (OSError, msgspec.MsgspecError):  # unreadable while locked, on Windows, or from an earlier release
        return ""
    return f"process {claim.pid}"


def find_claims(folder: Path) -> list[Claim]:
    """Return the servers whose lock files in ``folder`` are held, without changing anything."""
    found = []
    for path in sorted(folder.glob("*.lock")):
        try:
            claim = msgspec.json.decode(path.read_bytes()[:_MAX_BYTES], type=Claim)
            lock = FileLock(path)
            if lock.acquire(timeout=0):
                lock.release()
                continue
        except (OSError, msgspec.MsgspecError):  # another kind of lock, or one from an earlier release
            continue
        found.append(claim)
    return found


def remove_stale(config: ZMQConfig, port: int) -> bool:
    """Remove the socket files that a killed server has left, unless one is running there; return whether there were."""
    path = lock_path(config, port)
    if not path.parent.is_dir():
        return False
    lock = FileLock(path)
    if not lock.acquire(timeout=0):
        return False
    try:
        return sum(remove_ipc_socket(each, config) for each in (port, port + config.control_port_offset)) > 0
    finally:
        lock.release()
