"""Functions that wait for executions of their own server, each of which takes a worker that the others need."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

__all__ = ["running_on", "warn_of_wait"]

_log = logging.getLogger(__name__)


class _Run:
    """A function that is running here."""

    def __init__(self, port: int, workers: int) -> None:
        self.port = port
        self.workers = workers
        self.has_warned = False


_RUN: ContextVar[_Run | None] = ContextVar("run", default=None)


@contextlib.contextmanager
def running_on(port: int, workers: int) -> Iterator[None]:
    """Note, within the block, that a function runs on the server of this port, in one of its workers."""
    token = _RUN.set(_Run(port, workers))
    try:
        yield
    finally:
        _RUN.reset(token)


def warn_of_wait(port: int, execution_id: str) -> None:
    """Say, once in a run, that the function which runs here waits for an execution of its own server."""
    run = _RUN.get()
    if run is None or run.port != port or run.has_warned:
        return
    run.has_warned = True
    _log.warning(
        "this function waits for execution %s of its own executor and keeps its worker, one of %d, meanwhile: if all "
        "workers wait like this, none of them ever ends; submit with after=[...] and return, or use an executor of "
        "another name for what it submits",
        execution_id,
        run.workers,
    )
