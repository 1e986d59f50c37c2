"""The state of one plate of a workspace, and its row."""

import enum
import os
import time
from collections.abc import Sequence
from typing import Final

from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import PlateSnapshot
from openhcs_gui_services.services.plates.session import CompiledArtifact, RememberedPlate
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus, plate_status_of
from openhcs_gui_services.services.plates.values import FeedNews, PlateRow
from openhcs_gui_services.services.plates.wells import PlateWells
from openhcs_runtime.outputs.runs import RunSummary
from openhcs_runtime.stores.path import is_url
from openhcs_runtime.tasks import CompileReport, RefusalKind
from zmqruntime.execution import AxisProgress
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["PlateRecord", "StopLevel", "plate_path"]

_UNKNOWN: Final = "the server is not responding; the progress of the plate will be known when it is back"


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


class PlateRecord:
    """One plate of a workspace. Only the workspace changes it."""

    def __init__(self, path: str, pipeline: str = "") -> None:
        self.path = path
        self.pipeline = pipeline
        self.pipeline_file = ""
        self.pipeline_name = ""
        self.is_pipeline_modified = False
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
        self.on_disk: RunSummary | None = None
        """The newest results of the plate on disk, of any run."""
        self.well_count: int | None = None
        self.wells = PlateWells()
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
        self._queue_position: int | None = None
        self._working_since: float | None = None

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of its folder."""
        return os.path.basename(self.path) or self.path

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
        return self.well_count is not None

    def row(self, is_lost: bool) -> PlateRow:
        """Return its row. With ``is_lost`` its state is unknown because the server is not responding."""
        return PlateRow(
            path=self.path,
            name=self.name,
            snapshot=self._snapshot(is_lost and self.live_id is not None),
            execution_id=self.execution_id,
            artifact_id=self.artifact.artifact_id if self.artifact else None,
            output=self.output,
            on_disk=self.on_disk,
            well_count=self.well_count,
            pipeline=self.pipeline,
            pipeline_file=self.pipeline_file,
            pipeline_name=self.pipeline_name or os.path.splitext(os.path.basename(self.pipeline_file))[0],
            is_pipeline_modified=self.is_pipeline_modified,
        )

    def remembered(self) -> RememberedPlate:
        """Return what the next window should know."""
        return RememberedPlate(
            path=self.path,
            pipeline=self.pipeline,
            pipeline_file=self.pipeline_file,
            pipeline_name=self.pipeline_name,
            is_pipeline_modified=self.is_pipeline_modified,
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
        record.pipeline_name, record.is_pipeline_modified = plate.pipeline_name, plate.is_pipeline_modified
        record.execution_id = plate.execution_id
        record.artifact = plate.artifact
        record.output = plate.output
        record.well_count = plate.well_count
        record.rest()
        record.is_run_unknown = plate.execution_id is not None
        return record

    # --- what happens to it ----------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Return to the state before the last action: compiled, ready or created."""
        self._settle_down()
        self._execution = None
        self.error = ""
        if self.artifact is not None:
            self.state = PlateStatus.COMPILED
        else:
            self.state = PlateStatus.READY if self.is_read else PlateStatus.CREATED

    def pend(self, state: PlateStatus) -> None:
        """Set it to waiting: for its folder to be read, for its compilation, or in the queue."""
        self.state = state
        self.is_run_unknown = self.is_run_unknown and state is PlateStatus.INIT_PENDING
        self.error, self.problems = "", ()
        self._queue_position = None

    def begin_run(self, *, resume: bool) -> tuple[AxisProgress, ...]:
        """Queue it for a run and clear the display of the previous one; a resumed run keeps complete wells."""
        self._settle_down()
        self._execution = None
        self.is_accepted = False
        self.is_scheduled = True
        self.pend(PlateStatus.QUEUED)
        return self.wells.begin_again() if resume else self.wells.reset([row.axis_id for row in self.wells.rows()])

    def wish_stop(self, wish: StopLevel) -> None:
        """Note that the user wants it to stop."""
        self.stop = max(self.stop, wish)
        self.state = PlateStatus.CANCELLING

    def be_read(self, wells: Sequence[str]) -> tuple[AxisProgress, ...]:
        """Apply the wells that were read from its folder."""
        self.well_count = len(wells)
        return self.wells.reset(wells)

    def be_compiled(self, report: CompileReport) -> tuple[AxisProgress, ...]:
        """Apply a successful compilation; its owner decides what happens next."""
        self.compile_id = None
        self.artifact = CompiledArtifact(artifact_id=report.compile_artifact_id, signature=report.signature)
        self.output = self.output or report.output_dir
        self.well_count = len(report.wells)
        return self.wells.reset(report.wells)

    def fail(self, error: str, problems: tuple[str, ...] = ()) -> None:
        """Apply an error in reading or compiling it."""
        self.problems = problems
        self._settle_down()
        self._execution = None
        self.state, self.error = PlateStatus.FAILED, error

    def apply(self, news: FeedNews) -> tuple[AxisProgress, ...]:
        """Apply the news of its run, except for its end (see :meth:`end`), and return the wells that changed."""
        changed = self.wells.apply(news.wells)
        self._working_since = news.working_since
        if news.snapshot is not None and not has_ended(news.snapshot.status, news.snapshot.resumable):
            self._follow(news.snapshot)
        self.well_count = len(self.wells) or self.well_count
        return changed

    def end(self, ending: PlateOutcome) -> tuple[AxisProgress, ...]:
        """Apply the outcome of its run and return the wells that changed."""
        was_killed = self.stop is StopLevel.FORCE and ending.state is PlateStatus.CANCELLED
        self._settle_down()
        self.state, self.error = ending.state, "" if was_killed else ending.error
        execution = ending.execution
        if execution is None:
            return ()
        self._execution = execution.snapshot
        refusal, plate = execution.refusal, execution.plate if execution.refusal is None else None
        if refusal is not None and refusal.refused is RefusalKind.CHANGED:
            self.artifact = None
        if plate is not None:
            self.output = plate.output_dir
        return self.wells.settle(execution.status, plate, ending.error)

    def place(self, position: int | None) -> bool:
        """Set its position in the queue, from 1, and return whether that changed."""
        is_new = position != self._queue_position
        self._queue_position = position
        return is_new

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
        return PlateSnapshot(
            PlateStatus.INTERRUPTED if is_unknown else self.state,
            queue_position=self._queue_position if self.state is PlateStatus.QUEUED else None,
            percent=100.0 if self.state is PlateStatus.COMPLETE else self.wells.percent,
            elapsed_seconds=self._elapsed(),
            remaining_seconds=self._remaining(),
            axis_id=current.axis_id if current else "",
            step_name=current.step_name if current else "",
            step_index=current.step_index if current else 0,
            total_steps=current.total_steps if current else 0,
            failed_wells=self.wells.failed,
            error=_UNKNOWN if is_unknown else self.error,
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
