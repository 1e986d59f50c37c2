"""How a command that raised ends: with one line or one document, and an exit code."""

import sys

from openhcs_runtime.cli.declare import BadParameter
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from zmqruntime.execution.cli.output import Output

__all__ = ["end_with", "usage_error"]

_NOISE = ("Invalid value: ", "Value error, ")
"""What typer puts before a message that needs no introduction."""


def end_with(error: BaseException) -> int:
    """The exit code, once the user has been told; an error that is not for the user is raised again."""
    match error:
        case CommandError():
            said = error
        case KeyboardInterrupt():
            said = interrupted()
        case Exception() if _is_of_typer(error, "Abort"):
            said = interrupted()
        case Exception() if isinstance(error, BadParameter) or _is_of_typer(error, "UsageError"):
            context = getattr(error, "ctx", None)
            said = usage_error(error, context.command_path if context is not None else "openhcs-runtime")
        case BrokenPipeError():
            sys.stderr.close()  # the reader of our output has gone; Python would complain about the rest of it
            return ExitCode.FAILED
        case _:
            raise error
    return Output("--json" in sys.argv[1:]).fail(said)


def _is_of_typer(error: Exception, name: str) -> bool:
    """Whether it is one of the errors of typer, which is not loaded for that.

    typer brings its own click or uses an installed one, by version.
    """
    typer = sys.modules.get("typer")
    if typer is None:
        return False
    return isinstance(error, typer.Abort if name == "Abort" else typer.BadParameter.__bases__[0])


def usage_error(error: Exception, command: str) -> CommandError:
    """The error of a command that was typed wrongly, as one line that names its help."""
    message = getattr(error, "format_message", lambda: str(error))().rstrip(".")
    for noise in _NOISE:
        message = message.replace(noise, "")
    return CommandError(ErrorKind.USAGE, f"{message} (see '{command} --help')")
