"""``map``: calls are submitted in batches, and their results read in order."""

import concurrent.futures
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from zmqruntime.exceptions import RequestRefusedError, ZMQRuntimeError
from zmqruntime.execution.executor.futures import TaskFuture
from zmqruntime.messages import ErrorCode

__all__ = ["mapped"]

_BATCH: Final = 500
"""How many executions one request submits."""

Chunk = Sequence[tuple[Any, ...]]
SubmitBatch = Callable[[Sequence[Chunk]], list[TaskFuture[Any]]]
CancelAll = Callable[[Sequence[TaskFuture[Any]]], None]


def mapped(
    submit: SubmitBatch,
    cancel: CancelAll,
    iterables: Sequence[Iterable[Any]],
    *,
    timeout: float | None,
    chunksize: int,
    buffersize: int | None,
) -> Iterator[Any]:
    """Submit calls for the items of iterables and return an iterator over their results.

    Args:
        submit: Submits several executions at once.
        cancel: Cancels several executions at once.
        iterables: Arguments of the calls.
        timeout: Seconds from now within which each result must arrive; None for no limit.
        chunksize: How many calls one execution makes.
        buffersize: How many executions are submitted ahead; None for all.

    Raises:
        ValueError: A size is below 1.
    """
    if chunksize < 1:
        raise ValueError(f"chunksize must be 1 or more, not {chunksize}")
    if buffersize is not None and buffersize < 1:
        raise ValueError(f"buffersize must be None or 1 or more, not {buffersize}")
    deadline = None if timeout is None else time.monotonic() + timeout
    items = zip(*iterables, strict=False)
    chunks = iter(lambda: tuple(itertools.islice(items, chunksize)), ())
    waiting: deque[TaskFuture[Any]] = deque()
    _fill(submit, chunks, waiting, buffersize)
    return _results(submit, cancel, chunks, waiting, deadline, chunksize, buffersize)


def _fill(
    submit: SubmitBatch, chunks: Iterator[Chunk], waiting: "deque[TaskFuture[Any]]", buffersize: int | None
) -> None:
    while buffersize is None or len(waiting) < buffersize:
        room = _BATCH if buffersize is None else min(_BATCH, buffersize - len(waiting))
        batch = list(itertools.islice(chunks, room))
        if not batch:
            return
        waiting += _submitted(submit, batch, waiting)


def _submitted(submit: SubmitBatch, batch: Sequence[Chunk], waiting: "deque[TaskFuture[Any]]") -> list[TaskFuture[Any]]:
    """Submit a batch; while the queue is full, wait until some of the earlier ones are done."""
    while True:
        try:
            return submit(batch)
        except RequestRefusedError as error:
            unfinished = [future for future in waiting if not future.done()]
            if error.code is not ErrorCode.QUEUE_FULL or not unfinished:
                raise
            concurrent.futures.wait(unfinished[: len(batch)])


def _results(
    submit: SubmitBatch,
    cancel: CancelAll,
    chunks: Iterator[Chunk],
    waiting: "deque[TaskFuture[Any]]",
    deadline: float | None,
    chunksize: int,
    buffersize: int | None,
) -> Iterator[Any]:
    try:
        while waiting:
            if chunksize == 1:
                yield _next_result(waiting, deadline)
            else:
                yield from _next_result(waiting, deadline)
            if buffersize is not None:
                _fill(submit, chunks, waiting, buffersize)
    except Exception as error:
        try:
            cancel(waiting)
        except ZMQRuntimeError as failed:  # for the same reason, most likely
            error.add_note(f"The calls that had not ended were not cancelled: {failed}")
        raise
    except BaseException:  # closed early, or Ctrl-C
        cancel(waiting)
        raise


def _next_result(waiting: "deque[TaskFuture[Any]]", deadline: float | None) -> Any:
    """Return the result of the first future without keeping it; a future that is not done stays."""
    waiting[0].result(None if deadline is None else max(0.0, deadline - time.monotonic()))
    return waiting.popleft().result()
