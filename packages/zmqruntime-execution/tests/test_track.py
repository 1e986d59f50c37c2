"""Progress, cancel points and log lines of loops over ``track``, and the short forms of ``report``."""

import asyncio
import gc
import io
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from zmqruntime import LogLine, ProgressUpdate
from zmqruntime.execution import InvalidProgressError, Step, TaskCancelled, current_task, local_task, report, track
from zmqruntime.execution.tasks.loops import current_loop
from zmqruntime.execution.tasks.task import TaskReport


class Seen:
    """The reports of a local task, as they arrive."""

    def __init__(self) -> None:
        self._reports: list[TaskReport] = []
        self._changed = threading.Condition()

    def __call__(self, event: TaskReport) -> None:
        with self._changed:
            self._reports.append(event)
            self._changed.notify_all()

    @property
    def updates(self) -> list[ProgressUpdate]:
        return [event for event in self._reports if isinstance(event, ProgressUpdate)]

    @property
    def lines(self) -> list[LogLine]:
        return [event for event in self._reports if isinstance(event, LogLine)]

    def counts(self) -> list[tuple[str, int, int]]:
        return [(update.axis_id, update.completed, update.total) for update in self.updates]

    def has(self, wanted: Callable[[ProgressUpdate], bool]) -> bool:
        return any(wanted(update) for update in self.updates)


def test_a_loop_reports_its_start_and_its_end() -> None:
    seen = Seen()
    with local_task(seen, plate_id="p") as task:
        assert list(track("abc", "letters")) == ["a", "b", "c"]
    assert (seen.counts()[0], seen.counts()[-1]) == (("letters", 0, 3), ("letters", 3, 3))
    last = seen.updates[-1]
    assert (last.percent, last.step_name, last.message, last.plate_id) == (100.0, "letters", None, "p")
    assert last.execution_id == task.execution_id


def test_of_a_loop_in_a_loop_the_outer_one_is_the_axis_and_the_inner_one_the_step() -> None:
    seen = Seen()

    def is_inside(update: ProgressUpdate) -> bool:
        return update.step_name == "batch"

    with local_task(seen) as task:
        for epoch in track(range(4), "epoch"):
            for _ in track(itertools.count(), "batch", total=10**9):
                assert task.present_axis == "epoch"
                if epoch != 1 or seen.has(is_inside):
                    break
        assert task.present_axis == ""
    inside = next(filter(is_inside, seen.updates))
    assert (inside.axis_id, inside.completed, inside.total) == ("epoch", 1, 4)
    assert 25.0 < inside.percent < 26.0
    assert inside.message is not None
    assert inside.message.startswith("batch ")
    assert seen.counts()[-1] == ("epoch", 4, 4)


def test_the_number_of_items_of_a_generator_is_a_text_until_it_is_known() -> None:
    seen = Seen()
    with local_task(seen):
        for _ in track((number for number in itertools.count()), "numbers"):
            if seen.has(lambda update: "done" in (update.message or "")):
                break
        for _ in track(iter("ab"), "known"):
            report(1, 2, "half")
    assert ("numbers", 0, 0) in seen.counts()
    assert seen.counts()[-1] == ("known", 2, 2)
    assert any(update.message == "1 done, 1/2 half" for update in seen.updates)


def test_many_items_make_few_reports() -> None:
    seen = Seen()
    with local_task(seen):
        began = time.monotonic()
        for _ in track(range(300_000)):
            pass
        took = time.monotonic() - began
    assert 2 <= len(seen.updates) <= 3 + took / 0.1


def test_loops_that_are_short_and_many_are_not_all_reported() -> None:
    seen = Seen()
    with local_task(seen) as task:
        began = time.monotonic()
        for number in range(3_000):
            assert list(track("ab", f"loop {number}")) == ["a", "b"]
        took = time.monotonic() - began
        assert task.loops.axis_for("one more") == ""
    assert 2 <= len(seen.updates) <= 4 + 3 * took / 0.1
    assert len({update.axis_id for update in seen.updates}) <= 501


