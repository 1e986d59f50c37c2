"""Status pollers: who is told what and how often, and that they always end."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterable

import pytest

from zmqruntime import ConfigurationError, ErrorCode, ExecutionSnapshot, ExecutionStatus, RequestRefusedError
from zmqruntime.execution import (
    AsyncExecutionClient,
    CallbackExecutionStatusPollPolicy,
    ExecutionClient,
    ExecutionStatusPoller,
    PollEnd,
    PollResult,
)
from zmqruntime.execution.helpers.status_poller import StatusAnswer
from zmqruntime.messages import ErrorResponse

E = ExecutionStatus
QUICK = 0.001


def snapshot(status: ExecutionStatus, *, was_started: bool = True, resumable: bool = False) -> ExecutionSnapshot:
    started_at = 1.0 if was_started and status is not E.QUEUED else None
    return ExecutionSnapshot(
        execution_id="e", plate_id="p", status=status, submitted_at=0.0, started_at=started_at, resumable=resumable
    )


def refusal(code: ErrorCode) -> ErrorResponse:
    return ErrorResponse(code=code, message=code.value)


class Bench:
    """Answers with what it was given, in order, and the last of it for ever; notes what the hooks are told."""

    def __init__(self, answers: Iterable[StatusAnswer | Exception]) -> None:
        self.calls: list[tuple[str, object]] = []
        self._answers = list(answers)

    async def poll(self, execution_id: str) -> StatusAnswer:
        assert execution_id == "e"
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def note(self, name: str) -> Callable[[object], None]:
        return lambda value: self.calls.append((name, value))

    def policy(self) -> CallbackExecutionStatusPollPolicy:
        return CallbackExecutionStatusPollPolicy(
            poll_status=self.poll,
            on_running=self.note("running"),
            on_terminal=self.note("terminal"),
            on_status_error=self.note("status_error"),
            on_poll_exception=self.note("poll_exception"),
        )

    def run(self, timeout: float | None = None) -> PollResult:
        poller = ExecutionStatusPoller(self.policy(), interval_seconds=QUICK, timeout_seconds=timeout)
        return asyncio.run(poller.run("e"))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.mark.parametrize("statuses", [[E.COMPLETE], [E.QUEUED, E.RUNNING, E.RUNNING, E.CANCELLING, E.CANCELLED]])
def test_running_is_told_once_and_before_the_end(statuses: list[ExecutionStatus]) -> None:
    bench = Bench(snapshot(status) for status in statuses)
    result = bench.run()
    assert result == PollResult(PollEnd.TERMINAL, snapshot(statuses[-1]), len(statuses))
    assert bench.names == ["running", "terminal"]
    assert bench.calls[-1][1] == result.snapshot


def test_an_execution_that_never_started_was_never_running() -> None:
    bench = Bench([snapshot(E.QUEUED), snapshot(E.CANCELLED, was_started=False)])
    bench.run()
    assert bench.names == ["terminal"]


def test_a_retry_is_not_told_again_and_an_interruption_that_resumes_is_no_end() -> None:
    interrupted = snapshot(E.INTERRUPTED, resumable=True)
    bench = Bench([snapshot(E.RUNNING), interrupted, snapshot(E.QUEUED), snapshot(E.RUNNING), snapshot(E.FAILED)])
    assert bench.run().polls == 5
    assert bench.names == ["running", "terminal"]
    assert Bench([snapshot(E.INTERRUPTED)]).run().end is PollEnd.TERMINAL


def test_exceptions_are_told_and_polling_goes_on() -> None:
    lost = ConnectionError("lost")
    bench = Bench([lost, snapshot(E.RUNNING), lost, snapshot(E.COMPLETE)])
    assert bench.run().end is PollEnd.TERMINAL
    assert bench.calls[0] == ("poll_exception", lost)
    assert bench.names == ["poll_exception", "running", "poll_exception", "terminal"]


def test_a_refusal_that_may_pass_is_told_and_polling_goes_on() -> None:
    bench = Bench([refusal(ErrorCode.CLOSING), RequestRefusedError(ErrorCode.INTERNAL, "a bug"), snapshot(E.COMPLETE)])
    assert bench.run().end is PollEnd.TERMINAL
    assert bench.calls[:2] == [
        ("status_error", refusal(ErrorCode.CLOSING)),
        ("status_error", ErrorResponse(code=ErrorCode.INTERNAL, message="a bug")),
    ]


@pytest.mark.parametrize("code", [ErrorCode.NOT_FOUND, ErrorCode.UNSUPPORTED, ErrorCode.PROTOCOL, ErrorCode.INVALID])
def test_a_refusal_for_good_ends_it(code: ErrorCode) -> None:
    bench = Bench([refusal(code)])
    assert bench.run() == PollResult(PollEnd.STATUS_ERROR, None, 1)
    assert bench.names == ["status_error"]


def test_time_is_bounded_also_while_a_poll_hangs() -> None:
    async def hang(execution_id: str) -> StatusAnswer:
        hanging.append(execution_id)
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    hanging: list[str] = []
    poller = ExecutionStatusPoller(CallbackExecutionStatusPollPolicy(poll_status=hang), timeout_seconds=0.05)
    assert asyncio.run(poller.run("e")) == PollResult(PollEnd.TIMED_OUT, None, 1)
    assert hanging == ["e"]
    assert Bench([snapshot(E.RUNNING)]).run(timeout=0.05).end is PollEnd.TIMED_OUT


@pytest.mark.parametrize("from_thread", [False, True])
def test_stop_ends_it_at_once_from_any_task_or_thread(from_thread: bool) -> None:
    async def main() -> tuple[PollResult, PollResult, float]:
        bench = Bench([snapshot(E.RUNNING)])
        running = asyncio.Event()
        policy = dataclasses.replace(bench.policy(), on_running=lambda _: running.set())
        poller = ExecutionStatusPoller(policy, interval_seconds=3600)
        run = asyncio.ensure_future(poller.run("e"))
        await running.wait()
        begin = asyncio.get_running_loop().time()
        thread = threading.Thread(target=poller.stop)
        if from_thread:
            thread.start()
        else:
            poller.stop()
        result = await run
        took = asyncio.get_running_loop().time() - begin
        if from_thread:
            thread.join()
        poller.stop()
        return result, await poller.run("e"), took

    result, after, took = asyncio.run(main())
    assert result == PollResult(PollEnd.STOPPED, snapshot(E.RUNNING), 1)
    assert after == PollResult(PollEnd.STOPPED, None, 0)
    assert took < 5


def test_a_hook_may_stop_it_and_what_one_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fail(value: object) -> None:
        raise RuntimeError("from a hook")

    bench = Bench([snapshot(E.RUNNING), snapshot(E.COMPLETE)])
    policy = dataclasses.replace(bench.policy(), on_running=fail, on_terminal=fail)
    assert asyncio.run(ExecutionStatusPoller(policy, interval_seconds=QUICK).run("e")).end is PollEnd.TERMINAL
    assert len(caplog.records) == 2

    bench = Bench([ConnectionError("lost")])
    policy = dataclasses.replace(bench.policy(), on_poll_exception=lambda _: poller.stop())
    poller = ExecutionStatusPoller(policy, interval_seconds=3600)
    assert asyncio.run(poller.run("e")) == PollResult(PollEnd.STOPPED, None, 1)


def test_a_cancelled_run_leaves_no_poll_behind() -> None:
    async def main() -> None:
        cancelled = asyncio.Event()

        async def hang(execution_id: str) -> StatusAnswer:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                cancelled.set()
            raise AssertionError

        run = asyncio.ensure_future(ExecutionStatusPoller(CallbackExecutionStatusPollPolicy(poll_status=hang)).run("e"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await asyncio.wait_for(cancelled.wait(), 5)

    asyncio.run(main())


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan")])
def test_an_interval_that_never_lets_go_is_refused(interval: float) -> None:
    with pytest.raises(ConfigurationError, match="greater than 0"):
        ExecutionStatusPoller(Bench([snapshot(E.RUNNING)]).policy(), interval_seconds=interval)


def test_polling_a_real_server(make_client: Callable[..., ExecutionClient]) -> None:
    blocking = make_client()

    async def main() -> None:
        async with AsyncExecutionClient(blocking.port, config=blocking.config) as client:
            calls: list[str] = []
            policy = CallbackExecutionStatusPollPolicy(
                poll_status=client.poll_status,
                on_running=lambda _: calls.append("running"),
                on_terminal=lambda ended: calls.append(ended.status),
                on_status_error=lambda response: calls.append(response.code),
            )
            poller = ExecutionStatusPoller(policy, interval_seconds=0.01, timeout_seconds=30)
            result = await poller.run(await client.submit({"do": "nothing", "value": 7}))
            assert result.end is PollEnd.TERMINAL
            assert result.snapshot is not None
            assert result.snapshot.result == 7
            assert (await poller.run("nobody-knows-it")).end is PollEnd.STATUS_ERROR
            assert calls == ["running", "complete", "not_found"]

    asyncio.run(main())
