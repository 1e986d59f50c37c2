"""How a command ends when it does not do what was asked: exit codes, and one error type with a line for the user."""

import enum
from collections.abc import Sequence

__all__ = ["CommandError", "ErrorKind", "ExitCode", "interrupted"]


class ExitCode(enum.IntEnum):
    """What the shell gets."""

    OK = 0
    FAILED = 1
    """The question was valid and the answer is no, or what was asked for went wrong."""
    USAGE = 2
    """What was asked for cannot be done: a bad argument, an unknown execution, a port of something else."""
    INTERRUPTED = 130
    """Ctrl-C."""


class ErrorKind(enum.StrEnum):
    """``error.kind`` of a JSON document; commands that do more have kinds of their own besides these."""

    USAGE = "usage"
    CONFIGURATION = "configuration"
    PORT_IN_USE = "port_in_use"
    NOT_FOUND = "not_found"
    NO_SERVER = "no_server"
    SERVER_START = "server_start"
    SERVER_LOST = "server_lost"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    MISSING_EXTRA = "missing_extra"
    SYSTEM = "system"
    CHECKS_FAILED = "checks_failed"
    INTERRUPTED = "interrupted"


class CommandError(Exception):
    """Ends a command with one line that says what is wrong and what to do about it.

    Args:
        kind: which kind of error, for programs.
        message: the line.
        exit_code: what the shell gets.
        problems: what people read below the line, one to a line.
    """

    def __init__(
        self,
        kind: enum.StrEnum,
        message: str,
        exit_code: ExitCode = ExitCode.USAGE,
        problems: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.exit_code = exit_code
        self.problems = tuple(problems)

    def text(self) -> str:
        """What a person reads."""
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])

    def to_dict(self) -> dict[str, object]:
        """``error`` of a JSON document."""
        return {"kind": self.kind.value, "message": self.message, "problems": list(self.problems)}


def interrupted(message: str = "interrupted") -> CommandError:
    """Ends a command on Ctrl-C."""
    return CommandError(ErrorKind.INTERRUPTED, message, ExitCode.INTERRUPTED)
