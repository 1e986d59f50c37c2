"""Execution ids as they are typed: whole, or how they begin."""

from zmqruntime.exceptions import RequestRefusedError
from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.client import ExecutionClient
from zmqruntime.messages import ErrorCode

__all__ = ["find_id", "only_one"]

_KNOWN_EXECUTIONS = 1000


def find_id(client: ExecutionClient, given: str) -> str:
    """The id that was meant: of a server's executions; if it is not whole, of its next 1,000 and its latest 1,000.

    Raises:
        CommandError: several begin like that.
        RequestRefusedError: none does.
    """
    try:
        return client.poll_status(given).execution_id
    except RequestRefusedError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        known = client.status(limit=_KNOWN_EXECUTIONS).executions
        found = only_one(given, [entry.execution_id for entry in known if entry.execution_id.startswith(given)])
        if found is None:
            raise
        return found


def only_one(given: str, fitting: list[str]) -> str | None:
    """The one that fits, None if there is none.

    Raises:
        CommandError: there are several.
    """
    if len(fitting) > 1:
        message = f"{len(fitting)} executions begin with {given}; type more of the id"
        raise CommandError(ErrorKind.NOT_FOUND, message)
    return fitting[0] if fitting else None
