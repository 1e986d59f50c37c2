"""How a client stands with its server: the states, and a line about it for a user."""

import enum
from dataclasses import dataclass

__all__ = ["ClientState", "Standing"]


class ClientState(enum.Enum):
    """How a client stands with its server."""

    NEW = "new"
    """``connect()`` was not called yet."""
    CONNECTED = "connected"
    """The server answers."""
    SILENT = "silent"
    """The server does not answer at the moment: it is busy, stopped or starved, but nothing says that it has ended.
    Nothing is raised for it; what was asked waits within its own deadline."""
    LOST = "lost"
    """The server has ended, or cannot be reached. The client goes back to CONNECTED when it, or its successor, is
    heard."""
    CLOSED = "closed"
    """``disconnect()`` was called; the client cannot be used again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a client stands with its server at one moment.

    Attributes:
        state: see :class:`ClientState`.
        seconds: how long nothing was heard of the server.
        text: a line for a user; empty while the server answers.
    """

    state: ClientState
    seconds: float = 0.0
    text: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether the server was there and does not answer now."""
        return self.state in (ClientState.SILENT, ClientState.LOST)
