"""What can be typed about runs that are under way or have ended: watch, tui, logs, history."""

from typing import Annotated

import typer

from openhcs_runtime.cli import commands
from openhcs_runtime.cli.options import Host, Json, Port, whole_number

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
    as_plate: Annotated[bool, typer.Option("--tui", help="Show the wells as a grid, as the command tui does.")] = False,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Watch a run to its end, with the bars of the command run.

    Ctrl-C leaves, and the run goes on.

    \b
      openhcs-runtime watch 4f2a91
      openhcs-runtime watch 4f2a91 --host 192.168.1.20
    """
    if as_plate:
        return commands.view_plate(commands.Endpoint(port, host), execution_id, as_json=as_json)
    return commands.watch(commands.Endpoint(port, host), execution_id, as_json=as_json)


def tui(
    execution_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="An execution, or how its id begins; the one that runs without it."),
    ] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the wells of a run as a grid, live.

    Arrow keys select a well and show its steps and error, c cancels it, q leaves; the run goes on. It needs
    textual: pip install 'openhcs-runtime[tui]'.

    \b
      openhcs-runtime tui
      openhcs-runtime tui 4f2a91 --host 192.168.1.20
    """
    return commands.view_plate(commands.Endpoint(port, host), execution_id, as_json=as_json)


def logs(
    execution_id: Execution,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until it has ended.")] = False,
    well: Annotated[str | None, typer.Option(metavar="W", help="Only the lines of this well, e.g. B06.")] = None,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Print what a run has logged and printed.

    \b
      openhcs-runtime logs 4f2a91
      openhcs-runtime logs -f 4f2a91
      openhcs-runtime logs 4f2a91 --well B06
    """
    return commands.show_logs(commands.Endpoint(port, host), execution_id, well, follow=follow, as_json=as_json)


def history(
    limit: Annotated[
        int, typer.Option(parser=whole_number(1, 1000), metavar="N", help="How many at most, up to 1000.")
    ] = 20,
    port: Port = 7777,
    host: Host = None,
    as_json: Json = False,
) -> int:
    """Show the runs that have ended, newest first.

    \b
      openhcs-runtime history
      openhcs-runtime history --limit 100 --json
    """
    return commands.show_history(commands.Endpoint(port, host), limit, as_json=as_json)
