"""Schedules: when they are due, that each due time gives one execution, and what restarts and clocks make of them."""

import datetime
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from zmqruntime import ErrorCode, ExecuteRequest, ExecutionStatus, RequestRefusedError
from zmqruntime.execution import ExecutionClient
from zmqruntime.execution.server.due_times import DueTimeError, next_due
from zmqruntime.execution.server.schedules import Schedules, id_for
from zmqruntime.messages import ErrorResponse, ScheduleRequest

MakeClient = Callable[..., ExecutionClient]


class Table:
    """What a database keeps of schedules, with a clock that the test sets and what was submitted."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[str, bytes, int | None]] = {}
        self.submitted: list[str] = []
        self.refusal: ErrorResponse | None = None

    def write(self, statement: str, values: tuple[Any, ...]) -> None:
        if statement.startswith("DELETE"):
            self.rows.pop(values[0])
        else:
            self.rows[values[0]] = (values[0], values[1], values[2])

    def submit(self, request: ExecuteRequest) -> ErrorResponse | None:
        if self.refusal is None and request.submission_id not in self.submitted:
            self.submitted.append(request.submission_id)
        return self.refusal

    def call_later(self, delay: float, call: Callable[[], None]) -> Any:
        class Unused:
            def cancel(self) -> None:
                """Nothing to do."""

        return Unused()

    def opened(self) -> Schedules:
        return Schedules(list(self.rows.values()), self.write, self.submit, self)


def test_each_due_time_is_submitted_once_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    table, clock = Table(), [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    request = ScheduleRequest(name="often", request=ExecuteRequest(submission_id="template-"), every=10)
    first = table.opened().put(request)
    assert table.opened().put(request) == first
    expected = []
    for now, due in ((1009.0, None), (1010.0, 1010.0), (1045.0, 1020.0), (1044.0, None), (1050.0, 1050.0)):
        clock[0] = now
        schedules = table.opened()  # a server that was killed after each
        schedules.run_due()
        schedules.run_due()
        expected += [] if due is None else [id_for("often", due)]
        assert table.submitted == expected
    clock[0] = 1055.0 + 86_400  # set forward by a day, and back again
    table.opened().run_due()
    clock[0] = 1056.0
    table.opened().run_due()
    clock[0] = 1060.0
    table.opened().run_due()
    assert table.submitted[len(expected) :] == [id_for("often", 1060.0)]
    table.refusal = ErrorResponse(code=ErrorCode.QUEUE_FULL, message="full")
    clock[0] = 1070.0
    schedules = table.opened()
    schedules.run_due()
    (schedule,) = schedules.listed()
    assert (schedule.trouble, schedule.next_due) == ("full", 1080.0)


def test_what_could_not_be_written_is_submitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    table, clock = Table(), [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    schedules = table.opened()
    schedules.put(ScheduleRequest(name="often", request=ExecuteRequest(submission_id="template-"), every=10))
    schedules.note_written()
    clock[0] = 1010.0
    schedules.run_due()
    (lost,) = table.submitted
    table.submitted.clear()
    schedules.take_back({lost})
    schedules.run_due()
    assert table.submitted == [lost]


def test_cron_texts_follow_the_clocks_of_their_time_zone() -> None:
    zone = "Europe/Madrid"
    begin = datetime.datetime(2026, 3, 28, 12, tzinfo=datetime.UTC).timestamp()
    times = [begin]
    for _ in range(3):
        times.append(next_due(None, "30 2 * * *", zone, 0.0, times[-1]))
    words = [f"{datetime.datetime.fromtimestamp(each, datetime.UTC):%d %H:%M}" for each in times[1:]]
    assert words == ["29 01:00", "30 00:30", "31 00:30"]  # 2:30 does not exist on the 29th


@pytest.mark.parametrize(
    ("every", "cron", "timezone", "text"),
    [
        (None, None, None, "either 'every'"),
        (1.0, "* * * * *", None, "either 'every'"),
        (1.0, None, "UTC", "'timezone' is for 'cron' only"),
        (None, "* * *", None, "is not valid"),
        (None, "0 0 30 2 *", None, "is not valid"),
        (None, "* * * * *", "Middle/Earth", "no time zone 'Middle/Earth'"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said(
    every: float | None, cron: str | None, timezone: str | None, text: str
) -> None:
    with pytest.raises(DueTimeError, match=text):
        next_due(every, cron, timezone, 0.0, 0.0)


def test_a_server_submits_what_is_due_also_after_a_kill(
    make_client: MakeClient, kill_server: Callable[[ExecutionClient], None]
) -> None:
    client, tick = make_client(persistent=True), threading.Event()
    made = client.schedule("often", {"value": 7}, every=1, name="seven", queue="timed")
    assert client.schedule("often", {"value": 7}, every=1, name="seven", queue="timed") == made
    kept = client.schedule("nightly", {}, cron="0 3 * * *", timezone="Europe/Madrid")
    assert client.status().schedules == [kept, made]
    for execution_id in (id_for("often", made.next_due), id_for("often", made.next_due + 1)):
        while client.find(execution_id).execution_ids == []:
            tick.wait(0.05)
        ended = client.wait(execution_id, 30)
        assert (ended.result, ended.name, ended.queue) == (7, "seven", "timed")
    kill_server(client)
    client.connect()
    assert [schedule.name for schedule in client.schedules()] == ["nightly", "often"]
    assert client.unschedule("often").last_due is not None
    ids = [entry.execution_id for entry in client.history() if entry.name == "seven"]
    assert len(ids) == len(set(ids)) >= 2
    with pytest.raises(RequestRefusedError, match="no schedule 'often'; it has: nightly"):
        client.unschedule("often")
    with pytest.raises(RequestRefusedError, match="name 'é ✓' cannot be used: use 1 to 64 of the letters"):
        client.unschedule("é ✓")
    with pytest.raises(RequestRefusedError, match="has no resource 'gpu'"):
        client.schedule("gpu", {}, every=5, resources={"gpu": 1})
    assert client.status().executions[-1].status is ExecutionStatus.COMPLETE
    client.shutdown_server()
