"""A snapshot that is asked for now and then."""

import asyncio

import pytest

from openhcs_gui_services.services.connection.poller import (
    CallbackIntervalSnapshotPollerPolicy,
    IntervalSnapshotPoller,
)
from zmqruntime.exceptions import ConfigurationError


class Source:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[list[int]]] = []

    async def fetch(self) -> list[int]:
        question: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self.asked.append(question)
        return await question


async def settle() -> None:
    """Let everything that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_one_poll_is_in_flight_and_its_answer_is_kept() -> None:
    async def work() -> None:
        source, told = Source(), list[list[int]]()
        policy = CallbackIntervalSnapshotPollerPolicy(fetch=source.fetch, on_snapshot=told.append)
        poller = IntervalSnapshotPoller(policy, interval_seconds=0)
        assert poller.get_snapshot_copy() is None
        assert poller.tick()
        assert not poller.tick()
        await settle()
        assert len(source.asked) == 1
        source.asked[0].set_result([1])
        await settle()
        copy = poller.get_snapshot_copy()
        assert copy == [1]
        copy.append(2)
        told[0].append(3)
        assert poller.get_snapshot_copy() == [1]

        assert poller.tick()
        await settle()
        source.asked[1].set_result([1])
        await settle()
        assert len(told) == 1  # nothing is new
        await poller.close()

    asyncio.run(work())


def test_a_tick_before_its_time_asks_nothing() -> None:
    async def work() -> None:
        source = Source()
        poller = IntervalSnapshotPoller(CallbackIntervalSnapshotPollerPolicy(fetch=source.fetch), interval_seconds=3600)
        assert poller.tick()
        await settle()
        source.asked[0].set_result([1])
        await settle()
        assert not poller.is_polling
        assert not poller.tick()
        poller.reset()
        assert poller.get_snapshot_copy() is None
        assert poller.tick()
        await poller.close()

    asyncio.run(work())


def test_an_answer_from_before_a_reset_is_dropped() -> None:
    async def work() -> None:
        release, told = asyncio.Event(), list[int]()
        answers = iter([1, 2])

        async def deaf() -> int:
            answer = next(answers)
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return answer

        poller = IntervalSnapshotPoller(
            CallbackIntervalSnapshotPollerPolicy(fetch=deaf, on_snapshot=told.append), interval_seconds=0
        )
        poller.tick()
        await settle()
        old = poller._poll
        assert old is not None
        poller.reset()
        assert poller.tick()
        release.set()
        await asyncio.wait({old})
        await settle()
        assert (poller.get_snapshot_copy(), told) == (2, [2])
        await poller.close()

    asyncio.run(work())


def test_a_failed_poll_leaves_the_snapshot_and_the_next_one_is_made() -> None:
    async def work() -> None:
        source, errors = Source(), list[Exception]()
        policy = CallbackIntervalSnapshotPollerPolicy(fetch=source.fetch, on_error=errors.append)
        poller = IntervalSnapshotPoller(policy, interval_seconds=0)
        for answer in ([1], ValueError("no")):
            poller.tick()
            await settle()
            if isinstance(answer, Exception):
                source.asked[-1].set_exception(answer)
            else:
                source.asked[-1].set_result(answer)
            await settle()
        assert [str(error) for error in errors] == ["no"]
        assert poller.get_snapshot_copy() == [1]
        assert poller.tick()
        await poller.close()

    asyncio.run(work())


def test_a_poll_that_was_cancelled_by_another_is_followed_by_the_next() -> None:
    async def work() -> None:
        source, errors = Source(), list[Exception]()
        policy = CallbackIntervalSnapshotPollerPolicy(fetch=source.fetch, on_error=errors.append)
        poller = IntervalSnapshotPoller(policy, interval_seconds=0)
        assert poller.tick()
        await settle()
        source.asked[0].cancel()
        await settle()
        assert not poller.is_polling
        assert not errors
        assert poller.tick()
        await poller.close()

    asyncio.run(work())


def test_an_interval_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match="0 or greater"):
        IntervalSnapshotPoller(CallbackIntervalSnapshotPollerPolicy(fetch=Source().fetch), interval_seconds=-1)
