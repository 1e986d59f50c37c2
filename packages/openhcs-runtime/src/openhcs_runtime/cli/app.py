"""All commands as one typer application: for help, completion and what is not typed plainly."""

from typing import Annotated

import typer

from openhcs_runtime.cli.commands import omero
from openhcs_runtime.cli.declare import as_typer
from openhcs_runtime.cli.known import COMMANDS, command, version_line

__all__ = ["app"]

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _name in COMMANDS:
    app.command(_name)(as_typer(command(_name)))

_omero = typer.Typer(callback=omero.omero)
for _function in (omero.start, omero.status, omero.stop):
    _omero.command(_function.__name__)(as_typer(_function))
app.add_typer(_omero, name="omero")


def _show_version(wanted: bool) -> None:
    """Print the version and end, if that was asked for."""
    if wanted:
        print(version_line())
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run image pipelines over microscopy plates on a background server.

    Try it: make a small plate, count its nuclei, stop the server:

    \b
      openhcs-runtime make-plate demo
      openhcs-runtime run demo
      openhcs-runtime stop

    A run is an execution on the server. It goes on when its terminal is closed; status shows it, cancel stops it.
    Any unique prefix of an execution id works. While no server is running, status, history and logs read what it has
    left on disk, and resume goes on with a run that was interrupted.

    Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted with Ctrl-C.
    """
