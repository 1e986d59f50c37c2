"""Batches of plates: all are compiled before the first one runs, and a failure does not stop the others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from openhcs_gui_services.services.plates.outcome import PlateOutcome, SubmittedPlate
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_runtime.tasks import CompileReport, PlateTask, TaskAction
from zmqruntime.exceptions import RequestTimeoutError, ServerLostError, ZMQRuntimeError
from zmqruntime.execution import BatchSubmitWaitEngine, CallbackBatchSubmitWaitPolicy
from zmqruntime.messages import ExecutionSnapshot

__all__ = ["BatchWorkflowHost", "BatchWorkflowService", "CompileJob", "RunJob", "compiled_task"]


@dataclass(frozen=True, slots=True)
class CompileJob:
    """One plate to compile. ``task`` is that of a run, with pipeline and settings."""

    path: str
    task: PlateTask


@dataclass(frozen=True, slots=True)
class RunJob:
    """One plate to run. ``task`` refers to its compilation, or to the run that it resumes."""

    path: str
    task: PlateTask


class BatchWorkflowHost(Protocol):
    """The owner of the plates. All methods are called on the event loop's thread."""

    async def submit(self, path: str, task: PlateTask) -> SubmittedPlate:
        """Submit a task of a plate to the server.

        Raises:
            ZMQRuntimeError: it can't be submitted.
        """

    def is_wanted(self, path: str) -> bool:
        """Return whether the batch should continue with this plate; called before each of its submissions."""

    def on_queued(self, paths: Sequence[str]) -> None:
        """Called first, once for all plates that will run."""

    async def prepare_runs(self, jobs: Sequence[RunJob]) -> None:
        """Called before the runs are submitted one after the other, so that they can be saved first."""

    def on_compile_pending(self, path: str) -> None:
        """Called before the plate is compiled."""

    def on_compiled(self, path: str, report: CompileReport) -> None:
        """Called when the plate can be run."""

    def on_compile_ended(self, ending: PlateOutcome) -> None:
        """Called when the plate was not compiled and will not run: errors, cancellation, or no server."""

    def on_ended(self, ending: PlateOutcome) -> None:
        """Called when the run of a compiled plate has ended or could not start.

        Each plate of ``on_queued`` ends once, with this call or with ``on_compile_ended``.
        """


class BatchWorkflowService:
    """Takes batches of plates from compilation to their end; several batches can run at the same time."""

    def __init__(self, host: BatchWorkflowHost) -> None:
        self._host = host

    async def compile(self, jobs: Sequence[CompileJob]) -> dict[str, CompileReport]:
        """Compile all; return the reports of the plates that can be run, by path."""
        engine = BatchSubmitWaitEngine(
            CallbackBatchSubmitWaitPolicy[CompileJob, SubmittedPlate, CompileReport](
                submit=self._submit_compilation,
                wait=self._wait_for_report,
                fail_fast_submit=False,
                fail_fast_wait=False,
                on_submit_start=lambda job: self._host.on_compile_pending(job.path),
                on_submit_error=self._on_not_compiled,
                on_wait_success=lambda job, submitted, report: self._host.on_compiled(job.path, report),
                on_wait_error=lambda job, submitted, error: self._on_not_compiled(job, error),
            )
        )
        result = await engine.run(jobs)
        return {outcome.job.path: outcome.result for outcome in result.outcomes if outcome.result is not None}

    async def run(self, jobs: Sequence[CompileJob], compiled: Sequence[RunJob] = ()) -> None:
        """Show all as queued, compile the ``jobs``, then run the ``compiled`` ones and them, in this order."""
        self._host.on_queued([*(job.path for job in compiled), *(job.path for job in jobs)])
        reports = await self.compile(jobs)
        ready = [*compiled, *(RunJob(job.path, _run_of(job, reports)) for job in jobs if job.path in reports)]
        await self._host.prepare_runs(ready)
        engine = BatchSubmitWaitEngine(
            CallbackBatchSubmitWaitPolicy[RunJob, SubmittedPlate, ExecutionSnapshot](
                submit=self._submit_run,
                wait=_wait_for_end,
                fail_fast_submit=False,
                fail_fast_wait=False,
                on_submit_error=lambda job, error: self._host.on_ended(_ending_of(job.path, error)),
                on_wait_success=lambda job, submitted, end: self._host.on_ended(PlateOutcome.of(job.path, end)),
            )
        )
        await engine.run(ready)

    async def adopt(self, running: Mapping[str, SubmittedPlate]) -> None:
        """Wait for the end of plates, by path, that an earlier window submitted."""

        async def end(path: str, submitted: SubmittedPlate) -> None:
            self._host.on_ended(PlateOutcome.of(path, await asyncio.shield(submitted.ended)))

        await asyncio.gather(*(end(path, submitted) for path, submitted in running.items()))

    async def _submit_compilation(self, job: CompileJob) -> SubmittedPlate:
        return await self._submit(job.path, msgspec.structs.replace(job.task, action=TaskAction.COMPILE))

    async def _submit_run(self, job: RunJob) -> SubmittedPlate:
        return await self._submit(job.path, job.task)

    async def _submit(self, path: str, task: PlateTask) -> SubmittedPlate:
        if not self._host.is_wanted(path):
            raise _StoppedError(path)
        return await self._host.submit(path, task)

    async def _wait_for_report(self, job: CompileJob, submitted: SubmittedPlate) -> CompileReport:
        snapshot = await _wait_for_end(job, submitted)
        ending = PlateOutcome.of(job.path, snapshot)
        report = None if ending.execution is None else ending.execution.compiled
        if report is None and ending.state is PlateStatus.COMPLETE:
            ending = replace(ending, state=PlateStatus.FAILED, error="the server returned no compilation result")
        if report is None:
            raise _NotCompiledError(ending)
        return report

    def _on_not_compiled(self, job: CompileJob, error: Exception) -> None:
        ending = error.ending if isinstance(error, _NotCompiledError) else _ending_of(job.path, error)
        self._host.on_compile_ended(ending)


class _StoppedError(ZMQRuntimeError):
    """The plate was stopped before it was submitted."""


class _NotCompiledError(ZMQRuntimeError):
    """The compilation ended without a report."""

    def __init__(self, ending: PlateOutcome) -> None:
        super().__init__(ending.error)
        self.ending = ending


def compiled_task(task: PlateTask, artifact_id: str, signature: str) -> PlateTask:
    """Return the run of a compilation, which is refused if images, pipeline or settings have changed since."""
    return msgspec.structs.replace(
        task, action=TaskAction.RUN, compile_artifact_id=artifact_id, expected_signature=signature
    )


def _run_of(job: CompileJob, reports: Mapping[str, CompileReport]) -> PlateTask:
    report = reports[job.path]
    return compiled_task(job.task, report.compile_artifact_id, report.signature)


async def _wait_for_end(job: CompileJob | RunJob, submitted: SubmittedPlate) -> ExecutionSnapshot:
    return await asyncio.shield(submitted.ended)


def _ending_of(path: str, error: Exception) -> PlateOutcome:
    if isinstance(error, _StoppedError):
        return PlateOutcome(path, PlateStatus.CANCELLED, "stopped before it was submitted")
    if isinstance(error, ServerLostError | RequestTimeoutError):  # unknown whether the server received it
        return PlateOutcome(path, PlateStatus.INTERRUPTED, str(error))
    return PlateOutcome(path, PlateStatus.FAILED, str(error) or type(error).__name__)
