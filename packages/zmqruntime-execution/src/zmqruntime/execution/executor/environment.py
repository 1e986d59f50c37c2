"""The environment in which functions run: variables, working folder and search path of the program that submits."""

import os
import sys
import sysconfig
from collections.abc import Sequence

import msgspec

from zmqruntime.environment import TaskEnvironment

__all__ = ["SEARCH_PATH", "environment_here", "search_path", "with_search_path"]

SEARCH_PATH = "PYTHONPATH"
_STANDARD = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}


def search_path() -> list[str]:
    """Return the folders from which this program imports, other than those of every program of this Python."""
    entries = dict.fromkeys(os.path.abspath(entry) for entry in sys.path)
    return [entry for entry in entries if not _is_standard(entry) and os.path.exists(entry)]


def with_search_path(environment: TaskEnvironment, entries: Sequence[str]) -> TaskEnvironment:
    """Return the environment with these folders to import from."""
    variables = {name: value for name, value in environment.variables.items() if name != SEARCH_PATH}
    if entries:
        variables[SEARCH_PATH] = os.pathsep.join(entries)
    return msgspec.structs.replace(environment, variables=variables)


def environment_here() -> TaskEnvironment:
    """Return the environment of this program, with its search path.

    Raises:
        ConfigurationError: A variable or the folder is not text, or the folder has been removed.
    """
    return with_search_path(TaskEnvironment.current(), search_path())


def _is_standard(entry: str) -> bool:
    return entry in _STANDARD or entry.endswith(".zip") or os.path.basename(entry) == "lib-dynload"
