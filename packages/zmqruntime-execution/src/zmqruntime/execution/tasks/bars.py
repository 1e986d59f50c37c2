"""Bars of the library ``tqdm``, in code of others, as the progress of a task."""

import contextlib
import importlib
import inspect
import io
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

from zmqruntime.execution.tasks.loops import Loop
from zmqruntime.execution.tasks.meters import TaskMeter
from zmqruntime.execution.tasks.task import current_task

__all__ = ["bars_as_progress"]

_LOOP = "_zmqruntime_loop"


class _Bar(Protocol):
    """What is used of an object of the class ``tqdm``."""

    iterable: object
    n: float
    total: float | None
    desc: str
    postfix: str | None
    disable: bool


@contextlib.contextmanager
def bars_as_progress() -> Iterator[None]:
    """Turn the ``tqdm`` bars that the current task makes within the block into its progress.

    Instead of being drawn, each bar is reported like a loop over :func:`track`: bars inside of bars are steps, and
    cancel requests stop the loop at the next update of its bar. ``tqdm.write`` still prints. Bars that are drawn by
    other means, such as those of ``tqdm.rich``, are reported, too, and still drawn. Bars of other tasks, and of code
    outside of any task, stay as they are; so this does nothing outside of a task, or if ``tqdm`` is not installed.
    """
    task = current_task()
    bar_class = None if task.is_detached else _bar_class()
    if bar_class is None:
        yield
        return
    with _hooks.installed(bar_class):
        task.loops.bars_wanted += 1
        try:
            yield
        finally:
            task.loops.bars_wanted -= 1


def _bar_class() -> type | None:
    try:
        found = importlib.import_module("tqdm.std").tqdm
    except ImportError:  # so no code can make a bar
        return None
    return found if isinstance(found, type) else None


class _Hooks:
    """Replaces five methods of the class of bars, as long as any task wants it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._originals: dict[str, Callable[..., Any]] = {}

    @contextlib.contextmanager
    def installed(self, bar_class: type) -> Iterator[None]:
        """Have the hooks in place within the block; for any number of threads at the same time."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                for name, make in _HOOKS.items():
                    self._originals[name] = getattr(bar_class, name)
                    setattr(bar_class, name, make(self._originals[name]))
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if not self._users:
                    for name, original in self._originals.items():
                        setattr(bar_class, name, original)


def _initialiser(original: Callable[..., object]) -> Callable[..., None]:
    signature = inspect.signature(original)

    def __init__(self: _Bar, *args: object, **kwargs: object) -> None:
        task = current_task()
        if not task.loops.bars_wanted:
            original(self, *args, **kwargs)
            return
        bound = signature.bind(self, *args, **kwargs)
        if bound.arguments.get("disable", False) is None:  # which is: only on a terminal
            bound.arguments["disable"] = False
        if bound.arguments.get("file") in (None, sys.stdout, sys.stderr):
            bound.arguments["file"] = _Nothing()
        original(*bound.args, **bound.kwargs)
        if not self.disable:
            name = self.desc.rstrip(": ") if self.desc else ""
            loop = Loop(name, _total_of(self), TaskMeter(task, name))
            setattr(self, _LOOP, loop)
            loop.begin()

    return __init__


def _updater(original: Callable[..., object]) -> Callable[..., object]:
    def update(self: _Bar, n: float | None = 1) -> object:
        drawn = original(self, n)
        loop = _loop_of(self)
        if loop is not None:
            _take_place(loop, self)  # also if no report is due: one of a bar inside of it shows it, too
            _go_on(loop)
        return drawn

    return update


def _refresher(original: Callable[..., object]) -> Callable[..., object]:
    def refresh(self: _Bar, *args: object, **kwargs: object) -> object:
        drawn = original(self, *args, **kwargs)
        loop = _loop_of(self)
        if loop is not None and self.iterable is None:  # so that code has set its number; a loop counts its items
            _take_place(loop, self)
            if time.monotonic() >= loop.meter.due:
                loop.show()
        return drawn

    return refresh


def _iterator(original: Callable[..., Iterator[object]]) -> Callable[..., Iterator[object]]:
    def __iter__(self: _Bar) -> Iterator[object]:
        loop = _loop_of(self)
        return original(self) if loop is None else _counted(original(self), loop, int(self.n))

    return __iter__


def _counted(items: Iterator[object], loop: Loop, begin: int) -> Iterator[object]:
    """Count each item: the bar itself only updates after a number of items that it adapts to their pace."""
    try:
        for done, item in enumerate(items, begin + 1):
            yield item
            loop.place.done = done
            _go_on(loop)
    finally:
        if isinstance(items, Generator):
            items.close()  # which closes the bar, also if the loop is left early


def _go_on(loop: Loop) -> None:
    """Report if it is time, and stop here if that was asked for."""
    if time.monotonic() >= loop.meter.due:
        loop.show()
    if loop.meter.asked:
        loop.meter.check()


def _closer(original: Callable[..., object]) -> Callable[..., None]:
    def close(self: _Bar) -> None:
        original(self)
        loop = _loop_of(self)
        if loop is not None:
            delattr(self, _LOOP)
            _take_place(loop, self)
            if loop.place.total is None:
                loop.finish()
            loop.end()

    return close


_HOOKS: dict[str, Callable[[Callable[..., Any]], Callable[..., object]]] = {
    "__init__": _initialiser,
    "__iter__": _iterator,
    "refresh": _refresher,
    "update": _updater,
    "close": _closer,
}
_hooks = _Hooks()


def _loop_of(bar: _Bar) -> Loop | None:
    loop = getattr(bar, _LOOP, None)
    return loop if isinstance(loop, Loop) else None


def _take_place(loop: Loop, bar: _Bar) -> None:
    place = loop.place
    place.done, place.total, place.text = max(0, int(bar.n)), _total_of(bar), bar.postfix or ""


def _total_of(bar: _Bar) -> int | None:
    return None if bar.total is None else max(0, int(bar.total))


class _Nothing(io.TextIOBase):
    """A file for bars that are not to be drawn."""

    def write(self, text: str) -> int:
        """Drop the text."""
        return len(text)
