"""Waiting for the successor of a lost server, with attempts to start it that the test decides on."""

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from zmqruntime.exceptions import ServerStartError, ZMQRuntimeError
from zmqruntime.loop import SocketLoop
from zmqruntime.recovery import Recovery


class Case:
    """A recovery whose first attempt to start a successor fails when the test lets it."""

    def __init__(self, loop: SocketLoop, window: float) -> None:
        self.let_fail = threading.Event()
        self.given_up: queue.SimpleQueue[ZMQRuntimeError | None] = queue.SimpleQueue()
        self.recovery = Recovery(loop, self._attempt, window, self.given_up.put)
        self._loop = loop

    def _attempt(self, seconds: float) -> None:
        self.let_fail.wait()
        raise ServerStartError("it says why")

    def on_loop(self, call: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon(call)
        self._loop.call_soon(done.set)
        assert done.wait(30)


@pytest.fixture
def loop() -> Iterator[SocketLoop]:
    loop = SocketLoop("test")
    loop.start()
    yield loop
    loop.stop()
    loop.join()


def test_a_window_that_ends_during_the_first_attempt_ends_with_the_error_of_that_attempt(loop: SocketLoop) -> None:
    case = Case(loop, window=0.0)
    case.on_loop(lambda: case.recovery.begin(may_start=True))
    passed = threading.Event()

    def begin_later_timer() -> None:
        loop.call_later(0.0, passed.set)

    case.on_loop(begin_later_timer)
    assert passed.wait(30)
    assert case.given_up.empty()
    case.let_fail.set()
    assert str(case.given_up.get(timeout=30)) == "it says why"
    case.recovery.join()
    assert case.given_up.empty()


def test_without_an_attempt_the_window_ends_in_time(loop: SocketLoop) -> None:
    case = Case(loop, window=0.0)
    case.on_loop(lambda: case.recovery.begin(may_start=False))
    assert case.given_up.get(timeout=30) is None


def test_a_successor_that_answers_late_is_not_given_up(loop: SocketLoop) -> None:
    case = Case(loop, window=0.0)
    case.on_loop(lambda: case.recovery.begin(may_start=True))
    case.on_loop(case.recovery.end)
    case.let_fail.set()
    case.recovery.join()
    case.on_loop(lambda: None)
    assert case.given_up.empty()
