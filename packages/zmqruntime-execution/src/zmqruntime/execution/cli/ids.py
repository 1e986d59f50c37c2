"""Execution ids as they are typed: whole, or how they begin."""

from zmqruntime.execution.cli.failures import CommandError, ErrorKind
from zmqruntime.execution.client.client import ExecutionClient

__all__ = ["find_id", "only_one"]


def find_id(client: ExecutionClient, given: str) -> str:
    """The id that was meant, of all that the server knows.

    Raises:
        CommandError: several begin like that.
        RequestRefusedError: none does.
    """
    found = client.find(given)
    if given in found.execution_ids:
        return given
    meant = only_one(given, found.execution_ids, has_more=found.more)
    return client.snapshot_of(given).execution_id if meant is None else meant


def only_one(given: str, fitting: list[str], *, has_more: bool = False) -> str | None:
    """The one that fits, None if there is none.

    Raises:
        CommandError: there are several.
    """
    if len(fitting) > 1:
        message = f"{'more than ' if has_more else ''}{len(fitting)} executions begin with {given}; type more of the id"
        raise CommandError(ErrorKind.NOT_FOUND, message)
    return fitting[0] if fitting else None
