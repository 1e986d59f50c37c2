"""Where a command's words go: lines for people, or JSON and nothing else."""

import json
import sys
from collections.abc import Mapping
from typing import TextIO

import msgspec
from msgspec.msgpack import Ext

from zmqruntime.execution.clean import clean
from zmqruntime.execution.cli.failures import CommandError, ExitCode

__all__ = ["Output"]


class Output:
    """Prints to standard output either lines for people or JSON; what is meant for the other reader is dropped.

    What people read is cleaned, because names, logs and errors of tasks may contain what controls a terminal. JSON
    escapes that.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str = "") -> None:
        """A line for people, at once."""
        if not self.as_json:
            _print(text, sys.stdout)

    def redraw(self, text: str) -> None:
        """The present line of a terminal, in place of what it shows."""
        if not self.as_json:
            print(f"\r{clean(text, None)}", end="", flush=True)

    def note(self, text: str) -> None:
        """A line for people about what is printed: on standard error, so that it is not in the way. May be empty."""
        if text and not self.as_json:
            sys.stdout.flush()
            _print(text, sys.stderr)

    def complain(self, text: str) -> None:
        """An error line on standard error also where JSON was asked for, because standard output cannot be written."""
        _print(f"Error: {text}", sys.stderr)

    def json_line(self, value: object) -> None:
        """One value of a stream."""
        if self.as_json:
            print(json.dumps(_plain(value)), flush=True)

    def document(self, document: Mapping[str, object], error: CommandError | None = None) -> ExitCode:
        """The one JSON document of a command, with ``error`` exactly if its ``exit_code`` is not 0; gives that code.

        People read only the error, on standard error.
        """
        ending: dict[str, object] = {"exit_code": 0}
        if error is not None:
            ending = {"exit_code": int(error.exit_code), "error": error.to_dict()}
            self.note(f"Error: {error.text()}")
        if self.as_json:
            print(json.dumps(_plain({**document, **ending}), indent=2), flush=True)
        return ExitCode.OK if error is None else error.exit_code

    def fail(self, error: CommandError) -> ExitCode:
        """Only the error; as JSON on one line, since it may follow what a stream has printed."""
        if not self.as_json:
            return self.document({}, error)
        self.json_line({"exit_code": int(error.exit_code), "error": error.to_dict()})
        return error.exit_code


def _print(text: str, stream: TextIO) -> None:
    print(clean(text, None), file=stream, flush=True)


def _plain(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=_shown))


def _shown(value: object) -> object:
    """What a task returned may hold what JSON cannot."""
    if not isinstance(value, Ext):
        return repr(value)
    from zmqruntime.execution.executor.opened import open_value  # noqa: PLC0415  only for results of functions
    from zmqruntime.execution.executor.shown import json_of  # noqa: PLC0415

    return json_of(open_value(value))
