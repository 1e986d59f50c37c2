"""Batches of jobs of any kind: submit all of them, then wait for all of them, with hooks for each step."""

import asyncio
import contextlib
import enum
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Generic, ParamSpec, Protocol, TypeVar

import msgspec

from zmqruntime.client import Standing, ZMQClient
from zmqruntime.execution.exceptions import BatchFailedError
from zmqruntime.execution.helpers.patience import PatienceTeller

__all__ = [
    "BatchResult",
    "BatchSubmitWaitEngine",
    "BatchSubmitWaitPolicy",
    "CallbackBatchSubmitWaitPolicy",
    "JobOutcome",
    "JobState",
]

_log = logging.getLogger(__name__)

JobT = TypeVar("JobT")
HandleT = TypeVar("HandleT")
ResultT = TypeVar("ResultT")
JobT_contra = TypeVar("JobT_contra", contravariant=True)
P = ParamSpec("P")


class JobState(enum.Enum):
    """How far the engine got with a job."""

    NOT_SUBMITTED = "not_submitted"
    """The batch ended before its turn came."""
    SUBMIT_FAILED = "submit_failed"
    SUBMITTED = "submitted"
    """It was submitted, and the batch ended before it did: it may still be running."""
    WAIT_FAILED = "wait_failed"
    COMPLETE = "complete"


class JobOutcome(msgspec.Struct, Generic[JobT, HandleT, ResultT], frozen=True):
    """The outcome of one job.

    Attributes:
        job: The job.
        state: How far it got.
        handle: Return value of its submission; None if it was not submitted.
        result: Return value of its wait; None if it did not complete.
        error: Exception raised by its submission or its wait; None if there was none.
    """

    job: JobT
    state: JobState = JobState.NOT_SUBMITTED
    handle: HandleT | None = None
    result: ResultT | None = None
    error: Exception | None = None


