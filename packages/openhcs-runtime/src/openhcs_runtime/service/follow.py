"""Running a plate while the microscope is still writing it: each round processes the wells that are ready.

All rounds are one run in one folder. Finished wells are kept from round to round, unless their images have changed; the
last round, after the end of the acquisition, is an ordinary run over the whole plate.
"""

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence

from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.engine.orchestrator import PipelineOrchestrator
from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.exceptions import ChangedRunError, CompileError, PlateError, PlateMapError
from openhcs_runtime.plates import Plate
from openhcs_runtime.plates.acquisition import Acquisition
from openhcs_runtime.results import PlateResult, ResultStatus
from openhcs_runtime.selection import is_wanted
from openhcs_runtime.service.run_start import announce_wells, choice_of
from openhcs_runtime.stores.path import as_path
from openhcs_runtime.tasks import FOLLOW_STEP, Follow, PlateTask
from zmqruntime.execution import Task
from zmqruntime.execution.text import duration, plural
from zmqruntime.messages import ProgressPhase, ProgressStatus

__all__ = ["FollowedRun", "follow_plate"]

_LONGEST_PAUSE = 10.0
_SHORTEST_PAUSE = 0.05
_REPORT_SECONDS = 10.0
_LOG_SECONDS = 60.0


def follow_plate(task: Task, follow: Follow, run: "FollowedRun") -> PlateResult:
    """Process wells as they become ready, and the whole plate in the end.

    Args:
        task: The task, which may be cancelled.
        follow: When a well is ready, and when the acquisition has ended.
        run: What opens the plate and processes its wells.

    Returns:
        The result of the last round, also if the task was cancelled after the first well.

    Raises:
        TaskCancelled: The task was cancelled before that.
        PlateError: No plate appeared.
    """
    acquisition = Acquisition(follow.settle_seconds, follow.idle_seconds, time.monotonic())
    pause = max(_SHORTEST_PAUSE, min(_LONGEST_PAUSE, follow.settle_seconds / 4))
    begun: dict[str, int] = {}
    failed: dict[str, int] = {}
    waiting = _Waiting(task)
    while not task.cancelled:
        plate = run.plate()
        ready = acquisition.look(plate, time.monotonic())
        if acquisition.has_ended(time.monotonic()):
            quiet = duration(acquisition.quiet_seconds(time.monotonic()))
            task.log.info("the acquisition has ended: nothing has changed for %s", quiet)
            return run.finish()
        states = acquisition.states(ready)
        wanted = {well: state for well, state in states.items() if failed.get(well) != state}
        if plate is not None and wanted and wanted != begun:
            begun = wanted
            failed |= {well: states[well] for well in run.process([well for well in plate.wells if well in wanted])}
            waiting = _Waiting(task)
        else:
            waiting.tell(run.done if plate is not None else None, acquisition.quiet_seconds(time.monotonic()))
            _wait(task, pause)
    return run.stop()


