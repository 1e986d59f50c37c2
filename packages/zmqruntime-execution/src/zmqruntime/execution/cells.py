"""The notebook in which this program is running, if it is the kernel of one; IPython itself is never imported."""

import sys
from collections.abc import Callable
from typing import Protocol

__all__ = ["CellEnd", "Shell", "in_notebook", "running_shell"]


class CellEnd(Protocol):
    """The result of a cell, as IPython hands it to its callbacks."""

    error_in_exec: BaseException | None


class _Events(Protocol):
    def register(self, event: str, function: Callable[..., None]) -> None: ...

    def unregister(self, event: str, function: Callable[..., None]) -> None: ...


class _Formatter(Protocol):
    def for_type(self, kind: type, function: Callable[..., str | None]) -> object: ...


class _Formatters(Protocol):
    formatters: dict[str, _Formatter]


class Shell(Protocol):
    """What is used of IPython's shell."""

    events: _Events
    display_formatter: _Formatters


def running_shell() -> Shell | None:
    """Return the shell of the notebook kernel that this process is; None in any other program."""
    ipython = sys.modules.get("IPython")
    shell: Shell | None = None if ipython is None else ipython.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return running_shell() is not None
