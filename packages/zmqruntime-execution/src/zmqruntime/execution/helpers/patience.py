"""Occasional messages for users while waiting for a server that does not answer."""

import sys
import time
from collections.abc import Callable
from typing import Self

from zmqruntime.standing import ClientState, Standing

__all__ = ["PatienceTeller", "patience_text"]


def patience_text(standing: Standing) -> str:
    """Return a line for the user; empty while the server answers."""
    match standing.state:
        case ClientState.SILENT:
            return f"{standing.text}, still waiting"
        case ClientState.LOST:
            return f"{standing.text}; waiting for it, or its successor"
        case _:
            return ""


class PatienceTeller:
    """A listener for :meth:`zmqruntime.ZMQClient.add_listener` that writes a line now and then.

    Args:
        write: Called with each line.
        first_seconds: Seconds of silence before the first line; the end of a server is reported immediately.
        every_seconds: Seconds between further lines.
    """

    def __init__(self, write: Callable[[str], None], first_seconds: float = 3.0, every_seconds: float = 15.0) -> None:
        self._write = write
        self._first = first_seconds
        self._every = every_seconds
        self._state = ClientState.CONNECTED
        self._told_at: float | None = None

    @classmethod
    def on_stderr(cls) -> Self:
        """Return a listener that writes to standard error, unbuffered."""
        return cls(lambda line: print(line, file=sys.stderr, flush=True))

    def __call__(self, standing: Standing) -> None:
        """Handle a change of the connection's standing."""
        if not standing.is_waiting:
            if self._told_at is not None and standing.state is ClientState.CONNECTED:
                self._write("The server answers again")
            self._told_at = None
        elif self._is_due(standing):
            self._told_at = time.monotonic()
            line = patience_text(standing)
            self._write(line[:1].upper() + line[1:])
        self._state = standing.state

    def _is_due(self, standing: Standing) -> bool:
        if standing.state is ClientState.LOST and self._state is not ClientState.LOST:
            return True
        if self._told_at is None:
            return standing.seconds >= self._first
        return time.monotonic() - self._told_at >= self._every
