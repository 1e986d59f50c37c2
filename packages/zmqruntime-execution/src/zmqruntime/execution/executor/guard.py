"""The guard of scripts: a worker loads the script of a function, which must not submit the function again."""

import ast
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from zmqruntime.exceptions import ConfigurationError

__all__ = ["check_guard"]


def check_guard(fn: Callable[..., Any], reference: str) -> None:
    """Check that loading the script of a function does not submit it.

    Raises:
        ConfigurationError: It is submitted by code at the top level of the script, outside of any guard.
    """
    place = reference.rpartition(":")[0]
    if getattr(fn, "__module__", None) != "__main__" or not place.endswith(".py"):
        return
    line = _line_at_top_level()
    if line is not None and not _is_guarded(place, line):
        raise ConfigurationError(
            f"{place} submits a function in line {line}, which every worker would do again when it loads the script: "
            'put what it does into a block if __name__ == "__main__":'
        )


def _line_at_top_level() -> int | None:
    """Return the line of the script that is running at its top level; None if none is, as in another thread."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            return frame.f_lineno
        frame = frame.f_back
    return None


@functools.lru_cache(maxsize=8)
def _guarded_lines(path: str) -> tuple[tuple[int, int], ...]:
    """Return the first and last lines of the blocks that only run in the main program."""
    tree = ast.parse(Path(path).read_bytes())
    return tuple(
        (node.lineno, node.end_lineno or node.lineno)
        for node in tree.body
        if isinstance(node, ast.If) and any(_is_dunder_name(each) for each in ast.walk(node.test))
    )


def _is_guarded(path: str, line: int) -> bool:
    try:
        return any(first <= line <= last for first, last in _guarded_lines(path))
    except (OSError, SyntaxError):  # the worker will tell
        return True


def _is_dunder_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "__name__"
