"""Runs the command that was typed; nothing heavy is loaded until then, and typer only if it was not typed plainly."""

import sys

from openhcs_runtime.cli.declare import BadParameter
from openhcs_runtime.cli.direct import read_plainly
from openhcs_runtime.cli.interrupts import Interrupts
from openhcs_runtime.cli.known import COMMANDS, PROGRAM, command, version_line

__all__ = ["run"]


def run(interrupts: Interrupts) -> int:
    """Run the command line of this process; gives the exit code. Ctrl-C was noted by ``interrupts`` up to here."""
    interrupts.allow()
    name, *typed = sys.argv[1:] or ["--help"]
    if (name, typed) == ("--version", []):
        print(version_line())
        return 0
    if name in COMMANDS:
        found = command(name)
        plain = read_plainly(found, typed)
        if plain is not None:
            try:
                return found(**plain)
            except BadParameter as error:
                from openhcs_runtime.cli.endings import usage_error  # noqa: PLC0415 - loads what speaks to servers

                raise usage_error(error, f"{PROGRAM} {name}") from error
    return _run_typer()


def _run_typer() -> int:
    from openhcs_runtime.cli.app import app  # noqa: PLC0415 - slow to load

    code: int | None = app(args=sys.argv[1:] or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    if code == 130 and type(code) is int:
        raise KeyboardInterrupt  # typer has swallowed it; a command that has answered it gives an ExitCode
    return code or 0
