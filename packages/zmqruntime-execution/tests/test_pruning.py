"""Old executions are deleted in small steps, so that requests find the server free in between."""

from collections.abc import Callable, Iterator

import pytest

from zmqruntime.execution.server.pruning import AT_ONCE, PAUSE_SECONDS, Pruning
from zmqruntime.loop import SocketLoop, Timer


@pytest.fixture
def loop() -> Iterator[SocketLoop]:
    loop = SocketLoop("test")
    yield loop
    loop.dispose()


class Old:
    """Executions that are too many, and the pauses between their deletions."""

    def __init__(self, loop: SocketLoop, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = count
        self.steps: list[int] = []
        self.pauses: list[float] = []
        self.next: list[Callable[[], None]] = []
        monkeypatch.setattr(loop, "call_soon", self.next.append)
        monkeypatch.setattr(loop, "call_later", self.later)
        self.pruning = Pruning(loop, self.prune)

    def prune(self, at_most: int) -> int:
        gone = min(self.left, at_most)
        self.left -= gone
        self.steps.append(gone)
        return gone

    def later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.pauses.append(delay)
        self.next.append(call)
        return Timer(delay, call)

    def run(self) -> None:
        while self.next:
            self.next.pop(0)()


def test_few_at_a_time_with_a_pause_after_each(loop: SocketLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Old(loop, 2 * AT_ONCE + 1, monkeypatch)
    old.pruning.begin()
    old.pruning.begin()  # as after each few hundred endings
    old.run()
    assert old.steps == [AT_ONCE, AT_ONCE, 1, 0]
    assert old.pauses == [PAUSE_SECONDS] * 3
    old.left = 1
    old.pruning.begin()
    old.run()
    assert old.steps[4:] == [1, 0]


def test_history_does_not_grow_while_it_is_deleted(loop: SocketLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    old = Old(loop, 50, monkeypatch)
    old.pruning.note_end()  # not counted: nothing is deleted just now
    old.pruning.begin()
    for _ in range(40):
        old.pruning.note_end()
        old.left += 1
    old.run()
    assert old.steps == [AT_ONCE + 40, AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE, 0]
