"""The servers that a page shows: where they are, whether they run, and what those that have ended left on disk."""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zmqruntime.config import ZMQConfig
from zmqruntime.execution.server.stored import database_path
from zmqruntime.messages import PongResponse, StatusResponse

__all__ = ["Finder", "FoundPlace", "Place", "PlaceState", "stored_places"]

_DEFAULT = ZMQConfig()
_MOST_STORED = 50


class PlaceState(enum.StrEnum):
    """What is known of a server."""

    RUNNING = "running"
    """It answers."""
    SILENT = "silent"
    """Something listens there and does not answer now: it is busy or suspended. It has not ended."""
    ENDED = "ended"
    """Nothing listens there."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is.

    Attributes:
        app: the application that it belongs to.
        port: its data port.
        host: where it listens, if that is TCP.
        control_port_offset: its control port is the data port plus this.
    """

    app: str
    port: int
    host: str | None = None
    control_port_offset: int = _DEFAULT.control_port_offset

    @property
    def key(self) -> str:
        """Its name in addresses of the page."""
        return f"{self.app}:{self.port}" + (f"@{self.host}" if self.host else "")

    @property
    def config(self) -> ZMQConfig:
        """The settings of its application."""
        return ZMQConfig(app_name=self.app, control_port_offset=self.control_port_offset, successor_window=5.0)

    @property
    def database(self) -> Path:
        """Where a server on this machine keeps its executions."""
        return database_path(self.config, self.port)

    @property
    def changed_at(self) -> float:
        """When that last changed, in seconds since the epoch; 0 if it is not there."""
        return max(_changed_at(self.database), _changed_at(self.database.with_name(f"{self.database.name}-wal")))


@dataclass(frozen=True, slots=True)
class FoundPlace:
    """A server that was looked for. ``work`` is None if it does not run executions, or did not say."""

    place: Place
    state: PlaceState
    server: PongResponse | None = None
    work: StatusResponse | None = None


Finder = Callable[[], Sequence[FoundPlace]]
"""Looks for the servers on this machine; called in a thread, and may take a second."""


def stored_places(apps: Iterable[str]) -> list[FoundPlace]:
    """Return what servers of these applications have left on disk, the latest ones, running or not."""
    found: list[tuple[float, Place]] = []
    for app in apps:
        for path in ZMQConfig(app_name=app).data_dir.glob("server-*/executions.sqlite"):
            number = path.parent.name.removeprefix("server-")
            if number.isascii() and number.isdigit():
                found.append((_changed_at(path), Place(app, int(number))))
    found.sort(key=lambda entry: -entry[0])
    return [FoundPlace(place, PlaceState.ENDED) for _, place in found[:_MOST_STORED]]


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # removed just now
