"""How a command ends when it does not do what was asked: exit codes, and one error type with a line for the user."""

import enum
from collections.abc import Sequence
from typing import Any

from openhcs_runtime.exceptions import DiskFullError, OutputError

__all__ = ["CommandError", "ErrorKind", "ExitCode", "interrupted", "unwritten"]


class ExitCode(enum.IntEnum):
    """What the shell gets."""

    OK = 0
    FAILED = 1
    """What was asked for was right, and went wrong."""
    USAGE = 2
    """What was asked for cannot be done: a bad argument, plate, pipeline, folder or port."""
    INTERRUPTED = 130
    """Ctrl-C."""


class ErrorKind(enum.StrEnum):
    """``error.kind`` of a JSON document."""

    USAGE = "usage"
    PLATE = "plate"
    PIPELINE = "pipeline"
    COMPILE = "compile"
    OUTPUT = "output"
    DISK_FULL = "disk_full"
    PORT_IN_USE = "port_in_use"
    CONFIGURATION = "configuration"
    NOT_FOUND = "not_found"
    NO_SERVER = "no_server"
    SERVER_START = "server_start"
    SERVER_LOST = "server_lost"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    TASK = "task"
    """The pipeline's run ended in a way that is nobody's input: the message says which."""
    WORKERS = "workers"
    VIEWER = "viewer"
    OMERO = "omero"
    WELLS_FAILED = "wells_failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class CommandError(Exception):
    """Ends a command. ``problems`` are listed below the message, for people one to a line."""

    def __init__(
        self, kind: ErrorKind, message: str, exit_code: ExitCode = ExitCode.USAGE, problems: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.exit_code = exit_code
        self.problems = tuple(problems)

    def text(self) -> str:
        """What a person reads."""
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])

    def to_dict(self) -> dict[str, Any]:
        """``error`` of a JSON document."""
        return {"kind": self.kind.value, "message": self.message, "problems": list(self.problems)}


def interrupted(message: str = "interrupted") -> CommandError:
    """Ends a command on Ctrl-C."""
    return CommandError(ErrorKind.INTERRUPTED, message, ExitCode.INTERRUPTED)


def unwritten(error: OutputError) -> CommandError:
    """Ends a command that could not write what it made: a bad folder is wrong use, a full disk is not."""
    if isinstance(error, DiskFullError):
        return CommandError(ErrorKind.DISK_FULL, str(error), ExitCode.FAILED)
    return CommandError(ErrorKind.OUTPUT, str(error))
