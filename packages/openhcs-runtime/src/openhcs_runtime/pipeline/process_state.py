"""Restoring of process state after a function: working folder, environment, limits, signal handlers, streams ...

Changes made by a function are undone when it returns, so that they affect neither the engine nor other wells. Threads
share this state: a well can see changes made by a function in another thread until that function returns.
"""

import contextlib
import gc
import locale
import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

__all__ = ["Keeper", "SpoiltError", "process_keeper"]


class SpoiltError(Exception):
    """A function has changed process state that can't be restored."""


_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXCPU")
    if hasattr(signal, name)
)
"""The signals that programs usually handle; reading the handler of each takes some microseconds."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the process state; ``read`` returns None if it is not available, and then it is not restored."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _working_folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _umask() -> int | None:
    """Return the umask without changing it, which would affect other threads; None if the system does not tell."""
    with (
        contextlib.suppress(OSError, ValueError),
        open("/proc/self/status", encoding="ascii", errors="replace") as file,
    ):
        return next((int(line.split()[1], 8) for line in file if line.startswith("Umask:")), None)
    return None


def _set_environment(wanted: dict[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
    if hasattr(time, "tzset"):
        time.tzset()


def _set_filters(wanted: list[Any]) -> None:
    warnings.resetwarnings()  # invalidates the caches of the module
    warnings.filters[:] = wanted  # type: ignore[index]


def _handlers() -> dict[signal.Signals, Any] | None:
    """Return the signal handlers; None outside the main thread, which alone can set them."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return {number: signal.getsignal(number) for number in _SIGNALS}


def _set_handlers(wanted: dict[signal.Signals, Any]) -> None:
    for number, handler in wanted.items():
        if handler is not None and signal.getsignal(number) != handler:
            signal.signal(number, handler)


def _has_timer() -> bool | None:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0 if hasattr(signal, "getitimer") else None


def _end_timer(had_one: bool) -> None:
    if not had_one:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _limits() -> dict[int, tuple[int, int]] | None:
    try:
        import resource  # noqa: PLC0415  not on all platforms
    except ImportError:
        return None
    numbers = {value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}
    return {number: resource.getrlimit(number) for number in numbers}


def _set_limits(wanted: dict[int, tuple[int, int]]) -> None:
    import resource  # noqa: PLC0415

    for number, limits in wanted.items():
        if resource.getrlimit(number) != limits:
            resource.setrlimit(number, limits)


def _streams() -> tuple[Any, ...]:
    return sys.stdin, sys.stdout, sys.stderr


def _set_streams(wanted: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = wanted


def _set_collecting(wanted: bool) -> None:
    (gc.enable if wanted else gc.disable)()


_PARTS = (
    _Part("the working folder", _working_folder, os.chdir),
    _Part("the umask", _umask, os.umask),
    _Part("environment variables", lambda: dict(os.environ), _set_environment),
    _Part("the locale", lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    _Part("warning filters", lambda: list(warnings.filters), _set_filters),
    _Part("signal handlers", _handlers, _set_handlers),
    _Part("a timer", _has_timer, _end_timer),
    _Part("resource limits", _limits, _set_limits),
    _Part("standard streams", _streams, _set_streams),
    _Part("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    _Part(
        "the default socket timeout",
        lambda: (socket.getdefaulttimeout(),),
        lambda timeout: socket.setdefaulttimeout(*timeout),
    ),
    _Part("garbage collection", gc.isenabled, _set_collecting),
    _Part("the logging level", lambda: logging.root.manager.disable, logging.disable),
)


class Keeper:
    """Context manager that restores the process to its state at the start of the first open block.

    Blocks of several threads may overlap, and blocks of one thread may be nested; an inner block costs half as much.

    Attributes:
        is_spoilt: Whether something could not be restored; no other well should run in this process.

    Raises:
        SpoiltError: At the end of a block, if something can't be restored.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._pid = 0
        self._found: list[tuple[_Part, Any]] = []
        self._descriptors = _Descriptors()
        self.is_spoilt = False

    def __enter__(self) -> None:
        with self._lock:
            if self._blocks == 0:
                self._pid = os.getpid()
                self._descriptors.save()
                self._found = [(part, found) for part in _PARTS if (found := part.read()) is not None]
            self._blocks += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # in a process that the function forked and that returned here as well
        with self._lock:
            self._blocks -= 1
            self._descriptors.restore()
            _mend_streams(self._found)
            lost = [text for part, found in self._found if part.read() != found and (text := _put_back(part, found))]
            if self._blocks == 0:
                self._descriptors.forget()
            if lost:
                self.is_spoilt = True
                self._found = [(part, now) for part, _ in self._found if (now := part.read()) is not None]
                raise SpoiltError(f"it changed process state that can't be restored: {'; '.join(lost)}") from error


def _put_back(part: _Part, found: Any) -> str:
    """Restore a part; return what can't be restored and why, or an empty string."""
    try:
        part.write(found)
    except (OSError, ValueError, TypeError, locale.Error) as error:
        return f"{part.name} ({error})"
    return ""


class _Descriptors:
    """Duplicates of the descriptors of standard input, output and error."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, tuple[int, int]]] = {}

    def save(self) -> None:
        for number in (0, 1, 2):
            identity = _identity(number)
            if identity is not None:
                self._kept[number] = os.dup(number), identity

    def restore(self) -> None:
        for number, (copy, identity) in self._kept.items():
            if _identity(number) != identity:
                os.dup2(copy, number, inheritable=True)

    def forget(self) -> None:
        for copy, _ in self._kept.values():
            with contextlib.suppress(OSError):
                os.close(copy)
        self._kept.clear()


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _mend_streams(found: list[tuple[_Part, Any]]) -> None:
    """Replace standard streams that were closed by new ones."""
    for place, (part, streams) in enumerate(found):
        if part.read is _streams and any(getattr(stream, "closed", False) for stream in streams):
            found[place] = (
                part,
                tuple(
                    open(number, "w" if number else "r", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
                    if getattr(stream, "closed", False)
                    else stream
                    for number, stream in enumerate(streams)
                ),
            )


process_keeper = Keeper()
"""The keeper of this process."""
