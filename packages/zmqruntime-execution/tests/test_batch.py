"""Batches: the order of the hooks, how a batch ends early, and that the event loop never waits."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from zmqruntime import ExecutionStatus
from zmqruntime.execution import (
    AsyncExecutionClient,
    BatchFailedError,
    BatchResult,
    BatchSubmitWaitEngine,
    CallbackBatchSubmitWaitPolicy,
    ExecutionClient,
    JobOutcome,
    JobState,
)

Policy = CallbackBatchSubmitWaitPolicy[str, int, float]
S = JobState
HOOKS = [name for name in CallbackBatchSubmitWaitPolicy.__struct_fields__ if name.startswith("on_")]


class Bench:
    """Jobs are words; one that begins with an s fails to be submitted, with a w to be waited for, with an h hangs."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []
        self.waiting = 0

    async def submit(self, job: str) -> int:
        await asyncio.sleep(0)
        if job.startswith("s"):
            raise OSError(f"no room for {job}")
        return len(job)

    async def wait(self, job: str, handle: int) -> float:
        self.waiting += 1
        try:
            await asyncio.sleep(0)
            if job.startswith("w"):
                raise ValueError(f"{job} failed")
            if job.startswith("h"):
                await asyncio.get_running_loop().create_future()
            return handle / 2
        finally:
            self.waiting -= 1

    def note(self, name: str) -> Callable[..., None]:
        return lambda *values: self.calls.append((name, *values))

    def policy(self, *, fail_fast: bool = True) -> Policy:
        assert len(HOOKS) == 7
        policy = Policy(submit=self.submit, wait=self.wait, fail_fast_submit=fail_fast, fail_fast_wait=fail_fast)
        return msgspec.structs.replace(policy, **{name: self.note(name) for name in HOOKS})

    def run(self, *jobs: str, fail_fast: bool = True) -> BatchResult[str, int, float]:
        return asyncio.run(BatchSubmitWaitEngine(self.policy(fail_fast=fail_fast)).run(jobs))

    def calls_of(self, job: str) -> list[str]:
        return [str(call[0]).removeprefix("on_") for call in self.calls if call[1] == job]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_all_are_submitted_in_order_and_then_all_are_waited_for(bench: Bench) -> None:
    result = bench.run("a", "bb", "ccc")
    assert result == BatchResult(
        (
            JobOutcome("a", S.COMPLETE, 1, 0.5),
            JobOutcome("bb", S.COMPLETE, 2, 1.0),
            JobOutcome("ccc", S.COMPLETE, 3, 1.5),
        )
    )
    assert result.is_complete
    assert bench.calls[:4] == [
        ("on_submit_start", "a"),
        ("on_submit_success", "a", 1),
        ("on_submit_start", "bb"),
        ("on_submit_success", "bb", 2),
    ]
    names = [str(call[0]) for call in bench.calls]
    assert [name.split("_")[1] for name in names] == ["submit"] * 6 + ["wait"] * 9
    for job in ("a", "bb", "ccc"):
        expected = ["submit_start", "submit_success", "wait_start", "wait_success", "wait_finally"]
        assert bench.calls_of(job) == expected
    assert ("on_wait_success", "bb", 2, 1.0) in bench.calls
    assert ("on_wait_finally", "bb", 2) in bench.calls


def test_no_jobs_are_a_complete_batch(bench: Bench) -> None:
    assert bench.run() == BatchResult(())
    assert bench.run().is_complete


def test_failing_fast_is_the_default() -> None:
    policy = Policy(submit=Bench().submit, wait=Bench().wait)
    assert policy.fail_fast_submit
    assert policy.fail_fast_wait


def test_a_failed_submission_ends_the_batch_and_its_result_has_the_handles(bench: Bench) -> None:
    with pytest.raises(BatchFailedError, match=r"batch of 3 could not be submitted: OSError: no room for sb") as failed:
        bench.run("a", "sb", "c")
    assert isinstance(failed.value.__cause__, OSError)
    outcomes = failed.value.result.outcomes
    assert [outcome.state for outcome in outcomes] == [S.SUBMITTED, S.SUBMIT_FAILED, S.NOT_SUBMITTED]
    assert [outcome.handle for outcome in outcomes] == [1, None, None]
    assert bench.calls_of("sb") == ["submit_start", "submit_error"]
    assert bench.calls_of("c") == []
    assert bench.calls_of("a") == ["submit_start", "submit_success"]


