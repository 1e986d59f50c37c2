"""One line on a server: how the window stands with it, and how much it has to do."""

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
    ServerState.SILENT: "No answer",
    ServerState.LOST: "Server lost",
}


@dataclass(frozen=True, slots=True)
class ServerStatusPresentation:
    """What to show of a server: a word or two, a line of detail, and how it should look."""

    text: str
    detail: str
    tone: Tone


def present_server_status(
    state: ServerState, text: str = "", status: StatusResponse | None = None
) -> ServerStatusPresentation:
    """What to show.

    Args:
        state, text: of a ``ServerStateChanged``.
        status: what the server said last of its queue; it counts only while it is connected.
    """
    if state is not ServerState.CONNECTED or status is None:
        return ServerStatusPresentation(_TEXTS[state], first_line(text), _TONES[state])
    parts = [f"{status.running} running", f"{status.queued} queued"]
    parts += ["paused"] if status.paused else []
    parts += ["takes nothing new"] if status.draining else []
    is_busy = bool(status.running or status.queued)
    return ServerStatusPresentation(
        _TEXTS[state], ", ".join(parts) if is_busy or len(parts) > 2 else "idle", _TONES[state]
    )


class ExecutionServerStatusPresenter:
    """The same as an object, for a host that is given its presenters; it holds nothing."""

    def present(
        self, state: ServerState, text: str = "", status: StatusResponse | None = None
    ) -> ServerStatusPresentation:
        """See :func:`present_server_status`."""
        return present_server_status(state, text, status)
