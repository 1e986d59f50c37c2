"""Progress reports of one well, in order: started, each step with its pattern groups, ended."""

from collections.abc import Sequence

from openhcs_runtime.components import Component
from openhcs_runtime.pipeline.patterns import PatternGroup
from openhcs_runtime.pipeline.plan import PlateJob
from zmqruntime.execution import Task
from zmqruntime.messages import ProgressPhase, ProgressStatus

AXIS = "pipeline"
"""Step name of reports about a whole well or plate."""


class WellProgress:
    """Reports the progress of one well to a task, and checks whether the task was cancelled."""

    def __init__(self, task: Task, well: str, steps: Sequence[str]) -> None:
        self._task = task
        self._well = well
        self._steps = steps
        self._index = 0
        self._in_step = False
        self._done = 0
        self._groups = 0

    @property
    def step_name(self) -> str:
        """The current step; empty outside a step."""
        return self._steps[self._index] if self._in_step else ""

    def check_cancelled(self) -> None:
        """Check whether the task or this well should stop.

        Raises:
            TaskCancelled: it should.
        """
        self._task.check_cancelled(self._well)

    def axis_started(self) -> None:
        """Report that the well begins."""
        self._report_axis(ProgressPhase.AXIS_STARTED, ProgressStatus.STARTED)

    def enter_step(self, index: int) -> None:
        """Enter a step.

        Raises:
            TaskCancelled: the task or this well should stop.
        """
        self._index, self._done = index, 0
        self.check_cancelled()

    def step_started(self, groups: int) -> None:
        """Report that the step begins, with this number of pattern groups."""
        self._groups = groups
        self._in_step = True
        self._report_step(ProgressPhase.STEP_STARTED, ProgressStatus.STARTED)

    def group_done(self, group: PatternGroup, group_by: Component | None) -> None:
        """Report that one more pattern group is done."""
        self._done += 1
        self._report_step(
            ProgressPhase.PATTERN_GROUP,
            ProgressStatus.RUNNING,
            pattern=group.pattern,
            component=str(group.value(group_by)) if group_by else None,
        )

    def waits_for(self, what: str) -> None:
        """Report that the step waits for something, such as "a GPU"; empty when it goes on."""
        message = f"waiting for {what}" if what else None
        self._report_step(ProgressPhase.PATTERN_GROUP, ProgressStatus.RUNNING, message=message)

    def step_completed(self, cost: str) -> None:
        """Report that all pattern groups of the step are done, and their cost; one without groups counts as one of one.

        Args:
            cost: what the step has cost, and where it ran.
        """
        self._groups = self._done = max(1, self._groups)
        self._report_step(ProgressPhase.STEP_COMPLETED, ProgressStatus.COMPLETED, message=cost)
        self._in_step = False

    def wait_for(self, index: int) -> None:
        """Report that the well waits for the step over the plate with this index."""
        self._index, self._done, self._groups = index, 0, 1
        self._report_step(ProgressPhase.STEP_STARTED, ProgressStatus.STARTED)

    def axis_completed(self, message: str | None = None) -> None:
        """Report that the well is done."""
        self._index = len(self._steps)
        self._report_axis(ProgressPhase.AXIS_COMPLETED, ProgressStatus.COMPLETED, message=message)

    def ended(self, status: ProgressStatus, *, error: str | None = None, traceback: str | None = None) -> None:
        """Report that the well, and the step it is in, ended with an error or was cancelled."""
        if self._in_step:
            self._report_step(ProgressPhase.STEP_COMPLETED, status, error=error)
        self._report_axis(ProgressPhase.AXIS_COMPLETED, status, error=error, traceback=traceback)

    def _report_step(
        self,
        phase: ProgressPhase,
        status: ProgressStatus,
        *,
        pattern: str | None = None,
        component: str | None = None,
        message: str | None = None,
        error: str | None = None,
    ) -> None:
        self._task.report(
            axis_id=self._well,
            step_name=self._steps[self._index],
            step_index=self._index,
            total_steps=len(self._steps),
            phase=phase,
            status=status,
            completed=self._done,
            total=self._groups,
            pattern=pattern,
            component=component,
            message=message,
            error=error,
        )

    def _report_axis(
        self,
        phase: ProgressPhase,
        status: ProgressStatus,
        *,
        message: str | None = None,
        error: str | None = None,
        traceback: str | None = None,
    ) -> None:
        if not self._well:
            return  # a step over the plate
        self._task.report(
            axis_id=self._well,
            step_name=AXIS,
            step_index=min(self._index, max(0, len(self._steps) - 1)),
            total_steps=len(self._steps),
            phase=phase,
            status=status,
            completed=self._index,
            total=len(self._steps),
            message=message,
            error=error,
            traceback=traceback,
        )


def report_plate(
    task: Task, phase: ProgressPhase, status: ProgressStatus, *, message: str | None = None, error: str | None = None
) -> None:
    """Report a phase of the whole plate (``init``, ``compile``): without an axis, with the phase as step name."""
    done = int(status is ProgressStatus.COMPLETED)
    task.report(
        axis_id="",
        step_name=phase.value,
        step_index=0,
        total_steps=0,
        phase=phase,
        status=status,
        completed=done,
        total=1,
        message=message,
        error=error,
    )


def report_plate_step(
    task: Task,
    job: PlateJob,
    index: int,
    status: ProgressStatus,
    *,
    done: int = 0,
    total: int = 1,
    error: str | None = None,
) -> None:
    """Report the progress of the step over the plate with this index; ``done`` and ``total`` are numbers of images."""
    is_under_way = status in (ProgressStatus.STARTED, ProgressStatus.RUNNING)
    name = job.steps[index].name
    task.report(
        axis_id="",
        step_name=name,
        step_index=index,
        total_steps=len(job.steps),
        phase=ProgressPhase.PATTERN_GROUP if is_under_way else ProgressPhase.STEP_COMPLETED,
        status=status,
        completed=done if is_under_way else total,
        total=total,
        message=f"{name}: {done:,} of {total:,} images" if is_under_way else None,
        error=error,
    )