def test_a_failed_wait_ends_the_batch_and_the_other_waits(bench: Bench) -> None:
    with pytest.raises(BatchFailedError, match=r"batch of 3 failed: ValueError: w failed") as failed:
        bench.run("hangs", "w", "hangs too")
    assert isinstance(failed.value.__cause__, ValueError)
    states = [outcome.state for outcome in failed.value.result.outcomes]
    assert states == [S.SUBMITTED, S.WAIT_FAILED, S.SUBMITTED]
    assert bench.calls_of("w")[2:] == ["wait_start", "wait_error", "wait_finally"]
    assert bench.calls_of("hangs")[2:] == ["wait_start", "wait_finally"]
    assert bench.waiting == 0


def test_without_failing_fast_all_others_go_on_and_the_errors_are_gathered(bench: Bench) -> None:
    result = bench.run("sa", "w", "c", "sd", "ww", fail_fast=False)
    states = [outcome.state for outcome in result.outcomes]
    assert states == [S.SUBMIT_FAILED, S.WAIT_FAILED, S.COMPLETE, S.SUBMIT_FAILED, S.WAIT_FAILED]
    assert [str(error) for error in result.errors] == ["no room for sa", "w failed", "no room for sd", "ww failed"]
    assert not result.is_complete
    assert [outcome.job for outcome in result.in_state(S.COMPLETE, S.WAIT_FAILED)] == ["w", "c", "ww"]
    assert bench.calls_of("sa") == ["submit_start", "submit_error"]


def test_what_hooks_raise_is_kept_and_changes_nothing(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*values: object) -> None:
        raise RuntimeError("from a hook")

    policy = msgspec.structs.replace(bench.policy(fail_fast=False), **dict.fromkeys(HOOKS, fail))
    result = asyncio.run(BatchSubmitWaitEngine(policy).run(["a", "sb", "w"]))
    assert [outcome.state for outcome in result.outcomes] == [S.COMPLETE, S.SUBMIT_FAILED, S.WAIT_FAILED]
    assert len(result.errors) == 2
    assert [str(error) for error in result.hook_errors] == ["from a hook"] * 12
    assert len(caplog.records) == 12


def test_a_cancelled_run_ends_its_waits(bench: Bench) -> None:
    async def main() -> None:
        run = asyncio.ensure_future(BatchSubmitWaitEngine(bench.policy()).run(["hangs", "hangs too"]))
        while bench.waiting < 2:
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    asyncio.run(main())
    assert bench.waiting == 0
    assert bench.calls_of("hangs")[2:] == ["wait_start", "wait_finally"]


def test_an_engine_runs_batches_at_the_same_time_and_the_loop_goes_on(bench: Bench) -> None:
    async def main() -> None:
        engine = BatchSubmitWaitEngine(bench.policy(fail_fast=False))
        hanging = asyncio.ensure_future(engine.run(["hangs"]))
        assert (await engine.run(["a"])).is_complete
        assert not hanging.done()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)

    asyncio.run(main())


def test_jobs_on_a_real_server(make_client: Callable[..., ExecutionClient]) -> None:
    blocking = make_client()

    async def main() -> None:
        async with AsyncExecutionClient(blocking.port, config=blocking.config) as client:

            async def submit(number: int) -> str:
                return await client.submit({"do": "nothing", "value": number})

            async def wait(number: int, execution_id: str) -> int:
                snapshot = await client.wait(execution_id, 30)
                assert snapshot.status is ExecutionStatus.COMPLETE
                return int(snapshot.result)

            policy = CallbackBatchSubmitWaitPolicy(submit=submit, wait=wait)
            result = await BatchSubmitWaitEngine(policy).run(range(20))
            assert [outcome.result for outcome in result.outcomes] == list(range(20))

    asyncio.run(main())
