"""Where a well begins: after the last step whose state was kept and can be used, or with the images of the plate."""

import logging
from dataclasses import dataclass
from pathlib import Path

from openhcs_runtime.engine.well_state import WellState
from openhcs_runtime.exceptions import DamagedResultError
from openhcs_runtime.outputs.states import StateHead, find_state, intact, read_state, state_path
from openhcs_runtime.outputs.wells import copy_file
from openhcs_runtime.pipeline.phases import needs_labels
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan, WellWork
from openhcs_runtime.pipeline.step import FunctionStep, InputSource
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.results import StepCost
from openhcs_runtime.thumbnails import copy_run_thumbnail

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """Where a well begins.

    Attributes:
        length: Number of steps that it begins after.
        state: The well at that point; None for the images of the plate.
        costs: What these steps have cost in this run.
        elapsed_s: Seconds that they took in this run.
        reused_steps: Number of steps that an earlier run has computed.
        reused_from: Name of the folder of that run.
        source: The file of the state in that run.
    """

    length: int = 0
    state: WellState | None = None
    costs: tuple[StepCost, ...] = ()
    elapsed_s: float = 0.0
    reused_steps: int = 0
    reused_from: str = ""
    source: Path | None = None


def find_start(job: PlateJob, plan: WellPlan, work: WellWork) -> Start:
    """Return the latest point at which the well can begin; files of an earlier run are copied for it."""
    for length in sorted(work.states, reverse=True):
        for source in work.sources if length <= work.stop else ():
            path = state_path(Path(source), job.steps[length - 1].name, length, plan.well)
            with read_recorder().paused():
                head = find_state(path, work.states[length], job.seed)
                if head is None or not (head.has_images or _begins_with_plate(job, length)):
                    continue
                if not head.used.is_all and source != job.output_dir:
                    continue
                found = _start(job, plan, work, Path(source), length, head, path)
            if found is not None:
                return found
    return Start()


def _start(
    job: PlateJob, plan: WellPlan, work: WellWork, source: Path, length: int, head: StateHead, path: Path
) -> Start | None:
    output = Path(job.output_dir)
    is_own = source == output
    try:
        tree = read_state(path)
        if _begins_with_plate(job, length):
            tree.images = []
        if not (needs_labels(job.steps[length:]) or any(later > length for later in work.states)):
            tree.labels = []
        state = WellState.restored(tree, head.files, head.used, {image.key: image for image in plan.images})
    except DamagedResultError as error:
        _log.warning("%s: its steps are computed again", error)
        return None
    if not (intact(output, head.files) if is_own else _copied(source, output, head)):
        _log.warning("%s is not used: a file that belongs to it was removed or changed", path)
        return None
    if is_own and head.run != output.name:  # it is shared with an earlier run
        return Start(length, state, reused_steps=length, reused_from=head.run)
    if is_own:
        return Start(length, state, tree.steps, tree.elapsed_s, tree.reused_steps, tree.reused_from)
    copy_run_thumbnail(source, output, plan.well)
    return Start(length, state, reused_steps=length, reused_from=source.name, source=path)


def _copied(source: Path, output: Path, head: StateHead) -> bool:
    return all(copy_file(source / file.name, output / file.name, file) for file in head.files)


def _begins_with_plate(job: PlateJob, length: int) -> bool:
    """Return whether the next step that works on wells takes the images of the plate again."""
    later = [step for step in job.steps[length:] if isinstance(step, FunctionStep)]
    return bool(later) and later[0].input_source is InputSource.PLATE
