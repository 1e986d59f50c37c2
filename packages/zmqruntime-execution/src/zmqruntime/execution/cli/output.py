"""Where a command's words go: lines for people, or JSON and nothing else."""

import json
import sys
from collections.abc import Mapping

import msgspec

from zmqruntime.execution.cli.failures import CommandError, ExitCode

__all__ = ["Output"]

# What a task returned may hold what JSON cannot; ASCII is safe on any terminal and in any file.
_encode = msgspec.json.Encoder(enc_hook=repr).encode


class Output:
    """Prints to standard output either lines for people or JSON; what is meant for the other reader is dropped."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """A line for people, at once."""
        if not self.as_json:
            print(text, flush=True)

    def json_line(self, value: object) -> None:
        """One value of a stream."""
        if self.as_json:
            print(json.dumps(msgspec.json.decode(_encode(value))), flush=True)

    def document(self, document: Mapping[str, object]) -> ExitCode:
        """The one JSON document of a command that did what was asked."""
        if self.as_json:
            print(json.dumps(msgspec.json.decode(_encode({**document, "exit_code": 0})), indent=2), flush=True)
        return ExitCode.OK

    def fail(self, error: CommandError, document: Mapping[str, object] | None = None) -> ExitCode:
        """The error: on standard error for people, else as one JSON line, after what a stream has printed before."""
        if self.as_json:
            self.json_line({**(document or {}), "exit_code": int(error.exit_code), "error": error.to_dict()})
        else:
            sys.stdout.flush()
            print(f"Error: {error.message}", file=sys.stderr, flush=True)
        return error.exit_code
