"""What can be typed about runs that are under way or have ended: watch, tui, logs, history."""

from typing import Annotated

import typer

from openhcs_runtime.cli import commands
from openhcs_runtime.cli.options import Host, Json, Port

__all__ = ["register"]

Execution = Annotated[str, typer.Argument(metavar="ID", help="An execution, or how its id begins.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("watch")(watch)
    app.command("tui")(tui)
    app.command("logs")(logs)
    app.command("history")(history)


def watch(
    execution_id: Execution,
    as_plate: Annotated[bool, typer.Option("--tui", help="As the plate view of the command tui.")] = False,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Watch a run to its end, as run shows it.

    Ctrl-C leaves, and the run goes on.

    \b
      openhcs-runtime watch 4f2a91
      openhcs-runtime watch 4f2a91 --host 192.168.1.20
    """
    if as_plate:
        return commands.view_plate(commands.Place(port, host), execution_id, as_json=as_json)
    return commands.watch(commands.Place(port, host), execution_id, as_json=as_json)


def tui(
    execution_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="An execution, or how its id begins; the one that runs without it."),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the wells of a run as a grid, live.

    Arrow keys select a well and show its steps and error, c cancels it, q leaves; the run goes on. Needs the extra
    tui.

    \b
      openhcs-runtime tui
      openhcs-runtime tui 4f2a91 --host 192.168.1.20
    """
    return commands.view_plate(commands.Place(port, host), execution_id, as_json=as_json)


def logs(
    execution_id: Execution,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until it has ended.")] = False,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Print what a run has logged and printed.

    \b
      openhcs-runtime logs 4f2a91
      openhcs-runtime logs -f 4f2a91
    """
    return commands.show_logs(commands.Place(port, host), execution_id, follow=follow, as_json=as_json)


def history(
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, newest first.")] = 20,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the runs that have ended, newest first.

    \b
      openhcs-runtime history
      openhcs-runtime history --limit 100 --json
    """
    return commands.show_history(commands.Place(port, host), limit, as_json=as_json)
