"""Runs the command line of this process; it ends with an exit code and at most one line of error."""

import argparse
import os
import sys
from collections.abc import Callable

from zmqruntime.exceptions import ZMQRuntimeError
from zmqruntime.execution.cli.endpoint import command_error
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode, interrupted
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.cli.surface import make_parser

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; gives the exit code."""
    arguments = sys.argv[1:] or ["--help"]
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **options: None)(errors="backslashreplace")
    output = Output("--json" in arguments)
    try:
        return _checked(arguments, output)
    except BrokenPipeError:
        _drop_output()  # its reader has gone
        return ExitCode.FAILED
    except OSError as error:  # of a disk that is full, for example
        _drop_output()
        output.complain(f"the output cannot be written ({error.strerror or error}): write it somewhere else")
        return ExitCode.FAILED


def _checked(arguments: list[str], output: Output) -> int:
    """Run a command and say what went wrong.

    Raises:
        OSError: Standard output cannot be written.
    """
    try:
        code = _run(arguments, output)
    except CommandError as error:
        code = output.fail(error)
    except ZMQRuntimeError as error:
        code = output.fail(command_error(error))
    except KeyboardInterrupt:
        code = output.fail(interrupted())
    sys.stdout.flush()
    return code


def _run(arguments: list[str], output: Output) -> int:
    try:
        options = make_parser().parse_args(arguments)
        command: Callable[[argparse.Namespace, Output], int] = options.command
        return command(options, output)
    except OSError as error:
        if error.filename is None:  # of a stream, not of a file
            raise
        message = f"{error.filename}: {error.strerror or error}; correct that, then try again"
        raise CommandError(ErrorKind.SYSTEM, message, ExitCode.FAILED) from error


def _drop_output() -> None:
    """Let go what could not be written; Python would try again when it ends, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
