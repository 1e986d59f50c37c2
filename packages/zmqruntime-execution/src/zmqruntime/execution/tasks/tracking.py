"""``track`` and ``report``: the progress of the code that is running, with as few words as possible."""

import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Generic, Self, TypeVar, overload

from zmqruntime.execution.tasks.amounts import Number, amount_of, text_of
from zmqruntime.execution.tasks.loops import Loop, Meter, clean_name, current_loop
from zmqruntime.execution.tasks.meters import LineMeter, TaskMeter
from zmqruntime.execution.tasks.steps import Step
from zmqruntime.execution.tasks.task import current_task

__all__ = ["report", "track"]

T = TypeVar("T")

_MOST_ITEMS = 2**53


@overload
def track(iterable: Iterable[T], name: str = "", *, total: int | None = None, bar: bool = False) -> Iterator[T]: ...
@overload
def track(
    iterable: AsyncIterable[T], name: str = "", *, total: int | None = None, bar: bool = False
) -> AsyncIterator[T]: ...
def track(
    iterable: Iterable[T] | AsyncIterable[T], name: str = "", *, total: int | None = None, bar: bool = False
) -> Iterator[T] | AsyncIterator[T]:
    """Iterate over the items, and report the progress of the loop to the current task.

    The loop is also a place where the task can be cancelled, before each item, and its duration goes to the log of the
    task. There are at most about 10 reports a second. In a loop inside of a tracked loop, the outer one is the axis of
    the progress, which can be cancelled alone by its name, and the inner one is the step.

    Outside of any task, this only iterates. The task is the one of the code that calls this function; the items may be
    taken in another thread.

    Args:
        iterable: Items, such as a list, a generator or an asynchronous iterator.
        name: Name of the loop, for views of the progress. Loops that run side by side need different names.
        total: Number of items, if ``iterable`` has no length.
        bar: Whether to show the progress on standard error, outside of any task and if that is a terminal.

    Returns:
        An iterator over the items, asynchronous if ``iterable`` is.

    Raises:
        TypeError: ``iterable`` is not iterable, ``name`` is not a string or ``total`` is not an integer.
        ValueError: ``total`` is negative.
        TaskCancelled: In the loop: the task was asked to stop, or the loop was, by its name.
    """
    loop = _loop_for(name, _count_of(iterable) if total is None else _checked(total), bar)
    if isinstance(iterable, AsyncIterable) and not isinstance(iterable, Iterable):
        return aiter(iterable) if loop is None else _AsyncTracked(iterable, loop)
    items = iter(iterable)  # also of a sequence that only has ``__getitem__``
    return items if loop is None else _tracked(items, loop)


@overload
def report(done: Number, total: Number | None = None, text: str = "") -> None: ...
@overload
def report(done: Step) -> None: ...
def report(done: Number | Step, total: Number | None = None, text: str = "") -> None:
    """Report how much of the current task is done; see :meth:`Task.report`. Outside of any task, it does nothing.

    In a loop over :func:`track`, this says how much of the present item is done.

    A callback that is off by one, or passes floats, does not fail the task: ``done`` is kept between 0 and ``total``,
    units that are done are rounded down and totals are rounded up, and the percentage is computed before rounding. A
    total that is infinite or negative, or zero although units are done, counts as unknown.

    Args:
        done: Number of completed units of work, or a :class:`Step`.
        total: Total number of units; None if it is unknown.
        text: Text for the user; cut after 16,384 characters.

    Raises:
        TypeError: ``done`` or ``total`` is not a number, or ``text`` is not a string.
        ValueError: ``done`` or ``total`` is nan, or ``done`` is infinite.
        InvalidProgressError: A field of the step, apart from its ``done`` and ``total``, has the wrong type or is out
            of range.
    """
    task = current_task()
    loop = current_loop()
    if isinstance(done, Step):
        task.report(done)
    elif loop is None:
        task.report(done, total, text)
    else:
        loop.say(amount_of(done, total), text_of(text))


def _loop_for(name: str, total: int | None, bar: bool) -> Loop | None:
    name = clean_name(name)
    task = current_task()
    meter: Meter | None = None
    if not task.is_detached:
        meter = TaskMeter(task, name)
    elif bar and sys.stderr is not None and sys.stderr.isatty():
        meter = LineMeter(sys.stderr)
    return None if meter is None else Loop(name, total, meter)


def _count_of(iterable: object) -> int | None:
    if not isinstance(iterable, Sized):
        return None
    try:
        count = len(iterable)
    except (TypeError, NotImplementedError, OverflowError):  # some have the method, but no length
        return None
    return count if count <= _MOST_ITEMS else None


def _checked(total: int) -> int | None:
    if isinstance(total, bool) or not isinstance(total, int):
        raise TypeError(f"total must be a number of items, not {type(total).__name__}")
    if total < 0:
        raise ValueError(f"total must not be negative, but it is {total}")
    return total if total <= _MOST_ITEMS else None


def _tracked(iterable: Iterable[T], loop: Loop) -> Iterator[T]:
    place, clock = loop.place, time.monotonic
    try:
        loop.begin()
        meter = loop.meter
        for done, item in enumerate(iterable, 1):
            yield item
            place.done = done  # as in loop.step(), for loops that have millions of items
            if meter.asked:
                meter.check()
            if clock() >= meter.due:
                loop.show()
        loop.finish()
    finally:
        loop.end()


class _AsyncTracked(Generic[T]):
    """An asynchronous iterator over the items of another one."""

    def __init__(self, iterable: AsyncIterable[T], loop: Loop) -> None:
        self._items = aiter(iterable)
        self._loop = loop
        self._given = -1

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            if self._given < 0:
                self._loop.begin()
            elif self._given:
                self._loop.step(self._given)
            self._given = max(self._given, 0)
            item = await anext(self._items)
        except StopAsyncIteration:
            self._loop.finish()
            self._loop.end()
            raise
        except BaseException:
            self._loop.end()
            raise
        self._given += 1
        return item

    def __del__(self) -> None:
        self._loop.end()
