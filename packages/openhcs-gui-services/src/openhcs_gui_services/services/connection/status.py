"""The state of the server and its queue in one line of text."""

from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.plates.presenter import Tone
from openhcs_gui_services.services.plates.values import ServerState
from zmqruntime.execution.text import first_line
from zmqruntime.messages import StatusResponse

__all__ = ["ExecutionServerStatusPresenter", "ServerStatusPresentation", "present_server_status"]

_TONES: Final = {
    ServerState.DISCONNECTED: Tone.NEUTRAL,
    ServerState.CONNECTING: Tone.PENDING,
    ServerState.CONNECTED: Tone.GOOD,
    ServerState.SILENT: Tone.PENDING,
    ServerState.LOST: Tone.BAD,
}
_TEXTS: Final = {
    ServerState.DISCONNECTED: "Not connected",
    ServerState.CONNECTING: "Connecting",
    ServerState.CONNECTED: "Connected",
    ServerState.SILENT: "Not responding",
    ServerState.LOST: "Server lost",
}
_SENTENCES: Final = {
    ServerState.DISCONNECTED: "No server yet; the first run starts one",
    ServerState.CONNECTING: "Looking for the server",
    ServerState.CONNECTED: "Connected",
    ServerState.SILENT: "Server is not responding, still waiting",
    ServerState.LOST: "Connection to the server lost",
}


@dataclass(frozen=True, slots=True)
class ServerStatusPresentation:
    """What to show about a server.

    Attributes:
        text: the state in a word or two.
        detail: a line of details; can be empty.
        tone: the tone of the state.
        sentence: the whole text of the state, or a sentence about it, where there is room for one text only.
    """

    text: str
    detail: str
    tone: Tone
    sentence: str


def present_server_status(
    state: ServerState, text: str = "", status: StatusResponse | None = None
) -> ServerStatusPresentation:
    """Return what to show about a server.

    Args:
        state: state of a ``ServerStateChanged``.
        text: text of a ``ServerStateChanged``.
        status: last reported status of the server's queue; used only while connected.
    """
    sentence = text or _SENTENCES[state]
    if state is not ServerState.CONNECTED or status is None:
        return ServerStatusPresentation(_TEXTS[state], first_line(text), _TONES[state], sentence)
    parts = [f"{status.running} running", f"{status.queued} queued"]
    parts += ["paused"] if status.paused else []
    parts += ["draining"] if status.draining else []
    is_busy = bool(status.running or status.queued)
    detail = ", ".join(parts) if is_busy or len(parts) > 2 else "idle"
    return ServerStatusPresentation(_TEXTS[state], detail, _TONES[state], sentence)


class ExecutionServerStatusPresenter:
    """The same as an object without state, for hosts that are given their presenters."""

    def present(
        self, state: ServerState, text: str = "", status: StatusResponse | None = None
    ) -> ServerStatusPresentation:
        """See :func:`present_server_status`."""
        return present_server_status(state, text, status)
