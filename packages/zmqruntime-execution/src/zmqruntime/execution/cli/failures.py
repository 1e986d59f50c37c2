"""How a command ends when it does not do what was asked: exit codes, and one error type with a line for the user."""

import enum

__all__ = ["CommandError", "ErrorKind", "ExitCode"]


class ExitCode(enum.IntEnum):
    """What the shell gets."""

    OK = 0
    FAILED = 1
    """The question was right, and the answer is no; or what was asked for went wrong."""
    USAGE = 2
    """What was asked for cannot be done: a bad argument, an unknown execution, a port of something else."""
    INTERRUPTED = 130
    """Ctrl-C."""


class ErrorKind(enum.StrEnum):
    """``error.kind`` of a JSON document."""

    USAGE = "usage"
    CONFIGURATION = "configuration"
    PORT_IN_USE = "port_in_use"
    NOT_FOUND = "not_found"
    NO_SERVER = "no_server"
    SERVER_LOST = "server_lost"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    MISSING_EXTRA = "missing_extra"
    CHECKS_FAILED = "checks_failed"
    INTERRUPTED = "interrupted"


class CommandError(Exception):
    """Ends a command with one line that says what is wrong and what to do about it."""

    def __init__(self, kind: ErrorKind, message: str, exit_code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.exit_code = exit_code

    def to_dict(self) -> dict[str, str]:
        """``error`` of a JSON document."""
        return {"kind": self.kind.value, "message": self.message}