class BatchResult(msgspec.Struct, Generic[JobT, HandleT, ResultT], frozen=True):
    """The outcome of a batch.

    Attributes:
        outcomes: Outcomes in the order of the jobs.
        hook_errors: Exceptions raised by hooks of the policy.
    """

    outcomes: tuple[JobOutcome[JobT, HandleT, ResultT], ...]
    hook_errors: tuple[Exception, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every job is complete."""
        return all(outcome.state is JobState.COMPLETE for outcome in self.outcomes)

    @property
    def errors(self) -> tuple[Exception, ...]:
        """Errors of the failed jobs, in the order of the jobs."""
        return tuple(outcome.error for outcome in self.outcomes if outcome.error is not None)

    def in_state(self, *states: JobState) -> tuple[JobOutcome[JobT, HandleT, ResultT], ...]:
        """Return the outcomes with one of these states, in the order of the jobs."""
        return tuple(outcome for outcome in self.outcomes if outcome.state in states)


class BatchSubmitWaitPolicy(Protocol[JobT_contra, HandleT, ResultT]):
    """How to submit a job and how to wait for it, with hooks for each step.

    For each job the engine calls ``on_submit_start``, then ``on_submit_success`` or ``on_submit_error``. Once all jobs
    are submitted it calls ``on_wait_start``, then ``on_wait_success`` or ``on_wait_error`` (neither if the wait is
    abandoned), and in any case ``on_wait_finally``. All hooks are called on the event loop's thread and must return
    quickly. Exceptions they raise are logged and collected in ``BatchResult.hook_errors``, without any effect on jobs.
    """

    @property
    def fail_fast_submit(self) -> bool:
        """Whether the first failed submission ends the batch."""

    @property
    def fail_fast_wait(self) -> bool:
        """Whether the first failed wait ends the batch."""

    def submit(self, job: JobT_contra, /) -> Awaitable[HandleT]:
        """Submit the job; an ``Exception`` means that it failed."""

    def wait(self, job: JobT_contra, handle: HandleT, /) -> Awaitable[ResultT]:
        """Wait until the job has ended; an ``Exception`` means that it failed. Cancelled if the batch ends earlier."""

    def on_submit_start(self, job: JobT_contra, /) -> None:
        """Called before the job is submitted."""

    def on_submit_success(self, job: JobT_contra, handle: HandleT, /) -> None:
        """Called when the job was submitted."""

    def on_submit_error(self, job: JobT_contra, error: Exception, /) -> None:
        """Called when the job could not be submitted; it is not waited for."""

    def on_wait_start(self, job: JobT_contra, handle: HandleT, /) -> None:
        """Called before waiting for the job."""

    def on_wait_success(self, job: JobT_contra, handle: HandleT, result: ResultT, /) -> None:
        """Called when the job is complete."""

    def on_wait_error(self, job: JobT_contra, handle: HandleT, error: Exception, /) -> None:
        """Called when the job failed."""

    def on_wait_finally(self, job: JobT_contra, handle: HandleT, /) -> None:
        """Called after the wait for the job, whatever its outcome."""


def _ignore(*arguments: object) -> None:
    """Default hook: does nothing."""


class CallbackBatchSubmitWaitPolicy(msgspec.Struct, Generic[JobT, HandleT, ResultT], frozen=True, kw_only=True):
    """A policy made of callables; see :class:`BatchSubmitWaitPolicy` for when each is called."""

    submit: Callable[[JobT], Awaitable[HandleT]]
    wait: Callable[[JobT, HandleT], Awaitable[ResultT]]
    fail_fast_submit: bool = True
    fail_fast_wait: bool = True
    on_submit_start: Callable[[JobT], None] = _ignore
    on_submit_success: Callable[[JobT, HandleT], None] = _ignore
    on_submit_error: Callable[[JobT, Exception], None] = _ignore
    on_wait_start: Callable[[JobT, HandleT], None] = _ignore
    on_wait_success: Callable[[JobT, HandleT, ResultT], None] = _ignore
    on_wait_error: Callable[[JobT, HandleT, Exception], None] = _ignore
    on_wait_finally: Callable[[JobT, HandleT], None] = _ignore


class BatchSubmitWaitEngine(Generic[JobT, HandleT, ResultT]):
    """Runs batches according to a policy; one engine can run several, also at the same time.

    Args:
        policy: How to submit and how to wait.
        client: Client of the server that does the work, if known. While a batch is running, ``on_no_answer`` is
            called if that server does not answer; the batch continues.
        on_no_answer: Called on the event loop's thread with a line for the user, now and then; logs it by default.
    """

    def __init__(
        self,
        policy: BatchSubmitWaitPolicy[JobT, HandleT, ResultT],
        *,
        client: ZMQClient | None = None,
        on_no_answer: Callable[[str], None] = _log.warning,
    ) -> None:
        self._policy = policy
        self._client = client
        self._on_no_answer = on_no_answer

    async def run(self, jobs: Iterable[JobT]) -> BatchResult[JobT, HandleT, ResultT]:
        """Submit all jobs one after the other, then wait for all of them at the same time.

        If the policy is not to fail fast, a failed job does not stop the others, and its error is in the result. A
        batch that ends early does not cancel its jobs: submitted ones continue, and the error's ``result`` has their
        handles. Likewise, cancelling ``run`` only ends the waits.

        Args:
            jobs: The jobs, in order of submission.

        Returns:
            The outcome of each job.

        Raises:
            BatchFailedError: A job failed and the policy is to fail fast; raised from the job's error.
        """
        batch = _Batch(self._policy, list(jobs))
        with self._told():
            await batch.submit_all()
            await batch.wait_for_all()
        return batch.result()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        if self._client is None:
            yield
            return
        loop, tell = asyncio.get_running_loop(), PatienceTeller(self._on_no_answer)

        def note(standing: Standing) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed without notice
                loop.call_soon_threadsafe(tell, standing)

        remove = self._client.add_listener(note)
        try:
            yield
        finally:
            remove()


class _Batch(Generic[JobT, HandleT, ResultT]):
    """One run of an engine."""

    def __init__(self, policy: BatchSubmitWaitPolicy[JobT, HandleT, ResultT], jobs: list[JobT]) -> None:
        self._policy = policy
        self._outcomes: list[JobOutcome[JobT, HandleT, ResultT]] = [JobOutcome(job) for job in jobs]
        self._handles: dict[int, HandleT] = {}
        self._hook_errors: list[Exception] = []
        self._first_wait_error: Exception | None = None

    def result(self) -> BatchResult[JobT, HandleT, ResultT]:
        return BatchResult(tuple(self._outcomes), tuple(self._hook_errors))

    async def submit_all(self) -> None:
        for place, outcome in enumerate(self._outcomes):
            job = outcome.job
            self._tell(self._policy.on_submit_start, job)
            try:
                handle = await self._policy.submit(job)
            except Exception as error:
                self._outcomes[place] = JobOutcome(job, JobState.SUBMIT_FAILED, error=error)
                self._tell(self._policy.on_submit_error, job, error)
                if self._policy.fail_fast_submit:
                    raise self._failed("could not be submitted", error) from error
            else:
                self._handles[place] = handle
                self._outcomes[place] = JobOutcome(job, JobState.SUBMITTED, handle)
                self._tell(self._policy.on_submit_success, job, handle)

    async def wait_for_all(self) -> None:
        waits = [asyncio.ensure_future(self._wait_for(place, handle)) for place, handle in self._handles.items()]
        try:
            if waits:
                await asyncio.wait(waits, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        if self._first_wait_error is not None:
            raise self._failed("failed", self._first_wait_error) from self._first_wait_error

    async def _wait_for(self, place: int, handle: HandleT) -> None:
        job = self._outcomes[place].job
        self._tell(self._policy.on_wait_start, job, handle)
        try:
            result = await self._policy.wait(job, handle)
        except Exception as error:
            self._outcomes[place] = JobOutcome(job, JobState.WAIT_FAILED, handle, error=error)
            self._tell(self._policy.on_wait_error, job, handle, error)
            if self._policy.fail_fast_wait:
                self._first_wait_error = self._first_wait_error or error
                raise
        else:
            self._outcomes[place] = JobOutcome(job, JobState.COMPLETE, handle, result)
            self._tell(self._policy.on_wait_success, job, handle, result)
        finally:
            self._tell(self._policy.on_wait_finally, job, handle)

    def _failed(self, what: str, error: Exception) -> BatchFailedError:
        text = f"a job in a batch of {len(self._outcomes)} {what}: {type(error).__name__}: {error}"
        return BatchFailedError(text, self.result())

    def _tell(self, hook: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the hook is not ours
            _log.exception("the hook %r of a batch failed", hook)
            self._hook_errors.append(error)
