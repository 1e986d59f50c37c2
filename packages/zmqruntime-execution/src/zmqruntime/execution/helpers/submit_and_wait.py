"""Batches of jobs of any kind: submit all of them, then wait for all of them, and tell a policy how each one goes."""

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
    """It was handed over, and the batch ended before it did: it may be going on."""
    WAIT_FAILED = "wait_failed"
    COMPLETE = "complete"


class JobOutcome(msgspec.Struct, Generic[JobT, HandleT, ResultT], frozen=True):
    """What became of one job.

    ``handle`` is what its submission returned, ``result`` what its wait returned, ``error`` what either of them raised;
    each is None where it did not come to that.
    """

    job: JobT
    state: JobState = JobState.NOT_SUBMITTED
    handle: HandleT | None = None
    result: ResultT | None = None
    error: Exception | None = None


class BatchResult(msgspec.Struct, Generic[JobT, HandleT, ResultT], frozen=True):
    """What became of a batch: ``outcomes`` in the order of the jobs, and what hooks of the policy raised."""

    outcomes: tuple[JobOutcome[JobT, HandleT, ResultT], ...]
    hook_errors: tuple[Exception, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every job is."""
        return all(outcome.state is JobState.COMPLETE for outcome in self.outcomes)

    @property
    def errors(self) -> tuple[Exception, ...]:
        """The errors of the jobs that failed, in the order of the jobs."""
        return tuple(outcome.error for outcome in self.outcomes if outcome.error is not None)

    def in_state(self, *states: JobState) -> tuple[JobOutcome[JobT, HandleT, ResultT], ...]:
        """The jobs that got so far and no further, in their order."""
        return tuple(outcome for outcome in self.outcomes if outcome.state in states)


class BatchSubmitWaitPolicy(Protocol[JobT_contra, HandleT, ResultT]):
    """How to submit a job and how to wait for it, and who is told.

    For each job the engine calls ``on_submit_start``, then ``on_submit_success`` or ``on_submit_error``; once all are
    submitted ``on_wait_start``, then ``on_wait_success`` or ``on_wait_error`` (neither, if the wait is given up), and
    in any case ``on_wait_finally``. All are called on the event loop's thread and must be quick. What one of them
    raises is logged and kept in ``BatchResult.hook_errors``; it changes nothing for its job or the others.
    """

    @property
    def fail_fast_submit(self) -> bool:
        """Whether the first submission that fails ends the batch."""

    @property
    def fail_fast_wait(self) -> bool:
        """Whether the first wait that fails ends the batch."""

    def submit(self, job: JobT_contra, /) -> Awaitable[HandleT]:
        """Hand the job over; an ``Exception`` means that it failed."""

    def wait(self, job: JobT_contra, handle: HandleT, /) -> Awaitable[ResultT]:
        """Wait for the job's end; an ``Exception`` means that it failed. Cancelled when the batch ends before it."""

    def on_submit_start(self, job: JobT_contra, /) -> None:
        """The job is about to be submitted."""

    def on_submit_success(self, job: JobT_contra, handle: HandleT, /) -> None:
        """The job was submitted."""

    def on_submit_error(self, job: JobT_contra, error: Exception, /) -> None:
        """The job could not be submitted; nobody will wait for it."""

    def on_wait_start(self, job: JobT_contra, handle: HandleT, /) -> None:
        """The wait for the job begins."""

    def on_wait_success(self, job: JobT_contra, handle: HandleT, result: ResultT, /) -> None:
        """The job is complete."""

    def on_wait_error(self, job: JobT_contra, handle: HandleT, error: Exception, /) -> None:
        """The job failed."""

    def on_wait_finally(self, job: JobT_contra, handle: HandleT, /) -> None:
        """The wait for the job is over, whichever way."""


def _ignore(*arguments: object) -> None:
    """The hook of who does not want to know."""


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
    """Runs batches by one policy; one engine may run many, also at the same time.

    Args:
        policy: how to submit and how to wait.
        client: whose server does the work, if it is known; while a batch runs, ``on_no_answer`` is told when that
            server does not answer, which ends no batch.
        on_no_answer: called on the event loop's thread with a line for a user, now and then; logs it by default.
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
        """Submit all jobs, one after the other in their order, then wait for all of them at the same time.

        Without fail-fast a job that fails stops no other, and its error is in the result. A batch that ends early
        cancels no job: those that were submitted go on, and the error's ``result`` has their handles. The same goes
        for a ``run`` that is cancelled, which ends the waits.

        Raises:
            BatchFailedError: a job failed, and the policy is to fail fast; raised from the job's error.
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
            with contextlib.suppress(RuntimeError):  # the loop was closed without a word
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
        text = f"a job of a batch of {len(self._outcomes)} {what}: {type(error).__name__}: {error}"
        return BatchFailedError(text, self.result())

    def _tell(self, hook: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the hook is not ours
            _log.exception("the hook %r of a batch failed", hook)
            self._hook_errors.append(error)
