"""Runs the command line of this process; it ends with an exit code and at most one line of error."""

import argparse
import os
import sys
from collections.abc import Callable

from zmqruntime.execution.cli.failures import CommandError, ExitCode, interrupted
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
        options = make_parser().parse_args(arguments)
        command: Callable[[argparse.Namespace, Output], int] = options.command
        return command(options, output)
    except CommandError as error:
        return output.fail(error)
    except KeyboardInterrupt:
        return output.fail(interrupted())
    except BrokenPipeError:
        # The reader of our output has gone; Python would fail to write the rest of it when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
