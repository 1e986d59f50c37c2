"""The state of a client's connection to its server, with a line of text for users."""

import enum
from dataclasses import dataclass

__all__ = ["SILENT_WORDS", "ClientState", "Standing"]

SILENT_WORDS = "it is busy or suspended, and may resume"
"""What is said everywhere of a server that holds its port and does not answer."""


class ClientState(enum.Enum):
    """State of a client's connection to its server."""

    NEW = "new"
    """``connect()`` has not been called yet."""
    CONNECTED = "connected"
    """The server answers."""
    SILENT = "silent"
    """The server is not answering at the moment: it is busy, suspended or starved, but there is no evidence that it has
    ended. No error is raised; requests wait until their own deadlines."""
    LOST = "lost"
    """The server has ended or cannot be reached. The client returns to CONNECTED when the server, or its successor,
    answers."""
    CLOSED = "closed"
    """``disconnect()`` was called; the client cannot be used again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Snapshot of a client's connection to its server.

    Attributes:
        state: see :class:`ClientState`.
        seconds: time since the server was last heard from.
        text: a line for users; empty while the server answers.
    """

    state: ClientState
    seconds: float = 0.0
    text: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether a server that used to answer is not answering now."""
        return self.state in (ClientState.SILENT, ClientState.LOST)