@pytest.mark.parametrize("end", ["break", "raise"])
def test_a_loop_that_does_not_reach_its_end_says_how_far_it_came(end: str) -> None:
    seen = Seen()
    with local_task(seen):
        try:
            for number in track(range(5), "outer"):
                for letter in track("abc"):
                    assert letter == "a"
                    break
                if number == 2 and end == "break":
                    break
                if number == 2:
                    raise KeyError("of the loop")
        except KeyError:
            assert end == "raise"
        gc.collect()
        assert current_loop() is None
        assert list(track("x", "next")) == ["x"]
    outer = [count for count in seen.counts() if count[0] == "outer"]
    assert (outer[0], outer[-1]) == (("outer", 0, 5), ("outer", 2, 5))


@pytest.mark.parametrize("axis_id", [None, "work"])
def test_a_cancel_of_the_task_or_of_the_loop_ends_it_before_the_next_item(axis_id: str | None) -> None:
    taken: list[int] = []
    with local_task() as task:

        def work() -> None:
            for number in track(range(10), "work"):
                taken.append(number)
                if number == 3:
                    task.request_cancel("another")
                if number == 5:
                    task.request_cancel(axis_id)

        with pytest.raises(TaskCancelled):
            work()
        assert current_loop() is None
        if axis_id is not None:
            assert list(track("ab", "other work")) == ["a", "b"]
            with pytest.raises(TaskCancelled):
                next(track("ab", "work"))
    assert taken == [0, 1, 2, 3, 4, 5]


def test_a_loop_belongs_to_the_task_it_was_made_in_also_in_another_thread() -> None:
    seen = Seen()
    with local_task(seen):
        items = track("abc", "elsewhere")
        thread = threading.Thread(target=lambda: [current_task().report(1, 2) for _ in items])
        thread.start()
        thread.join()
    assert (seen.counts()[0], seen.counts()[-1]) == (("elsewhere", 0, 3), ("elsewhere", 3, 3))


async def counted(count: int) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(0)
        yield number


def test_asynchronous_loops_side_by_side_are_axes_of_their_own() -> None:
    seen = Seen()

    async def consume(name: str) -> int:
        total = 0
        async for number in track(counted(4), name, total=4):
            while not seen.has(lambda update: update.axis_id == name):
                report(number + 1, 4)  # which is of this loop
                await asyncio.sleep(0)
            total += number
        return total

    async def both() -> list[int]:
        async for _ in track(counted(3), "left early"):
            break
        assert current_loop() is None
        return list(await asyncio.gather(consume("left"), consume("right")))

    with local_task(seen):
        assert asyncio.run(both()) == [6, 6]
    assert {("left", 4, 4), ("right", 4, 4)} <= set(seen.counts())


def test_where_the_code_around_it_reports_the_loop_is_the_text_of_that() -> None:
    seen = Seen()
    place = {"axis_id": "B06", "step_name": "Segment", "step_index": 2, "total_steps": 7}
    fields: dict[str, Any] = {**place, "phase": "step_started", "status": "started", "completed": 3, "total": 9}
    with local_task(seen) as task, task.axis("B06"):
        task.report(**fields)
        assert list(track("ab", "tiles")) == ["a", "b"]
    last = seen.updates[-1]
    assert (last.axis_id, last.step_name, last.step_index, last.completed, last.total) == ("B06", "Segment", 2, 3, 9)
    assert last.message == "tiles 2/2"


def test_reports_in_short() -> None:
    seen = Seen()
    with local_task(seen):
        report(3, 10, "training")
        report(4_000)
        report(5, text="files")
        report(Step("Segment", index=1, of=4, done=2, total=8, axis="B06", message="tile 2"))
        with pytest.raises(InvalidProgressError, match="step_index"):
            report(Step("Segment", index=-1))
        with pytest.raises(TypeError, match=r"report\(3, 10\)"):
            current_task().report(axis_id="B06")  # type: ignore[call-overload]
    told = [(update.axis_id, update.completed, update.total, update.percent, update.message) for update in seen.updates]
    assert told == [
        ("", 3, 10, 30.0, "training"),
        ("", 0, 0, 0.0, "4,000 done"),
        ("", 0, 0, 0.0, "5: files"),
        ("B06", 2, 8, 25.0, "tile 2"),
    ]
    assert (seen.updates[-1].step_name, seen.updates[-1].step_index, seen.updates[-1].total_steps) == ("Segment", 1, 4)


