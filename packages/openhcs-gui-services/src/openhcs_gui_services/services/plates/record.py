"""All that a workspace knows of one plate, and the row that it shows of it."""

import enum
import os
import time
from collections.abc import Sequence
from typing import Final

from openhcs_gui_services.services.plates.outcome import PlateOutcome
from openhcs_gui_services.services.plates.presenter import PlateSnapshot, PlateState, plate_state_of
from openhcs_gui_services.services.plates.session import CompiledArtifact, RememberedPlate
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.values import FeedNews, PlateRow, WellRow
from openhcs_gui_services.services.plates.wells import WellProjection
from openhcs_runtime.outputs.runs import RunSummary
from openhcs_runtime.tasks import CompileReport, RefusalKind
from zmqruntime.execution.lifecycle import has_ended
from zmqruntime.messages import ExecutionSnapshot, ExecutionStatus

__all__ = ["AT_WORK", "PlateRecord", "StopLevel", "plate_path"]

PENDING: Final = (PlateState.INIT_PENDING, PlateState.COMPILE_PENDING)
AT_WORK: Final = (*PENDING, PlateState.QUEUED, PlateState.RUNNING, PlateState.CANCELLING)
"""States in which a plate cannot be taken on again."""

_TIMED: Final = (
    PlateState.RUNNING,
    PlateState.CANCELLING,
    PlateState.COMPLETE,
    PlateState.FAILED,
    PlateState.CANCELLED,
    PlateState.INTERRUPTED,
)
_UNKNOWN: Final = "the server does not answer; how far the plate is will be known when it is back"


def plate_path(path: str | os.PathLike[str]) -> str:
    """What names the plate in a folder: its absolute path, however it was written."""
    return os.path.abspath(os.path.expanduser(path))


class StopLevel(enum.IntEnum):
    """What the user wants of a plate that is at work; it only ever grows."""

    NONE = 0
    GRACEFUL = 1
    FORCE = 2


