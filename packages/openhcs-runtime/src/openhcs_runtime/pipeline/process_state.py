"""A function leaves the process as it found it: working folder, environment, limits, signal handlers, streams ...

What it changed of these is put back when it returns, so that it reaches neither the engine nor another well. Threads of
one process share all of it: there a well may see what another one changes until that one's function returns.
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
    """A function has changed something of its process that can't be put back."""


_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXCPU")
    if hasattr(signal, name)
)
"""Those that a program usually handles: to ask for each of them costs some microseconds."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that a process has one of. `read` gives None where that can't be had, and then nothing is put back."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _working_folder() -> str | None:
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def _umask() -> int | None:
    """Without changing it, which other threads would see; None where the system does not tell."""
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
    warnings.resetwarnings()  # tells the module that they change
    warnings.filters[:] = wanted  # type: ignore[index]


def _handlers() -> dict[signal.Signals, Any] | None:
    """Signal handlers; only the main thread may set them."""
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
    _Part("filters of warnings", lambda: list(warnings.filters), _set_filters),
    _Part("signal handlers", _handlers, _set_handlers),
    _Part("a timer", _has_timer, _end_timer),
    _Part("limits of resources", _limits, _set_limits),
    _Part("standard streams", _streams, _set_streams),
    _Part("the limit of recursion", sys.getrecursionlimit, sys.setrecursionlimit),
    _Part(
        "the time-out of sockets",
        lambda: (socket.getdefaulttimeout(),),
        lambda timeout: socket.setdefaulttimeout(*timeout),
    ),
    _Part("garbage collection", gc.isenabled, _set_collecting),
    _Part("the level of logging", lambda: logging.root.manager.disable, logging.disable),
)


class Keeper:
    """Puts the process back when a `with` block ends, to what it was when the first of those that are open began.

    Blocks of several threads may overlap, and those of one thread may be nested: then an inner one costs half.

    is_spoilt: something could not be put back: no other well should run in this process.

    The end of a block raises SpoiltError when that happens.
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
            os._exit(0)  # a copy of the process, which the function made and let return, too
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
                raise SpoiltError(f"it changed what can't be put back: {'; '.join(lost)}") from error


def _put_back(part: _Part, found: Any) -> str:
    """Empty, or what can't be put back and why."""
    try:
        part.write(found)
    except (OSError, ValueError, TypeError, locale.Error) as error:
        return f"{part.name} ({error})"
    return ""


class _Descriptors:
    """The descriptors of standard input, output and error, kept under other numbers."""

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
    """In the place of standard streams that were closed, put new ones."""
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
"""The one of this process."""
