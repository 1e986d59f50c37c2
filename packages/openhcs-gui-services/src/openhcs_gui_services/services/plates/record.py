"""The state of one plate of a workspace, and its row."""

import asyncio
import enum
import os
import time
from dataclasses import dataclass
from typing import Final

from openhcs_gui_services.services.plates.choice import WellChoice
from openhcs_gui_services.services.plates.disk_stamp import DiskStamp
from openhcs_gui_services.services.plates.names import folder_names
from openhcs_gui_services.services.plates.on_disk import PlateDisk, ResultsOnDisk
from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import PlateSnapshot, Trouble
from openhcs_gui_services.services.plates.session import CompiledArtifact, RememberedPlate
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.shown_wells import ShownWells
from openhcs_gui_services.services.plates.status import PlateStatus, plate_status_of
from openhcs_gui_services.services.plates.values import FeedNews, PlateFacts, PlateRow
from openhcs_gui_services.services.plates.wells import PlateWells
from openhcs_gui_services.services.plates.wording import window_text
from openhcs_runtime.outputs.runs import RunSummary
from openhcs_runtime.results import PlateResult
from openhcs_runtime.stores.path import is_url
from openhcs_runtime.tasks import CompileReport, Refusal, RefusalKind
from zmqruntime.execution import AxisProgress, AxisState
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["PlateRecord", "StopLevel", "plate_path"]

_UNKNOWN: Final = "the server is not responding; the progress of the plate will be known when it is back"

_CHECKS: Final = (
    RefusalKind.TASK,
    RefusalKind.PLATE,
    RefusalKind.PIPELINE,
    RefusalKind.COMPILE,
    RefusalKind.CHANGED,
)
"""The refusals that a check would have found."""


def plate_path(path: str | os.PathLike[str]) -> str:
    """Return the absolute path of a plate's folder, or its URL, which identifies the plate."""
    if is_url(text := os.fspath(path)):
        return text.rstrip("/")
    return os.path.abspath(os.path.expanduser(path))


class StopLevel(enum.IntEnum):
    """How the user wants a running plate to stop; it never decreases."""

    NONE = 0
    GRACEFUL = 1
    FORCE = 2


@dataclass(frozen=True, slots=True)
class _EndedRun:
    """How the latest run of the plate ended, to return to after a check or a failed check."""

    state: PlateStatus
    error: str
    execution: ExecutionSnapshot
    wells: tuple[AxisProgress, ...]


