"""The notebook cell that is running, if this program is the kernel of a notebook; IPython itself is never imported."""

import sys
from collections.abc import Callable
from typing import Protocol

__all__ = ["CellEnd", "Shell", "current_cell", "in_notebook", "running_shell"]


class CellEnd(Protocol):
    """The result of a cell, as IPython hands it to its callbacks."""

    error_in_exec: BaseException | None


class _Events(Protocol):
    def register(self, event: str, function: Callable[[CellEnd], None]) -> None: ...

    def unregister(self, event: str, function: Callable[[CellEnd], None]) -> None: ...


class Shell(Protocol):
    """What is used of IPython's shell."""

    execution_count: int
    events: _Events


def running_shell() -> Shell | None:
    """Return the IPython shell of this process, at a terminal or in a notebook; None in another program."""
    ipython = sys.modules.get("IPython")
    shell: Shell | None = None if ipython is None else ipython.get_ipython()
    return shell


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return getattr(running_shell(), "kernel", None) is not None


def current_cell() -> int | None:
    """Return the number of the cell that is running; None outside of IPython."""
    shell = running_shell()
    return None if shell is None else shell.execution_count
