"""Process-wide state that a task may have changed in its worker, restored before the next task."""

import contextlib
import importlib
import locale
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["WorkerState"]

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

_SIGNALS = tuple(map(int, signal.valid_signals()))
_get_handler: Callable[[int], Any] = getattr(importlib.import_module("_signal"), "getsignal", signal.getsignal)
"""The same without a conversion to enumerations, which costs more than all the rest of the state together."""


class _Aspect(NamedTuple):
    """One aspect of the process state, and how to read and set it."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


class WorkerState:
    """Snapshot of the process state, taken before the first task and restored after each; on the main thread only."""

    def __init__(self) -> None:
        self._aspects = _aspects()
        self._kept = [aspect.read() for aspect in self._aspects]

    def restore(self) -> str | None:
        """Restore the state. Never raises, whatever state the process is in.

        Returns:
            What could not be restored, as text; None if everything was.
        """
        lost = []
        for aspect, kept in zip(self._aspects, self._kept, strict=True):
            try:
                if aspect.read() != kept:
                    aspect.write(kept)
                    if aspect.read() != kept:
                        lost.append(aspect.name)
            except Exception as error:  # noqa: BLE001 - for example no permission to raise a limit again
                lost.append(f"{aspect.name} ({type(error).__name__}: {error})")
        return "; ".join(lost) or None


def _aspects() -> list[_Aspect]:
    found = [
        _Aspect("environment variables", _variables, _set_variables),
        _Aspect("working folder", _folder, os.chdir),
        _Aspect("umask", _umask, os.umask),
        _Aspect("standard streams", lambda: (sys.stdin, sys.stdout, sys.stderr), _set_streams),
        _Aspect("sys.path", lambda: list(sys.path), lambda kept: sys.path.__setitem__(slice(None), kept)),
        _Aspect("sys.argv", lambda: list(sys.argv), lambda kept: setattr(sys, "argv", list(kept))),
        _Aspect("recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
        _Aspect("excepthook", lambda: sys.excepthook, lambda kept: setattr(sys, "excepthook", kept)),
        _Aspect("trace function", sys.gettrace, sys.settrace),
        _Aspect("profile function", sys.getprofile, sys.setprofile),
        _Aspect("locale", lambda: locale.setlocale(locale.LC_ALL), lambda kept: locale.setlocale(locale.LC_ALL, kept)),
        _Aspect("timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
        _Aspect("stack size of threads", threading.stack_size, threading.stack_size),
        _Aspect("handlers of signals", _handlers, _set_handlers),
    ]
    if os.name == "posix":
        found += [
            _Aspect("alarms", _alarms, _stop_alarms),
            _Aspect("blocked signals", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()), _set_blocked),
            _Aspect("users and groups", lambda: (os.getuid(), os.geteuid(), os.getgid(), os.getegid()), _cannot),
            _Aspect("priority", lambda: os.getpriority(os.PRIO_PROCESS, 0), _set_priority),
        ]
    if hasattr(os, "sched_getaffinity"):
        found.append(_Aspect("processors", lambda: os.sched_getaffinity(0), lambda kept: os.sched_setaffinity(0, kept)))
    if resource is not None:
        found += [_limit(name) for name in sorted(dir(resource)) if name.startswith("RLIMIT_")]
    return found


def _limit(name: str) -> _Aspect:
    assert resource is not None
    number: int = getattr(resource, name)
    get, put = resource.getrlimit, resource.setrlimit
    return _Aspect(f"limit {name}", lambda: get(number), lambda kept: put(number, kept))


def _variables() -> dict[Any, Any]:
    """Return the variables as the process has them; decoding them takes a hundred times as long."""
    return dict(getattr(os.environ, "_data", os.environ))


def _set_variables(kept: dict[Any, Any]) -> None:
    wanted = {os.fsdecode(name): os.fsdecode(value) for name, value in kept.items()}
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)


def _folder() -> str | None:
    """Return the working folder; None if it has been removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _set_streams(kept: tuple[Any, Any, Any]) -> None:
    sys.stdin, sys.stdout, sys.stderr = kept


def _handlers() -> dict[int, Any]:
    return {number: _get_handler(number) for number in _SIGNALS}


def _set_handlers(kept: dict[int, Any]) -> None:
    for number, handler in kept.items():
        if handler is not None and _get_handler(number) != handler:
            signal.signal(number, handler)


def _alarms() -> tuple[bool, ...]:
    timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return tuple(signal.getitimer(timer) != (0.0, 0.0) for timer in timers)


def _stop_alarms(kept: object) -> None:
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)


def _set_blocked(kept: set[int]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def _set_priority(kept: int) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, kept)


def _cannot(kept: object) -> None:
    raise PermissionError("cannot be restored")
