"""The host of a workspace's batches: the one place where a plate's run begins and ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from openhcs_gui_services.services.connection.executions import PlateExecutions
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.outcome import PlateOutcome, SubmittedPlate
from openhcs_gui_services.services.plates.presenter import Trouble
from openhcs_gui_services.services.plates.record import PlateRecord, StopLevel
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.runs.batches import RunJob
from openhcs_gui_services.services.runs.progress_reset import reset_progress_for_batch
from openhcs_gui_services.services.runs.run_texts import checked_text, ended_text
from openhcs_gui_services.services.runs.stopper import PlateStopper
from openhcs_runtime.tasks import CompileReport, PlateTask, TaskAction
from zmqruntime.messages import ExecuteRequest

__all__ = ["TellEnd", "WorkspaceBatches"]

TellEnd = Callable[[Mapping[str, int]], None]
"""Says how a run has ended, with the sum of each ``..._count`` column."""


@dataclass(frozen=True, slots=True)
class _PreparedRun:
    """The next submission of a plate, and the id of its previous run."""

    request: ExecuteRequest
    earlier_id: str | None


class WorkspaceBatches:
    """The :class:`BatchWorkflowHost` of a workspace."""

    def __init__(self, book: PlateCollection, executions: PlateExecutions, stopper: PlateStopper) -> None:
        self._book = book
        self._executions = executions
        self._stopper = stopper
        self._paths: dict[str, str] = {}
        self._prepared: dict[str, _PreparedRun] = {}
        self.on_run_ended: Callable[[PlateRecord, TellEnd | None], None] = _tell_only
        """Called after a run has ended, so that what it has left on disk is read; then the end is told, if it wasn't.
        """

    def record_of(self, execution_id: str) -> PlateRecord | None:
        """Return the plate of an execution, if it is still in the window."""
        return self._book.get(self._paths.get(execution_id, ""))

    def adopt(self, record: PlateRecord, execution_id: str) -> SubmittedPlate:
        """Follow an execution that an earlier window started for this plate."""
        wells = record.begin_run(resume=False)
        record.is_accepted = True
        self._book.change(record, wells)
        return self._note(self._executions.adopt(execution_id), record.path)

    async def hand_over(self, record: PlateRecord, task: PlateTask) -> None:
        """Submit the run of a plate that waits in the window, which is being closed.

        Raises:
            ZMQRuntimeError: it can't be submitted.
        """
        prepared = self._prepared.pop(record.path, None)
        request = prepared.request if prepared else self._executions.request_for(record.path, task)
        record.execution_id = request.submission_id
        await self._book.save()
        await self._executions.submit(request)
        record.is_accepted = True

    # --- BatchWorkflowHost -------------------------------------------------------------------------------------------

    async def submit(self, path: str, task: PlateTask) -> SubmittedPlate:
        """See :class:`BatchWorkflowHost`."""
        prepared = self._prepared.get(path)
        request = prepared.request if prepared else self._executions.request_for(path, task)
        submitted = self._note(await self._executions.submit(request), path)
        self._prepared.pop(path, None)
        record = self._book.get(path)
        if record is not None:
            if task.action is TaskAction.COMPILE:
                record.compile_id = submitted.execution_id
            else:
                record.is_accepted = True
            self._change(record)
            if record.stop is not StopLevel.NONE:
                await self._stopper.send([record])
        return submitted

    def is_wanted(self, path: str) -> bool:
        """See :class:`BatchWorkflowHost`."""
        record = self._book.get(path)
        return record is not None and record.stop is StopLevel.NONE

    def on_queued(self, paths: Sequence[str]) -> None:
        """See :class:`BatchWorkflowHost`; plates that the workspace has already queued are left as they are."""
        reset_progress_for_batch(self._book, filter(None, map(self._book.get, paths)))

    def on_compile_pending(self, path: str) -> None:
        """See :class:`BatchWorkflowHost`."""
        record = self._book.get(path)
        if record is not None and record.stop is StopLevel.NONE:
            record.pend(PlateStatus.COMPILE_PENDING)
            self._change(record)

    def on_compiled(self, path: str, report: CompileReport) -> None:
        """See :class:`BatchWorkflowHost`."""
        record = self._book.get(path)
        if record is None:
            return
        wells = record.be_compiled(report)
        if not record.is_scheduled:
            record.be_checked()
            wells = (*wells, *record.merge_wells())
        elif record.stop is StopLevel.NONE:
            record.pend(PlateStatus.QUEUED)
        self._book.change(record, wells)
        self._book.flush()
        self._book.save_soon()
        if not record.is_scheduled:
            self._book.events.say(checked_text(record, report), path=record.path)

    def on_compile_ended(self, ending: PlateOutcome) -> None:
        """See :class:`BatchWorkflowHost`."""
        record = self._book.get(ending.path)
        if record is None:
            return
        refusal = ending.execution.refusal if ending.execution else None
        problems = refusal.problems if refusal else ()
        if record.is_scheduled and ending.state is not PlateStatus.FAILED:
            self.on_ended(replace(ending, execution=None))
            return
        if ending.state is PlateStatus.FAILED:
            wells = record.fail(ending.error, Trouble.CHECK, problems)
        else:
            record.rest()
            wells = record.merge_wells()
        self._book.change(record, wells)
        self._book.flush()
        if ending.state in (PlateStatus.FAILED, PlateStatus.INTERRUPTED):
            verb = "can't be run" if ending.state is PlateStatus.FAILED else "was not checked"
            self._book.events.say(f"{record.name} {verb}: {ending.error}", is_error=True, path=record.path)

    async def prepare_runs(self, jobs: Sequence[RunJob]) -> None:
        """See :class:`BatchWorkflowHost`: ids are saved before the server knows them, so none is lost."""
        for job in jobs:
            record = self._book.get(job.path)
            if record is not None and record.stop is StopLevel.NONE:
                request = self._executions.request_for(job.path, job.task)
                self._prepared[job.path] = _PreparedRun(request, record.execution_id)
                record.execution_id = request.submission_id
                self._book.change(record)
        await self._book.save()

    def on_ended(self, ending: PlateOutcome) -> None:
        """See :class:`BatchWorkflowHost`: every run ends here, successfully or not."""
        record = self._book.get(ending.path)
        if record is None:
            return
        wells = record.end(ending)
        prepared = self._prepared.pop(ending.path, None)
        if prepared is not None and ending.state is PlateStatus.INTERRUPTED:
            record.is_run_unknown = True
        elif prepared is not None:  # the server never received it
            record.execution_id = prepared.earlier_id
        self._book.change(record, wells)
        self._book.flush()
        self._book.save_soon()
        is_error = ending.state in (PlateStatus.FAILED, PlateStatus.INTERRUPTED)

        def tell(counts: Mapping[str, int]) -> None:
            if record.state is not ending.state:
                return  # the next run has begun
            self._book.events.say(ended_text(record, ending.execution, counts), is_error=is_error, path=record.path)

        is_told = ending.execution is None or ending.execution.result is not None
        if is_told:
            tell({})
        self.on_run_ended(record, None if is_told else tell)

    def _note(self, submitted: SubmittedPlate, path: str) -> SubmittedPlate:
        self._paths[submitted.execution_id] = path
        submitted.ended.add_done_callback(lambda _: self._paths.pop(submitted.execution_id, None))
        return submitted

    def _change(self, record: PlateRecord) -> None:
        self._book.change(record)
        self._book.flush()


def _tell_only(record: PlateRecord, tell: TellEnd | None) -> None:
    """Tell the end of a run where nobody reads the disk."""
    if tell is not None:
        tell({})