class FollowedRun:
    """The rounds of a run.

    Args:
        task: The task of the server.
        plate_task: What was submitted.
        config: Settings of the pipeline; they can't ask for a sample.
        plate_path: Absolute path of the plate.
        orchestrator_for: Makes an orchestrator with other settings of the pipeline.
    """

    def __init__(
        self,
        task: Task,
        plate_task: PlateTask,
        config: PipelineConfig,
        plate_path: str,
        orchestrator_for: Callable[[PipelineConfig], PipelineOrchestrator],
    ) -> None:
        if config.sample is not None:
            raise CompileError("a sample is taken from the wells of a whole plate: leave it out to follow a plate")
        self._task = task
        self._plate_task = plate_task
        self._config = config
        self._plate_path = plate_path
        self._orchestrator_for = orchestrator_for
        self._known: frozenset[str] = frozenset()
        self._done: frozenset[str] = frozenset()

    @property
    def done(self) -> int:
        """Number of wells that are complete."""
        return len(self._done)

    def plate(self) -> Plate | None:
        """Return the plate as it is now; None if it can't be opened yet."""
        with self._orchestrator_for(self._config) as orchestrator:
            try:
                return orchestrator.open_plate()
            except PlateError:
                return None  # the last round reports why

    def process(self, wells: Sequence[str]) -> tuple[str, ...]:
        """Process wells that are ready; what fails is left to the last round.

        Returns:
            The wells that failed.
        """
        try:
            chosen = tuple(well for well in wells if is_wanted(well, as_path(self._plate_path), self._config))
        except PlateMapError as error:
            self._task.log.warning("%s; it is tried again", error)
            return tuple(wells)
        if not chosen:
            return ()
        if new := [well for well in chosen if well not in self._known]:
            self._task.log.info("%s ready: %s", plural(len(new), "well"), ", ".join(new))
        try:
            config = dataclasses.replace(self._config, wells=chosen, where=None)
            result = self._round(config, is_partial=True)
        except (CompileError, PlateError) as error:
            self._task.log.warning("%s; it is tried again at the end", error)
            return chosen
        self._done |= {well.well for well in result.wells_with(ResultStatus.COMPLETE)}
        return tuple(well.well for well in result.wells_with(ResultStatus.FAILED))

    def finish(self) -> PlateResult:
        """Process what is left."""
        return self._round(self._config, is_partial=False)

    def stop(self) -> PlateResult:
        """Write tables of what is done, after the task was cancelled.

        Raises:
            TaskCancelled: No well was begun, or the plate as it is now can't be compiled.
        """
        if not self._known:
            self._task.check_cancelled()
        try:
            return self.finish()
        except (CompileError, PlateError) as error:
            self._task.log.warning("%s", error)
            self._task.check_cancelled()
            raise

    def _round(self, config: PipelineConfig, *, is_partial: bool) -> PlateResult:
        with self._orchestrator_for(config) as orchestrator:
            orchestrator.initialize(warns=not is_partial)  # what is missing now may be there later
            compiled = orchestrator.compile()
            announce_wells(self._task, compiled, self._known)
            choice = choice_of(self._task, self._plate_task)
            choice = dataclasses.replace(choice, is_partial=is_partial, known=self._known)
            self._known |= {plan.well for plan in compiled.wells}
            try:
                return orchestrator.execute(choice)
            except ChangedRunError as error:
                self._task.log.warning("%s; all wells are processed again in a new folder", error)
                return orchestrator.execute(_from_the_start(choice))


class _Waiting:
    """Reports that a run is waiting: to those who watch it, and to its log at longer intervals."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._reported = self._logged = -math.inf

    def tell(self, done: int | None, quiet: float) -> None:
        """Report how many wells are done (None: the plate has not appeared yet), and for how long nothing was new."""
        now = time.monotonic()
        what = "no plate yet" if done is None else f"{plural(done, 'well')} done"
        text = f"{what}, nothing new for {duration(quiet)}"
        if now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            self._report(done or 0, text)
        if now - self._logged >= _LOG_SECONDS:
            self._logged = now
            self._task.log.info("%s: %s", FOLLOW_STEP, text)

    def _report(self, done: int, text: str) -> None:
        self._task.report(
            axis_id="",
            step_name=FOLLOW_STEP,
            step_index=0,
            total_steps=1,
            phase=ProgressPhase.PATTERN_GROUP,
            status=ProgressStatus.RUNNING,
            completed=done,
            total=done,
            message=text,
        )


def _from_the_start(choice: RunChoice) -> RunChoice:
    """Return the choice for a run in a new folder; a named one is replaced in the end."""
    return dataclasses.replace(choice, resume=False, resume_of="", replace=True)


def _wait(task: Task, seconds: float) -> None:
    """Wait, but no longer than until the task is cancelled."""
    cancelled = threading.Event()
    with task.on_cancel(lambda axis_id: cancelled.set() if axis_id is None else None):
        cancelled.wait(seconds)
