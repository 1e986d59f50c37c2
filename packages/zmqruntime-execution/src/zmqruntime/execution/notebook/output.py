"""A place on the screen whose content is replaced: an output of a notebook cell, or lines of a terminal."""

import importlib
import sys
from typing import Protocol, TextIO

from zmqruntime.execution.cells import in_notebook

__all__ = ["Content", "Output", "output_here"]


class Content(Protocol):
    """What is shown, in both forms."""

    def as_html(self) -> str:
        """Return it as HTML."""

    def as_text(self) -> str:
        """Return it as plain text of one or more lines."""


class Output(Protocol):
    """Where content is shown."""

    def show(self, content: Content, *, is_last: bool) -> None:
        """Show content in place of the earlier one."""


def output_here() -> Output:
    """Return an output of the current notebook cell; in another program lines of standard output."""
    if in_notebook():
        return _CellOutput()
    return _TerminalOutput(sys.stdout) if sys.stdout.isatty() else _FileOutput(sys.stdout)


class _Handle(Protocol):
    """What is used of a display handle of IPython."""

    def display(self, bundle: dict[str, str], *, raw: bool) -> None: ...

    def update(self, bundle: dict[str, str], *, raw: bool) -> None: ...


def _new_handle() -> _Handle:
    handle: _Handle = importlib.import_module("IPython.display").DisplayHandle()
    return handle


class _CellOutput:
    """An output of the cell that is running, with a display handle."""

    def __init__(self) -> None:
        self._handle: _Handle | None = None

    def show(self, content: Content, *, is_last: bool) -> None:
        bundle = {"text/html": content.as_html(), "text/plain": content.as_text()}
        if self._handle is None:
            self._handle = _new_handle()
            self._handle.display(bundle, raw=True)
        else:
            self._handle.update(bundle, raw=True)


class _TerminalOutput:
    """Lines of a terminal, written over the earlier ones."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = 0

    def show(self, content: Content, *, is_last: bool) -> None:
        text = content.as_text()
        up = f"\x1b[{self._lines}F\x1b[J" if self._lines else ""
        self._stream.write(f"{up}{text}\n")
        self._stream.flush()
        self._lines = text.count("\n") + 1


class _FileOutput:
    """A file or a pipe, which gets the last content only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, content: Content, *, is_last: bool) -> None:
        if is_last:
            self._stream.write(f"{content.as_text()}\n")
            self._stream.flush()