class PlateRecord:
    """One plate of a workspace: its run, and what it has on disk, which a run or a check never hides.

    Only the workspace changes it. Methods that change wells return those that look different.
    """

    def __init__(self, path: str, pipeline: str = "") -> None:
        self.path = path
        self.name = folder_names([path])[path]
        """The name of its folder, with folders above it if other plates of the window have the same name."""
        self.pipeline = pipeline
        self.pipeline_file = ""
        self.pipeline_name = ""
        self.is_pipeline_modified = False
        self.pipeline_basis = ""
        """Digest of the text of the file that the pipeline was made from."""
        self.settings: RunSettings | None = None
        self.state = PlateStatus.CREATED
        self.error = ""
        self.problems: tuple[str, ...] = ()
        """Problems of the pipeline on this plate, one line each."""
        self.execution_id: str | None = None
        """Execution id of the latest run."""
        self.compile_id: str | None = None
        """Execution id of the compilation in progress."""
        self.artifact: CompiledArtifact | None = None
        self.output: str | None = None
        self.found: ResultsOnDisk | None = None
        """The newest results of the plate on disk, of any run."""
        self.elsewhere: RunSummary | None = None
        """The newest run on disk if it is going on, whoever has started it."""
        self.reading = asyncio.Lock()
        """Held while its results are read."""
        self.stamp: DiskStamp = ()
        """What the folder of its runs looked like when it was read last."""
        self.facts: PlateFacts | None = None
        """What its folder has told."""
        self.well_names: tuple[str, ...] = ()
        """The wells of the plate, as far as they are known."""
        self.steps: tuple[str, ...] = ()
        """The names of the steps of its latest run or check."""
        self.choice: WellChoice | None = None
        """The wells that its current or latest run is limited to."""
        self.wells = PlateWells()
        """The wells of its latest run."""
        self.trouble = Trouble.RUN
        """What failed, if its state is failed."""
        self.stop = StopLevel.NONE
        self.is_stopping_after_wells = False
        self.is_scheduled = False
        """Whether it is part of a batch that is running or about to run."""
        self.is_accepted = False
        """Whether the server has accepted the latest submission."""
        self.is_run_unknown = False
        """Whether the state of its latest run is unknown; it may still be running."""
        self.interrupted_at: float | None = None
        """When its server was stopped, or came back, with the plate unfinished, in seconds since the epoch."""
        self._execution: ExecutionSnapshot | None = None
        self._ended: _EndedRun | None = None
        self._shown = ShownWells()
        self._queue_position: int | None = None
        self._working_since: float | None = None

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether it is waiting or being worked on, here or at the server."""
        return self.state.is_busy

    @property
    def live_id(self) -> str | None:
        """The id of its current execution, if any."""
        if not self.is_busy:
            return None
        return self.compile_id or (self.execution_id if self.is_accepted else None)

    @property
    def execution(self) -> ExecutionSnapshot | None:
        """The latest snapshot of its latest run."""
        return self._execution

    @property
    def is_read(self) -> bool:
        """Whether its folder has been read."""
        return bool(self.well_names)

    @property
    def well_count(self) -> int | None:
        """The number of wells of the plate; None until it is known."""
        return len(self.well_names) or len(self._shown.rows()) or None

    @property
    def can_resume(self) -> bool:
        """Whether its latest run has ended without finishing, so that it can go on."""
        is_unfinished = self._ended is not None and self._ended.state.is_unfinished
        return is_unfinished and self.execution_id is not None and not self.is_busy

    def shown_wells(self) -> tuple[AxisProgress, ...]:
        """Return the wells of the plate: as in the current run, or else as on disk."""
        return self._shown.rows()

    def merge_wells(self) -> tuple[AxisProgress, ...]:
        """Merge the wells of the run, of the disk and of the plate."""
        on_disk = () if self.found is None else self.found.wells
        is_live = self.state.is_working and self.wells.has_begun
        return self._shown.merge(self.wells, on_disk, self.well_names, is_live=is_live)

    def row(self, is_lost: bool) -> PlateRow:
        """Return its row. With ``is_lost`` its state is unknown because the server is not responding."""
        return PlateRow(
            path=self.path,
            name=self.name,
            snapshot=self._snapshot(is_lost and self.live_id is not None),
            execution_id=self.execution_id,
            artifact_id=self.artifact.artifact_id if self.artifact else None,
            output=self.output,
            well_count=self.well_count,
            pipeline=self.pipeline,
            pipeline_file=self.pipeline_file,
            pipeline_name=self.pipeline_name or os.path.splitext(os.path.basename(self.pipeline_file))[0],
            is_pipeline_modified=self.is_pipeline_modified,
            pipeline_basis=self.pipeline_basis,
            facts=self.facts,
            steps=self._steps_shown(),
            can_resume=self.can_resume,
            rest=self._rest(),
            found=self.found,
            elsewhere=self._elsewhere(),
        )

    def remembered(self) -> RememberedPlate:
        """Return what the next window should know."""
        return RememberedPlate(
            path=self.path,
            pipeline=self.pipeline,
            pipeline_file=self.pipeline_file,
            pipeline_name=self.pipeline_name,
            is_pipeline_modified=self.is_pipeline_modified,
            pipeline_basis=self.pipeline_basis,
            wells=self.well_names,
            steps=self.steps,
            execution_id=self.execution_id,
            artifact=self.artifact,
            output=self.output,
            well_count=self.well_count,
        )

    @classmethod
    def of(cls, plate: RememberedPlate) -> "PlateRecord":
        """Return the record of an earlier window's plate; the state of its run is unknown until the server is asked."""
        record = cls(plate.path, plate.pipeline)
        record.pipeline_file = plate.pipeline_file
        record.execution_id = plate.execution_id
        record.artifact = plate.artifact
        record.pipeline_name, record.is_pipeline_modified = plate.pipeline_name, plate.is_pipeline_modified
        record.pipeline_basis = plate.pipeline_basis
        record.output = plate.output
        record.well_names, record.steps = plate.wells, plate.steps
        record.merge_wells()
        record.rest()
        record.is_run_unknown = plate.execution_id is not None
        return record

    # --- what happens to it ----------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Return to the state before the last action: as the latest run ended, else checked, ready or created."""
        self._settle_down()
        ended = self._ended
        self._execution = None if ended is None else ended.execution
        self.error = "" if ended is None else ended.error
        self.trouble = Trouble.RUN
        if ended is not None:
            self.state = ended.state
            self.wells.restore(ended.wells)
        elif self.artifact is not None:
            self.state = PlateStatus.COMPILED
        else:
            self.state = PlateStatus.READY if self.is_read else PlateStatus.CREATED

    def pend(self, state: PlateStatus) -> None:
        """Set it to waiting: for its folder to be read, for its compilation, or in the queue."""
        self.state = state
        self.is_run_unknown = self.is_run_unknown and state is PlateStatus.INIT_PENDING
        self.error, self.problems = "", ()
        self._queue_position = None

    def begin_run(self, *, resume: bool, choice: WellChoice | None = None) -> tuple[AxisProgress, ...]:
        """Queue it for a run and clear the previous one; a resumed run keeps complete wells."""
        self._settle_down()
        self._execution = None
        self.output = None
        self.is_accepted = False
        self.is_scheduled = True
        self.choice = choice
        self.pend(PlateStatus.QUEUED)
        if resume:
            self.wells.begin_again()
        else:
            self.wells.reset(() if choice is not None else self.well_names)
        return self.merge_wells()

    def wish_stop(self, wish: StopLevel) -> None:
        """Note that the user wants it to stop."""
        self.stop = max(self.stop, wish)
        self.state = PlateStatus.CANCELLING

    def be_read(self, facts: PlateFacts) -> tuple[AxisProgress, ...]:
        """Apply what was read from its folder; it says nothing about runs."""
        self.facts, self.well_names = facts, facts.wells
        if not self.wells.has_begun:
            self.wells.reset(facts.wells)
        return self.merge_wells()

    def find(self, disk: PlateDisk, *, is_away: bool) -> tuple[AxisProgress, ...]:
        """Apply what is on disk.

        Args:
            disk: the results, and the run that is going on.
            is_away: whether their folder can't be found just now, so that what was known of it stays.
        """
        known = self.found
        self.found = known.away() if is_away and known is not None else disk.found
        self.elsewhere = disk.running
        return self.merge_wells()

    def be_compiled(self, report: CompileReport) -> tuple[AxisProgress, ...]:
        """Apply a successful check; its owner decides what happens next."""
        self.compile_id = None
        self.steps = report.steps
        if self.choice is None:
            self.artifact = CompiledArtifact(artifact_id=report.compile_artifact_id, signature=report.signature)
            self.well_names = self.well_names or report.wells
        if self.is_scheduled:
            self.wells.reset(report.wells)
        return self.merge_wells()

    def be_checked(self) -> None:
        """Show that it was checked."""
        self.rest()
        self.state, self.error = PlateStatus.COMPILED, ""

    def fail(self, error: str, trouble: Trouble, problems: tuple[str, ...] = ()) -> tuple[AxisProgress, ...]:
        """Apply an error in reading or checking it."""
        self.problems = problems
        self._settle_down()
        self._execution = None
        self.state, self.error, self.trouble = PlateStatus.FAILED, error, trouble
        return self.merge_wells()

    def apply(self, news: FeedNews) -> tuple[AxisProgress, ...]:
        """Apply the news of its run, except for its end (see :meth:`end`)."""
        changed = self.wells.apply(news.wells)
        self._working_since = news.working_since
        if news.snapshot is not None and not has_ended(news.snapshot.status, news.snapshot.resumable):
            self._follow(news.snapshot)
        is_live = self.state.is_working and self.wells.has_begun
        return self._shown.apply(changed) if is_live is self._shown.is_live else self.merge_wells()

    def end(self, ending: PlateOutcome) -> tuple[AxisProgress, ...]:
        """Apply the outcome of its run."""
        was_killed = self.stop is StopLevel.FORCE and ending.state is PlateStatus.CANCELLED
        self._settle_down()
        self.state, self.error, self.trouble = ending.state, "" if was_killed else ending.error, Trouble.RUN
        execution = ending.execution
        if execution is None:
            return self.merge_wells()
        self._execution = execution.snapshot
        refusal, plate = execution.refusal, execution.plate if execution.refusal is None else None
        if refusal is not None and refusal.refused in _CHECKS:
            self._be_refused(refusal)
        if plate is not None:
            self._take_result(plate)
        self.wells.settle(execution.status, plate, ending.error)
        if self.trouble is Trouble.RUN:
            self._ended = _EndedRun(self.state, self.error, execution.snapshot, self.wells.rows())
        return self.merge_wells()

    def place(self, position: int | None) -> bool:
        """Set its position in the queue, from 1, and return whether that changed."""
        is_new = position != self._queue_position
        self._queue_position = position
        return is_new

    def _be_refused(self, refusal: Refusal) -> None:
        """Apply that a run was not begun; the earlier run is the latest one again."""
        self.trouble, self.problems = Trouble.CHECK, refusal.problems
        if refusal.refused is RefusalKind.CHANGED:
            self.artifact = None
        if self._ended is not None:
            self.execution_id = self._ended.execution.execution_id

    def _take_result(self, plate: PlateResult) -> None:
        self.output = plate.output_dir
        longest = max((well.steps for well in plate.wells), key=len, default=())
        self.steps = tuple(cost.step for cost in longest) or self.steps

    def _steps_shown(self) -> tuple[str, ...]:
        """The names of the steps of the run that the wells are shown of."""
        of_disk = () if self.found is None else self.found.steps
        is_of_run = self.state.is_working or (self.state.has_ended and self.wells.has_begun)
        return (self.steps if is_of_run else of_disk) or self.steps or of_disk

    def _elsewhere(self) -> RunSummary | None:
        """The run that another program is working on; None while the plate is busy here."""
        running = self.elsewhere
        is_own = running is not None and self.execution_id in running.executions
        return None if self.is_busy or is_own else running

    def _rest(self) -> int:
        """The number of wells that are left to do after a run over chosen wells, or of one that was not finished."""
        if self.is_busy or not self.well_names:
            return 0
        done = sum(well.state is AxisState.COMPLETE for well in self._shown.rows())
        return len(self.well_names) - done if done else 0

    def _follow(self, snapshot: ExecutionSnapshot) -> None:
        self._execution = snapshot
        self.state = plate_status_of(snapshot.status)
        if (self.stop or self.is_stopping_after_wells) and self.state in (PlateStatus.RUNNING, PlateStatus.QUEUED):
            self.state = PlateStatus.CANCELLING
        self._queue_position = None if snapshot.queue_position is None else snapshot.queue_position + 1
        has_stalled = snapshot.status in (ExecutionStatus.QUEUED, ExecutionStatus.INTERRUPTED)
        self.error = (snapshot.error or "") if has_stalled else ""

    def _settle_down(self) -> None:
        self.compile_id = None
        self.stop = StopLevel.NONE
        self.is_stopping_after_wells = False
        self.is_scheduled = False
        self.interrupted_at = None
        self._queue_position = None
        self._working_since = None

    def _snapshot(self, is_unknown: bool) -> PlateSnapshot:
        current = self.wells.current_well if self.state.is_working else None
        of_run = self.state.is_working or (self.state.has_ended and self.trouble is Trouble.RUN)
        facts = self.facts
        return PlateSnapshot(
            PlateStatus.INTERRUPTED if is_unknown else self.state,
            queue_position=self._queue_position if self.state is PlateStatus.QUEUED else None,
            percent=self.wells.percent if of_run else 0.0,
            elapsed_seconds=self._elapsed(),
            remaining_seconds=self._remaining(),
            axis_id=current.axis_id if current else "",
            step_name=current.step_name if current else "",
            step_index=current.step_index if current else 0,
            total_steps=current.total_steps if current else 0,
            failed_wells=self.wells.failed if of_run else 0,
            error=window_text(_UNKNOWN if is_unknown else self.error),
            done_wells=self.wells.done if of_run else 0,
            total_wells=len(self.wells) if of_run else 0,
            taken_over=self.wells.taken_over if of_run else 0,
            trouble=self.trouble,
            missing_images=0 if facts is None else sum(facts.missing.values()),
            left_out_files=0 if facts is None else facts.left_out,
        )

    def _elapsed(self) -> float | None:
        execution = self._execution
        is_timed = self.state.is_working or self.state.has_ended
        if execution is None or execution.started_at is None or not is_timed:
            return None
        return max(0.0, (execution.ended_at or time.time()) - execution.started_at)

    def _remaining(self) -> float | None:
        if self.state is not PlateStatus.RUNNING:
            return None
        return self.wells.work(self._working_since).remaining_seconds(time.time())
