"""Pytest fixtures for programs built on this package: a separate home folder, and a check for leaks.

Import them in a ``conftest.py``; nothing imports this module at run time.
"""

import asyncio
import contextlib
import gc
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from zmq.utils.garbage import gc as _collector

from zmqruntime.testing_segments import own_segments

__all__ = ["isolated_home", "leak_check", "no_leaks", "own_home", "until", "zero_copy_thread"]

_END_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_LIBRARY_PROCESSES = ("resource_tracker", "forkserver")  # multiprocessing keeps one of each until the process ends


@pytest.fixture
def isolated_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide a new home folder, short enough for socket paths, for this test and the processes that it starts."""
    with own_home(monkeypatch) as home:
        yield home


@contextlib.contextmanager
def own_home(patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide what :func:`isolated_home` does, for a fixture that several tests share."""
    home = Path(tempfile.mkdtemp(prefix="zr"))
    for variable in ("HOME", "USERPROFILE"):
        patch.setenv(variable, str(home))
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        patch.delenv(variable, raising=False)
    yield home
    left = [path for path in home.rglob("*") if path.is_socket()]
    shutil.rmtree(home, ignore_errors=True)
    assert not left, f"socket files were left behind: {left}"


@pytest.fixture(scope="session")
def zero_copy_thread() -> None:
    """Start the pyzmq thread that frees buffers sent without a copy before the first test that may need it.

    It keeps running until the process ends.
    """
    if not _collector.is_alive():
        _collector.start()


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread, a child process, a file descriptor or shared memory behind.

    Only what this process and its descendants made counts, not what other programs are doing at the same time.
    """
    with leak_check():
        yield


@contextlib.contextmanager
def leak_check() -> Iterator[None]:
    """Check what :func:`no_leaks` does, for a fixture that several tests share."""
    gc.collect()
    threads, children, shared = set(threading.enumerate()), _children(), own_segments()
    descriptors = _descriptors()
    yield
    gc.collect()
    for thread in set(threading.enumerate()) - threads:
        thread.join(_END_SECONDS)
    new_threads = [thread.name for thread in set(threading.enumerate()) - threads]
    assert not new_threads, f"threads were left behind: {new_threads}"
    _, alive = psutil.wait_procs([child for child in _children() if child not in children], _END_SECONDS)
    assert not alive, f"processes were left behind: {[child.cmdline() for child in alive]}"
    left = _left_for_good(shared)
    assert not left, f"shared memory was left behind: {left}"
    assert _descriptors() <= descriptors + _SPARE_DESCRIPTORS, "file descriptors were left behind"


_SPARE_DESCRIPTORS = 4  # opened once and kept by libraries, for example for a source of random numbers


def _children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            if not any(name in " ".join(child.cmdline()) for name in _LIBRARY_PROCESSES):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def _left_for_good(before: set[str]) -> set[str]:
    """Return the segments of this process tree that were created since and are not removed in time.

    If tests are running in several processes, a segment whose maker was killed may belong to another test, which will
    remove it soon.
    """
    deadline, pause = time.monotonic() + _END_SECONDS, threading.Event()
    while (left := own_segments() - before) and time.monotonic() < deadline:
        pause.wait(_LOOK_SECONDS)
    return left


def _descriptors() -> int:
    return psutil.Process().num_fds() if os.name == "posix" else 0


async def until(condition: Callable[[], bool], *connects: Callable[[Callable[..., object]], object]) -> None:
    """Wait for a condition on an event loop, which is looked at when something has changed.

    Args:
        condition: What to wait for.
        connects: Each is called with a callback that tells of a change, such as ``signal.connect``.

    Raises:
        TimeoutError: It does not hold after 60 s.
    """
    changed = asyncio.Event()
    for connect in connects:
        connect(lambda *_: changed.set())
    async with asyncio.timeout(60):
        while not condition():
            await changed.wait()
            changed.clear()
