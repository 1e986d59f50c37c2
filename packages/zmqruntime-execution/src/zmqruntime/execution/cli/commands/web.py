"""``web``: a page with the servers on this machine and what they run."""

import contextlib
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from zmqruntime.config import ZMQConfig
from zmqruntime.execution.cli.discovery import FoundServer, ServerState, find_servers
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.output import Output

try:
    from zmqruntime.execution.web.places import FoundPlace, Place, PlaceState, stored_places
    from zmqruntime.execution.web.serve import PageServer
    from zmqruntime.execution.web.settings import WebSettings
except ImportError as missing:
    raise CommandError(ErrorKind.MISSING_EXTRA, str(missing), ExitCode.FAILED) from missing

__all__ = ["find_places", "serve_page", "settings_for"]

_STATES = {
    ServerState.RUNNING: PlaceState.RUNNING,
    ServerState.SILENT: PlaceState.SILENT,
    ServerState.STALE: PlaceState.ENDED,
}


settings_for = WebSettings.safe


def serve_page(settings: WebSettings, output: Output, *, opens: bool = False) -> int:
    """Serve the page until Ctrl-C.

    Args:
        settings: how.
        output: where its address is printed.
        opens: whether to open it in a browser.

    Raises:
        CommandError: the port is taken, or the address is not one of this machine.
    """
    try:
        page = PageServer(find_places, settings)
    except OSError as error:
        message = (
            f"cannot serve on {settings.bind} port {settings.port}: {error.strerror or error}; "
            "choose another with --port or --bind"
        )
        raise CommandError(ErrorKind.PORT_IN_USE, message) from error
    may = "It can cancel, pause and retry" if settings.allow_actions else "It only shows"
    output.line(f"The servers on this machine: {page.url}")
    output.line(f"{may}; Ctrl-C ends it, and no server with it.")
    if page.is_open_to_others:
        text = (
            "Other machines can connect, and what they are sent is not encrypted; 'ssh -L' to a page on 127.0.0.1 is."
        )
        print(text, file=sys.stderr)
    output.document({"url": page.url})
    sys.stdout.flush()
    if opens:
        webbrowser.open(page.url)  # its connection waits until the page is served
    with contextlib.suppress(KeyboardInterrupt):
        page.run()
    output.line("Stopped.")
    return 0


def find_places() -> Sequence[FoundPlace]:
    """Look for the servers of this user on this machine, and for what others have left on disk."""
    found = {entry.place.key: entry for entry in map(_found, find_servers())}
    apps = {entry.place.app for entry in found.values()} | set(_apps())
    for entry in stored_places(sorted(apps)):
        taken = any(
            entry.place.app == known.place.app and entry.place.port == known.place.port for known in found.values()
        )
        if not taken:
            found[entry.place.key] = entry
    order = list(PlaceState)
    return sorted(found.values(), key=lambda entry: (order.index(entry.state), entry.place.key))


def _apps() -> list[str]:
    """The applications that have had servers here."""
    folders = Path.home().glob(f".*/{ZMQConfig().ipc_socket_dir}")
    return [folder.parent.name.removeprefix(".") for folder in folders]


def _found(entry: FoundServer) -> FoundPlace:
    place = Place(entry.app, entry.port, entry.host, entry.control_port_offset)
    return FoundPlace(place, _STATES[entry.state], entry.server, entry.work)
