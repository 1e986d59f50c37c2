"""``doctor``: checks what a server needs on this machine, and says how to fix what is wrong."""

from zmqruntime.execution.cli.checks import CheckState, check_all
from zmqruntime.execution.cli.endpoint import Endpoint
from zmqruntime.execution.cli.failures import CommandError, ErrorKind, ExitCode
from zmqruntime.execution.cli.output import Output
from zmqruntime.execution.text import plural

__all__ = ["examine"]

_MARKS = {CheckState.OK: "ok", CheckState.WARNING: "warning", CheckState.FAILED: "FAILED"}


def examine(endpoint: Endpoint, output: Output) -> int:
    """Run all checks; print what is wrong and how to fix it."""
    checks = check_all(endpoint)
    for check in checks:
        output.line(f"{_MARKS[check.state]:<8} {check.name:<12} {check.message}")
        if check.remedy:
            output.line(f"{'':<8} {'':<12} remedy: {check.remedy}")
    failed = [check for check in checks if check.state is CheckState.FAILED]
    document = {"checks": checks}
    if failed:
        names = ", ".join(check.name for check in failed)
        message = f"{plural(len(failed), 'check')} failed: {names}"
        return output.document(document, CommandError(ErrorKind.CHECKS_FAILED, message, ExitCode.FAILED))
    output.line("All checks passed.")
    return output.document(document)
