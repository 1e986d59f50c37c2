"""Bars of tqdm as the progress of a task, with the real library."""

import asyncio
import importlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from zmqruntime import ProgressUpdate
from zmqruntime.execution import TaskCancelled, bars_as_progress, local_task, track
from zmqruntime.execution.tasks.loops import current_loop
from zmqruntime.execution.tasks.task import TaskReport

Bars = Callable[..., Any]


@pytest.fixture(params=["tqdm", "tqdm.auto"])
def tqdm(request: pytest.FixtureRequest) -> Bars:
    bars: Bars = importlib.import_module(request.param).tqdm
    return bars


@pytest.fixture(autouse=True)
def no_monitor() -> Iterator[None]:
    """The library has a thread that looks after slow bars, which would outlive the test."""
    bar_class = importlib.import_module("tqdm.std").tqdm
    interval, bar_class.monitor_interval = bar_class.monitor_interval, 0
    yield
    bar_class.monitor_interval = interval


class Seen(list[TaskReport]):
    @property
    def updates(self) -> list[ProgressUpdate]:
        return [event for event in self if isinstance(event, ProgressUpdate)]


def test_bars_are_reported_instead_of_drawn(tqdm: Bars, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Seen()
    with local_task(seen.append) as task, bars_as_progress():
        for epoch in tqdm(range(4), desc="epoch"):
            with tqdm(total=100, desc="batch", disable=None, leave=False, mininterval=0) as bar:
                bar.set_postfix(loss=0.5)
                while epoch == 1 and not any(update.step_name == "batch" for update in seen.updates):
                    bar.update(0)
                bar.update(100)
                tqdm.write("a line") if epoch == 0 else None  # type: ignore[attr-defined]
            assert task.present_axis == "epoch"
    assert current_loop() is None
    inside = next(update for update in seen.updates if update.step_name == "batch")
    assert (inside.axis_id, inside.total) == ("epoch", 4)
    assert inside.message == "batch 0/100 loss=0.5"
    last = seen.updates[-1]
    assert (last.axis_id, last.completed, last.total, last.percent) == ("epoch", 4, 4, 100.0)
    assert capsys.readouterr() == ("a line\n", "")


def over_items(tqdm: Bars) -> Iterator[None]:
    for _ in tqdm(range(3), desc="outer", mininterval=60):  # so the bar itself never counts before its end
        yield


def with_update(tqdm: Bars) -> Iterator[None]:
    with tqdm(total=3, desc="outer") as bar:
        for _ in range(3):
            yield
            bar.update(1)


def with_its_number(tqdm: Bars) -> Iterator[None]:
    with tqdm(total=3, desc="outer") as bar:
        for number in range(3):
            yield
            bar.n = number + 1
            bar.refresh()


@pytest.mark.parametrize("outer", [over_items, with_update, with_its_number])
def test_an_outer_bar_advances_though_only_the_inner_one_has_time_to_report(
    tqdm: Bars, outer: Callable[[Bars], Iterator[None]]
) -> None:
    seen = Seen()
    with local_task(seen.append), bars_as_progress():
        for _ in outer(tqdm):
            with tqdm(total=2, desc="inner") as inner:
                before = len(seen)
                while len(seen) < before + 2:  # the second one is certainly about the present bars
                    inner.update(0)
    inside = [(update.completed, update.percent) for update in seen.updates if update.step_name == "inner"]
    assert {done for done, _ in inside} == {0, 1, 2}
    assert [percent for _, percent in inside] == sorted(percent for _, percent in inside)
    assert seen.updates[-1].completed == 3


def consume(items: Iterable[object]) -> None:
    for _ in items:
        pass


def test_a_cancel_stops_the_loop_of_a_bar(tqdm: Bars) -> None:
    endless = iter(int, 1)
    with local_task() as task, bars_as_progress():
        task.request_cancel("work")
        consume(tqdm(range(3), desc="other work"))
        with pytest.raises(TaskCancelled):
            consume(tqdm(endless, desc="work"))
        task.request_cancel()
        bar = None
        with pytest.raises(TaskCancelled):
            bar = tqdm(total=3)
        assert bar is None
        assert current_loop() is None


def test_bars_of_others_stay_as_they_are(tqdm: Bars, capsys: pytest.CaptureFixture[str]) -> None:
    before = tqdm.__init__, tqdm.update, tqdm.close  # type: ignore[attr-defined]
    with bars_as_progress():
        consume(tqdm(range(3), desc="outside"))
    seen = Seen()
    with local_task(seen.append):
        with bars_as_progress():
            thread = threading.Thread(target=consume, args=(tqdm(range(3), desc="mine"),))
            thread.start()
            thread.join()
        consume(tqdm(range(3), desc="not asked for"))
    assert {update.axis_id for update in seen.updates} == {"mine"}
    drawn = capsys.readouterr().err
    assert "outside: 100%" in drawn
    assert "not asked for: 100%" in drawn
    assert "mine" not in drawn
    assert before == (tqdm.__init__, tqdm.update, tqdm.close)  # type: ignore[attr-defined]


def test_a_bar_in_a_tracked_loop_is_its_step() -> None:
    auto: Bars = importlib.import_module("tqdm.auto").tqdm
    seen = Seen()

    async def load() -> None:
        async for _ in auto(range(3), desc="load"):
            await asyncio.sleep(0)

    with local_task(seen.append), bars_as_progress():
        for _ in track("ab", "file"):
            bar = auto(desc="bytes", unit="B")
            while not any(update.step_name == "bytes" for update in seen.updates):
                bar.update(0.5)
            bar.close()
            bar.close()
        asyncio.run(load())
    inside = next(update for update in seen.updates if update.step_name == "bytes")
    assert inside.axis_id == "file"
    assert inside.message is not None
    assert inside.message.startswith("bytes ")
