"""Puts the commands together and runs the one that was typed; nothing heavy is loaded until a command runs."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from openhcs_runtime.cli.commands.cancel import cancel
from openhcs_runtime.cli.commands.compile import compile_
from openhcs_runtime.cli.commands.export_roi import export_roi
from openhcs_runtime.cli.commands.heatmap import heatmap
from openhcs_runtime.cli.commands.history import history
from openhcs_runtime.cli.commands.info import info
from openhcs_runtime.cli.commands.logs import logs
from openhcs_runtime.cli.commands.make_plate import make_plate
from openhcs_runtime.cli.commands.omero import omero
from openhcs_runtime.cli.commands.preview import preview
from openhcs_runtime.cli.commands.profile import profile
from openhcs_runtime.cli.commands.report import report
from openhcs_runtime.cli.commands.rerun import rerun
from openhcs_runtime.cli.commands.results import results
from openhcs_runtime.cli.commands.resume import resume
from openhcs_runtime.cli.commands.run import run as run_pipeline
from openhcs_runtime.cli.commands.serve import serve
from openhcs_runtime.cli.commands.status import status
from openhcs_runtime.cli.commands.stop import stop
from openhcs_runtime.cli.commands.table import table
from openhcs_runtime.cli.commands.tui import tui
from openhcs_runtime.cli.commands.view import view
from openhcs_runtime.cli.commands.watch import watch
from openhcs_runtime.cli.commands.web import web
from openhcs_runtime.cli.direct import read_plainly
from openhcs_runtime.cli.interrupts import Interrupts

__all__ = ["app", "run"]

PROGRAM = "openhcs-runtime"

_COMMANDS: dict[str, Callable[..., int]] = {
    "make-plate": make_plate,
    "info": info,
    "run": run_pipeline,
    "compile": compile_,
    "preview": preview,
    "resume": resume,
    "rerun": rerun,
    "serve": serve,
    "status": status,
    "cancel": cancel,
    "stop": stop,
    "watch": watch,
    "tui": tui,
    "web": web,
    "logs": logs,
    "history": history,
    "results": results,
    "table": table,
    "view": view,
    "heatmap": heatmap,
    "profile": profile,
    "report": report,
    "export-roi": export_roi,
}

app = typer.Typer(
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(omero, name="omero")


def run(interrupts: Interrupts) -> int:
    """Run the command line of this process; gives the exit code. Ctrl-C was noted by ``interrupts`` up to here."""
    interrupts.allow()
    name, *typed = sys.argv[1:] or ["--help"]
    command = _COMMANDS.get(name)
    plain = None if command is None else read_plainly(command, typed)
    if command is not None and plain is not None:
        try:
            return command(**plain)
        except typer.BadParameter as error:
            from openhcs_runtime.cli.endings import usage_error  # noqa: PLC0415 - loads what speaks to servers

            raise usage_error(error, f"{PROGRAM} {name}") from error
    code: int | None = app(args=sys.argv[1:] or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    if code == 130 and type(code) is int:
        raise KeyboardInterrupt  # typer has swallowed it; a command that has answered it gives an ExitCode
    return code or 0


def _show_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata  # noqa: PLC0415 - takes 10 ms

        print(f"{PROGRAM} {importlib.metadata.version(PROGRAM)}")
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
