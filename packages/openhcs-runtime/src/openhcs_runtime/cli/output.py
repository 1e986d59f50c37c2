"""Where a command's words go: lines and tables for people, or one JSON document and nothing else."""

import json
import sys
from typing import Any

from openhcs_runtime.cli.failures import CommandError, ExitCode

__all__ = ["Output"]


class Output:
    """Prints to standard output, either ``line``\\ s or one ``document``; the other kind is dropped."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """A line for people, at once."""
        if not self.as_json:
            print(text, flush=True)

    def document(self, document: dict[str, Any], error: CommandError | None = None) -> ExitCode:
        """The command's one JSON document, with the error if there is one; gives the exit code."""
        code = ExitCode.OK if error is None else error.exit_code
        if self.as_json:
            _print_document(document, error)
        elif error is not None:
            _print_error(error)
        return code


def _print_document(document: dict[str, Any], error: CommandError | None = None) -> None:
    """One JSON document; ``error`` is in it exactly when ``exit_code`` is not 0."""
    ending: dict[str, Any] = {"exit_code": int(ExitCode.OK if error is None else error.exit_code)}
    if error is not None:
        ending["error"] = error.to_dict()
    print(json.dumps({**document, **ending}, indent=2), flush=True)


def _print_error(error: CommandError) -> None:
    """The error for people, on standard error."""
    sys.stdout.flush()
    print(f"Error: {error.text()}", file=sys.stderr, flush=True)
