"""The beginning of a run on a server: what is announced, and whether it continues an earlier attempt."""

import logging
from collections.abc import Collection

from openhcs_runtime.engine.plate_run import RunChoice
from openhcs_runtime.pipeline.plan import CompiledPlate
from openhcs_runtime.tasks import NOTES, PlateTask
from zmqruntime.execution import Task
from zmqruntime.messages import ProgressPhase, ProgressStatus

__all__ = ["announce_wells", "choice_of", "tell_choice"]

_BEGUN = "begun"


def choice_of(current: Task, task: PlateTask) -> RunChoice:
    """Return how a run begins; once this execution has begun, it continues where it was."""
    was_begun = _BEGUN in current.checkpoints()
    current.checkpoint(_BEGUN, True)
    resume_of = current.execution_id if was_begun else task.resume_of
    return RunChoice(task.resume or was_begun, resume_of, fresh=task.fresh, replace=task.replace)


def tell_choice(task: Task, compiled: CompiledPlate) -> None:
    """Say which wells were chosen, and what may be wrong with the plate map they were chosen by."""
    if compiled.choice:
        logging.getLogger(NOTES).info(compiled.choice)
    for warning in compiled.warnings:
        task.log.warning(warning)


def announce_wells(task: Task, compiled: CompiledPlate, known: Collection[str] = ()) -> None:
    """Send one report per planned well, so that watchers know from the start how many there are.

    Args:
        task: The task to report to.
        compiled: The planned wells.
        known: Wells that were announced before.
    """
    for plan in (plan for plan in compiled.wells if plan.well not in known):
        task.report(
            axis_id=plan.well,
            step_name=ProgressPhase.COMPILE.value,
            step_index=0,
            total_steps=len(compiled.job.steps),
            phase=ProgressPhase.COMPILE,
            status=ProgressStatus.COMPLETED,
            completed=1,
            total=1,
        )
