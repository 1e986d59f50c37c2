"""What waits, what is on its way, what is current: without sockets."""

import pytest

from zmqruntime.streaming.backlog import Backlog, Item, Policy
from zmqruntime.streaming.pool import Block
from zmqruntime.streaming.wire import ImageMessage

WINDOW, BYTES = 2, 1000


class Bench:
    """A backlog, with what it freed and skipped."""

    def __init__(self, policy: Policy) -> None:
        self.freed: list[Block] = []
        self.skipped: list[int] = []
        self.backlog = Backlog(policy, self.freed.append, lambda item: self.skipped.append(item.ticket))
        self.ticket = 0

    def put(self, key: str = "", nbytes: int = 10) -> Item:
        self.ticket += 1
        content = ImageMessage(image_id=str(self.ticket), layer_name=key)
        item = Item(self.ticket, content, (key,), Block(memoryview(bytearray(nbytes)), nbytes), nbytes)
        self.backlog.put(item)
        return item

    def send(self, window: int = WINDOW) -> list[int]:
        sent = []
        while (item := self.backlog.send_next(window, BYTES)) is not None:
            sent.append(item.ticket)
        return sent


def test_latest_keeps_the_newest_of_each_key_and_counts_the_others() -> None:
    bench = Bench(Policy.LATEST)
    for key in ("a", "b", "a", "a", "c"):
        bench.put(key)
    assert bench.send(10) == [2, 4, 5]
    assert bench.skipped == [1, 3]
    assert bench.backlog.skipped == 2
    assert len(bench.freed) == 2


def test_all_keeps_everything_in_order() -> None:
    bench = Bench(Policy.ALL)
    for _ in range(4):
        bench.put("a")
    assert bench.send() == [1, 2]
    bench.backlog.done(1, keep=True)
    assert bench.send() == [3]
    assert bench.skipped == []


def test_bytes_on_their_way_are_bounded_but_one_item_always_goes() -> None:
    bench = Bench(Policy.ALL)
    bench.put(nbytes=5 * BYTES)
    bench.put(nbytes=10)
    assert bench.send() == [1]
    bench.backlog.done(1, keep=False)
    assert bench.send() == [2]


def test_what_was_shown_is_current_until_a_newer_one_is_shown() -> None:
    bench = Bench(Policy.LATEST)
    first, second = bench.put("a"), None
    bench.send()
    bench.backlog.done(1, keep=True)
    assert bench.freed == []
    second = bench.put("a")
    bench.send()
    bench.backlog.done(2, keep=True)
    assert bench.freed == [first.block]
    assert bench.backlog.forget_current()
    assert bench.freed == [first.block, second.block]
    assert not bench.backlog.forget_current()


def test_memory_that_the_viewer_still_reads_is_not_freed() -> None:
    bench = Bench(Policy.LATEST)
    item = bench.put("a")
    bench.send()
    bench.backlog.lend(item)
    bench.backlog.done(1, keep=False)
    assert bench.freed == []
    assert bench.backlog.lent_bytes == item.nbytes
    bench.backlog.released(1)
    assert bench.freed == [item.block]
    assert bench.backlog.lent_bytes == 0


@pytest.mark.parametrize("policy", list(Policy))
def test_the_next_viewer_gets_what_is_current_and_what_was_on_its_way(policy: Policy) -> None:
    bench = Bench(policy)
    shown = bench.put("a")
    bench.send()
    bench.backlog.lend(shown)
    bench.backlog.done(1, keep=True)
    bench.put("b")
    bench.put("c")
    bench.send()
    bench.put("c")
    bench.backlog.lost()
    expected = [1, 2, 4] if policy is Policy.LATEST else [1, 2, 3, 4]
    assert bench.send(10) == expected
    assert bench.backlog.skipped == (policy is Policy.LATEST)
    for ticket in expected:
        bench.backlog.done(ticket, keep=False)
    assert len({id(block) for block in bench.freed}) == len(bench.freed) == 4, "each block once"
    assert bench.backlog.is_idle


def test_a_repeat_that_is_superseded_is_not_counted_as_skipped() -> None:
    bench = Bench(Policy.LATEST)
    bench.put("a")
    bench.send()
    bench.backlog.done(1, keep=True)
    bench.backlog.lost()
    bench.put("a")
    assert bench.backlog.skipped == 0
    assert bench.send() == [2]
