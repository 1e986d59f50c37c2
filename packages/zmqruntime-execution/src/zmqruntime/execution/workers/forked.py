"""Ends a process that a task has forked where it comes out of the task, so that it never goes on as a worker."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["in_this_process"]

P = ParamSpec("P")
R = TypeVar("R")


def in_this_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function and return its result; in a process that it has forked, this does not return."""
    pid = os.getpid()
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        if os.getpid() != pid:
            _end(error)
        raise
    if os.getpid() != pid:
        _end(None)
    return result


def _end(error: BaseException | None) -> None:
    """End the process as the interpreter would, except that nothing of the worker is closed or told to the server."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        code = 1
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the task has closed it
            stream.flush()
    os._exit(code)