class PlateRecord:
    """One plate of a workspace. Only the workspace changes it."""

    def __init__(self, path: str, pipeline: str = "") -> None:
        self.path = path
        self.pipeline = pipeline
        self.pipeline_file = ""
        self.settings: RunSettings | None = None
        self.state = PlateState.CREATED
        self.error = ""
        self.problems: tuple[str, ...] = ()
        """What is wrong with the pipeline on this plate, a line for each."""
        self.execution_id: str | None = None
        """Of the latest run."""
        self.compile_id: str | None = None
        """Of the compilation that is under way."""
        self.artifact: CompiledArtifact | None = None
        self.output: str | None = None
        self.on_disk: RunSummary | None = None
        """The newest results of the plate on disk, of whichever run."""
        self.well_count: int | None = None
        self.wells = WellProjection()
        self.stop = StopLevel.NONE
        self.is_stopping_after_wells = False
        self.is_to_run = False
        """Whether a batch is going to run it, or does."""
        self.is_accepted = False
        """Whether the server has taken what was submitted last."""
        self.is_run_unknown = False
        """Whether nobody here knows how its latest run is; it may go on."""
        self.was_left_at: float | None = None
        """When its server was stopped or came back with the plate half done; s since the epoch."""
        self._execution: ExecutionSnapshot | None = None
        self._queue_position: int | None = None

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What a person calls it."""
        return os.path.basename(self.path) or self.path

    @property
    def is_at_work(self) -> bool:
        """Whether it waits or is worked on, here or at the server."""
        return self.state in AT_WORK

    @property
    def live_id(self) -> str | None:
        """The execution that goes on for it, if any."""
        if not self.is_at_work:
            return None
        return self.compile_id or (self.execution_id if self.is_accepted else None)

    @property
    def execution(self) -> ExecutionSnapshot | None:
        """What the server has said last of its latest run."""
        return self._execution

    @property
    def is_read(self) -> bool:
        """Whether its folder has been."""
        return self.well_count is not None

    def row(self, is_lost: bool) -> PlateRow:
        """What to show; ``is_lost`` says that the server is, so that nobody knows how the plate is."""
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
        )

    def remembered(self) -> RememberedPlate:
        """What the next window should know."""
        return RememberedPlate(
            path=self.path,
            pipeline=self.pipeline,
            pipeline_file=self.pipeline_file,
            execution_id=self.execution_id,
            artifact=self.artifact,
            output=self.output,
            well_count=self.well_count,
        )

    @classmethod
    def of(cls, plate: RememberedPlate) -> "PlateRecord":
        """A plate of an earlier window; how its execution is, is for the server to say."""
        record = cls(plate.path, plate.pipeline)
        record.pipeline_file = plate.pipeline_file
        record.execution_id = plate.execution_id
        record.artifact = plate.artifact
        record.output = plate.output
        record.well_count = plate.well_count
        record.rest()
        record.is_run_unknown = plate.execution_id is not None
        return record

    # --- what happens to it ----------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing is done with it: back to what it was made ready for."""
        self._settle_down()
        self._execution = None
        self.error = ""
        if self.artifact is not None:
            self.state = PlateState.COMPILED
        else:
            self.state = PlateState.READY if self.is_read else PlateState.CREATED

    def pend(self, state: PlateState) -> None:
        """It waits, for its folder to be read or to be compiled, or in the queue."""
        self.state = state
        self.is_run_unknown = self.is_run_unknown and state is PlateState.INIT_PENDING
        self.error, self.problems = "", ()
        self._queue_position = None

    def begin_run(self, *, resume: bool) -> tuple[WellRow, ...]:
        """It is queued for a run; what is shown of the run before goes, save for the wells that a resumed one keeps."""
        self._settle_down()
        self._execution = None
        self.is_accepted = False
        self.is_to_run = True
        self.pend(PlateState.QUEUED)
        return self.wells.reopen() if resume else self.wells.reset([row.axis_id for row in self.wells.rows()])

    def wish_stop(self, wish: StopLevel) -> None:
        """The user wants it to stop."""
        self.stop = max(self.stop, wish)
        self.state = PlateState.CANCELLING

    def be_read(self, wells: Sequence[str]) -> tuple[WellRow, ...]:
        """Its folder has been read and has these wells."""
        self.well_count = len(wells)
        return self.wells.reset(wells)

    def be_compiled(self, report: CompileReport) -> tuple[WellRow, ...]:
        """It can be run. What it is going to do next, its owner says."""
        self.compile_id = None
        self.artifact = CompiledArtifact(artifact_id=report.compile_artifact_id, signature=report.signature)
        self.output = self.output or report.output_dir
        self.well_count = len(report.wells)
        return self.wells.reset(report.wells)

    def fail(self, error: str, problems: tuple[str, ...] = ()) -> None:
        """It could not be read or compiled."""
        self.problems = problems
        self._settle_down()
        self._execution = None
        self.state, self.error = PlateState.FAILED, error

    def take(self, news: FeedNews) -> tuple[WellRow, ...]:
        """Take in the news of its run; an end is left to :meth:`end`. Gives the wells that are different now."""
        changed = self.wells.apply(news.updates)
        if news.snapshot is not None and not has_ended(news.snapshot.status, news.snapshot.resumable):
            changed += self._follow(news.snapshot)
        self.well_count = len(self.wells) or self.well_count
        return changed

    def end(self, ending: PlateOutcome) -> tuple[WellRow, ...]:
        """Its way through a batch has ended. Gives the wells that are different now."""
        was_killed = self.stop is StopLevel.FORCE and ending.state is PlateState.CANCELLED
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
        """It is at this place of the queue, from 1; whether that is new."""
        is_new = position != self._queue_position
        self._queue_position = position
        return is_new

    def _follow(self, snapshot: ExecutionSnapshot) -> tuple[WellRow, ...]:
        self._execution = snapshot
        self.state = plate_state_of(snapshot.status)
        if (self.stop or self.is_stopping_after_wells) and self.state in (PlateState.RUNNING, PlateState.QUEUED):
            self.state = PlateState.CANCELLING
        self._queue_position = None if snapshot.queue_position is None else snapshot.queue_position + 1
        has_stalled = snapshot.status in (ExecutionStatus.QUEUED, ExecutionStatus.INTERRUPTED)
        self.error = (snapshot.error or "") if has_stalled else ""
        return self.wells.interrupt() if has_stalled else ()

    def _settle_down(self) -> None:
        self.compile_id = None
        self.stop = StopLevel.NONE
        self.is_stopping_after_wells = False
        self.is_to_run = False
        self.was_left_at = None
        self._queue_position = None

    def _snapshot(self, is_unknown: bool) -> PlateSnapshot:
        speaker = self.wells.speaker if self.state in (PlateState.RUNNING, PlateState.CANCELLING) else None
        return PlateSnapshot(
            PlateState.INTERRUPTED if is_unknown else self.state,
            queue_position=self._queue_position if self.state is PlateState.QUEUED else None,
            percent=100.0 if self.state is PlateState.COMPLETE else self.wells.percent,
            elapsed_seconds=self._elapsed(),
            axis_id=speaker.axis_id if speaker else "",
            step_name=speaker.step_name if speaker else "",
            step_index=speaker.step_index if speaker else 0,
            total_steps=speaker.total_steps if speaker else 0,
            failed_wells=self.wells.failed,
            error=_UNKNOWN if is_unknown else self.error,
        )

    def _elapsed(self) -> float | None:
        execution = self._execution
        if execution is None or execution.started_at is None or self.state not in _TIMED:
            return None
        return max(0.0, (execution.ended_at or time.time()) - execution.started_at)
