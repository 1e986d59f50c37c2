"""How a command that raised ends: with one line or one document, and an exit code."""

import sys

import typer

from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from zmqruntime.execution.cli.output import Output

__all__ = ["end_with"]

# typer brings its own click or uses an installed one, by version; both derive BadParameter from their UsageError.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

_NOISE = ("Invalid value: ", "Value error, ")
"""What typer puts before a message that needs no introduction."""


def end_with(error: BaseException) -> int:
    """The exit code, once the user has been told; an error that is not for the user is raised again."""
    match error:
        case CommandError():
            said = error
        case KeyboardInterrupt() | typer.Abort():
            said = interrupted()
        case _UsageError():
            said = _usage_error(error)
        case BrokenPipeError():
            sys.stderr.close()  # the reader of our output has gone; Python would complain about the rest of it
            return ExitCode.FAILED
        case _:
            raise error
    return Output("--json" in sys.argv[1:]).fail(said)


def _usage_error(error: Exception) -> CommandError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "openhcs-runtime"
    message = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    for noise in _NOISE:
        message = message.replace(noise, "")
    return CommandError(ErrorKind.USAGE, f"{message} (see '{command} --help')")
