"""Execution ids as they are typed: whole, or a unique prefix."""

from typing import TYPE_CHECKING

from zmqruntime.execution.cli.failures import CommandError, ErrorKind

if TYPE_CHECKING:
    from zmqruntime.execution.client.client import ExecutionClient
    from zmqruntime.execution.server.stored import StoredExecutions

__all__ = ["find_id"]


def find_id(executions: "ExecutionClient | StoredExecutions", given: str) -> str:
    """The id that was meant, of all that a server knows or has left on disk.

    Raises:
        CommandError: several begin like that.
        RequestRefusedError: none does.
    """
    found = executions.find(given)
    if given in found.execution_ids:
        return given
    if len(found.execution_ids) > 1:
        number = f"{'more than ' if found.more else ''}{len(found.execution_ids)}"
        raise CommandError(ErrorKind.NOT_FOUND, f"{number} executions begin with {given}; type more of the id")
    return found.execution_ids[0] if found.execution_ids else executions.snapshot_of(given).execution_id
