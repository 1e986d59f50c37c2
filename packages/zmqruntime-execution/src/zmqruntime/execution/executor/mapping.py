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
    waiting = _Waiting()
    _fill(submit, chunks, waiting, buffersize)
    return _results(submit, cancel, chunks, waiting, deadline, chunksize, buffersize)


class _Arrived:
    """A result that waits to be read, without the future that it has come with."""

    __slots__ = ("_result",)

    def __init__(self, result: Any) -> None:
        self._result = result

    def result(self, timeout: float | None = None) -> Any:
        """Return it."""
        return self._result


class _Waiting:
    """The results that were not read yet, in order: futures, or only the results of those that are done first."""

    def __init__(self) -> None:
        self._items: deque[TaskFuture[Any] | _Arrived] = deque()
        self._looked = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, futures: Sequence[TaskFuture[Any]]) -> None:
        """Add futures, and let go of earlier ones that are done, which are much larger than most results."""
        self._items += futures
        while self._looked < len(self._items):
            item = self._items[self._looked]
            if isinstance(item, TaskFuture):
                if not item.done():
                    return
                if not item.cancelled() and item.exception() is None:
                    self._items[self._looked] = _Arrived(item.result())
            self._looked += 1

    def unfinished(self) -> list[TaskFuture[Any]]:
        """Return the futures that are not done."""
        return [each for each in self._items if isinstance(each, TaskFuture) and not each.done()]

    def next_result(self, deadline: float | None) -> Any:
        """Return the first result without keeping it; a future that is not done stays."""
        self._items[0].result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self._looked = max(0, self._looked - 1)
        return self._items.popleft().result()


def _fill(submit: SubmitBatch, chunks: Iterator[Chunk], waiting: _Waiting, buffersize: int | None) -> None:
    while buffersize is None or len(waiting) < buffersize:
        room = _BATCH if buffersize is None else min(_BATCH, buffersize - len(waiting))
        batch = list(itertools.islice(chunks, room))
        if not batch:
            return
        waiting.add(_submitted(submit, batch, waiting))


def _submitted(submit: SubmitBatch, batch: Sequence[Chunk], waiting: _Waiting) -> list[TaskFuture[Any]]:
    """Submit a batch; while the queue is full, wait until some of the earlier ones are done."""
    while True:
        try:
            return submit(batch)
        except RequestRefusedError as error:
            unfinished = waiting.unfinished()
            if error.code is not ErrorCode.QUEUE_FULL or not unfinished:
                raise
            concurrent.futures.wait(unfinished[: len(batch)])


def _results(
    submit: SubmitBatch,
    cancel: CancelAll,
    chunks: Iterator[Chunk],
    waiting: _Waiting,
    deadline: float | None,
    chunksize: int,
    buffersize: int | None,
) -> Iterator[Any]:
    try:
        while len(waiting):
            if chunksize == 1:
                yield waiting.next_result(deadline)
            else:
                yield from waiting.next_result(deadline)
            if buffersize is not None:
                _fill(submit, chunks, waiting, buffersize)
    except Exception as error:
        try:
            cancel(waiting.unfinished())
        except ZMQRuntimeError as failed:  # for the same reason, most likely
            error.add_note(f"The calls that had not ended were not cancelled: {failed}")
        raise
    except BaseException:  # closed early, or Ctrl-C
        cancel(waiting.unfinished())
        raise
