"""Why an execution cannot run after another one, in the words of the error that it ends with."""

from zmqruntime.messages import ExecutionStatus

__all__ = ["BEGIN", "forgotten_dependency", "unknown_dependency", "unmet_reason"]

BEGIN = "it needs "

_ERROR_CHARACTERS = 500

_HOW = {
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.CANCELLED: "was cancelled",
    ExecutionStatus.INTERRUPTED: "was interrupted",
}


def unmet_reason(
    execution_id: str, name: str, status: ExecutionStatus, error: str | None, *, was_never_run: bool
) -> str:
    """Return why executions that depend on this one cannot run.

    Along a chain the reason of its first link is passed on: ``was_never_run`` says that this one, too, depends on
    others and was not started.
    """
    text = "" if status is ExecutionStatus.CANCELLED else error or ""
    if was_never_run and text.startswith(BEGIN):
        return text
    label = f" ({name})" if name else ""
    detail = f": {text[:_ERROR_CHARACTERS]}" if text else ""
    return f"{BEGIN}{execution_id}{label}, which {_HOW[status]}{detail}"


def forgotten_dependency(execution_id: str) -> str:
    """Return why an execution cannot run whose dependency was known and is not any more."""
    return f"{BEGIN}{execution_id}, whose outcome this server does not know any more: submit both again"


def unknown_dependency(execution_id: str) -> str:
    """Return why an execution that depends on an unknown one is refused."""
    return (
        f"it is to run after {execution_id}, which this server does not have: submit that one first, and check "
        "that history has not dropped it"
    )