@pytest.mark.parametrize(
    ("done", "total", "completed", "of", "percent"),
    [
        (11, 10, 10, 10, 100.0),
        (-1, 10, 0, 10, 0.0),
        (1.5, 2, 1, 2, 75.0),
        (0.25, 1.0, 0, 1, 25.0),
        (2.4, 2.5, 2, 3, 96.0),
        (Fraction(1, 2), Decimal(2), 0, 2, 25.0),
        (3, float("inf"), 0, 0, 0.0),
        (3, -1, 0, 0, 0.0),
        (3, 0, 0, 0, 0.0),
        (10**400, 10**400, 2**53, 2**53, 100.0),
    ],
)
def test_a_report_that_is_off_is_rounded(done: Any, total: Any, completed: int, of: int, percent: float) -> None:
    seen = Seen()
    with local_task(seen):
        report(done, total, "name \udcff")
        report(Step("one", done=done, total=total))
        for _ in track(range(2)):
            report(done, total)
    assert [(each.completed, each.total, each.percent) for each in seen.updates[:2]] == [(completed, of, percent)] * 2
    assert seen.has(lambda update: update.percent == percent / 2)
    assert "\\udcff" in (seen.updates[0].message or "")


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (("a",), TypeError, "done must be a number, not str: report"),
        ((1, [2]), TypeError, "total must be a number, not list"),
        ((True, 1), TypeError, "not bool"),
        ((float("nan"), 1), ValueError, "done is not a number"),
        ((float("inf"),), ValueError, "done is infinite"),
        ((1, 2, 3), TypeError, "must be a string, not int"),
    ],
)
def test_what_cannot_be_rounded_is_refused_in_words(given: Any, kind: type[Exception], words: str) -> None:
    with local_task():
        with pytest.raises(kind, match=words):
            report(*given)
        for _ in track("a"):
            with pytest.raises(kind, match=words):
                report(*given)


def test_the_keywords_of_a_report_are_not_rounded() -> None:
    fields: dict[str, Any] = {"axis_id": "", "step_name": "", "step_index": 0, "total_steps": 1}
    fields |= {"phase": "pattern_group", "status": "running"}
    with local_task() as task:
        for numbers in ({"completed": 11, "total": 10}, {"completed": 1.5, "total": 2}):
            with pytest.raises(InvalidProgressError):
                task.report(**{**fields, **numbers})


def test_the_last_report_is_not_repeated_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmqruntime.execution.tasks.meters.REPORT_SECONDS", 0.0)
    seen = Seen()
    with local_task(seen):
        assert list(track("abc")) == ["a", "b", "c"]
    assert [update.completed for update in seen.updates] == [0, 1, 2, 3]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_outside_of_any_task_it_only_iterates_or_draws_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [1, 2]
    assert list(track(numbers, "n")) == numbers
    report(1, 2)
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    assert list(track(numbers, "n")) == numbers
    assert terminal.getvalue() == ""
    assert list(track(numbers, "n", bar=True)) == numbers
    assert terminal.getvalue().startswith("\r  0 % n 0/2")
    assert "100 % n 2/2" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


class OldSequence:
    """Has items and a length, but no iterator, like some data sets."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return "ab"[index]


class WithoutLength:
    def __iter__(self) -> Iterator[str]:
        return iter("ab")

    def __len__(self) -> int:
        raise TypeError("of unknown length")


def test_what_can_be_iterated_over_can_be_tracked() -> None:
    with local_task():
        assert list(track(OldSequence())) == ["a", "b"]  # type: ignore[call-overload]
        assert list(track(WithoutLength())) == ["a", "b"]
        with pytest.raises(TypeError, match="not iterable"):
            track(5)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="must be a string, not int"):
            track([], 5)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="not float"):
            track([], total=1.5)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="negative"):
            track([], total=-1)
