"""Runs the plan of one well: its steps, their pattern groups, and their output. Used by every executor."""

import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from openhcs_runtime.atomic import sync_files
from openhcs_runtime.components import PROJECTED, ImageKey
from openhcs_runtime.config import ImageFormat
from openhcs_runtime.engine.printing import end_printed_lines
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.engine.step_costs import StepMeter
from openhcs_runtime.engine.well_start import Start, find_start
from openhcs_runtime.engine.well_state import WellState
from openhcs_runtime.engine.well_steps import WellSteps
from openhcs_runtime.exceptions import ImageError, OpenHCSError, StepError
from openhcs_runtime.outputs.images import image_name, write_labels, write_plane
from openhcs_runtime.outputs.rois import write_rois
from openhcs_runtime.outputs.states import StateHead, link_state, state_path, write_state
from openhcs_runtime.outputs.wells import (
    WellRecord,
    WellTable,
    discard_part,
    measured_image,
    write_part,
)
from openhcs_runtime.pipeline.calls import GroupResult
from openhcs_runtime.pipeline.phases import (
    last_of_wells,
    needs_labels,
    needs_object_sets,
    plate_steps,
    saved_states,
    state_index,
)
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan, WellWork
from openhcs_runtime.pipeline.plate_step import PlateStep
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.step import FunctionStep, Keep
from openhcs_runtime.pipeline.used_files import UsedFiles, read_recorder
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.text import error_text, writable
from openhcs_runtime.thumbnails import ThumbnailRecorder
from openhcs_runtime.viewers.live import ViewerFeed
from zmqruntime.execution import TaskCancelled, current_task
from zmqruntime.execution.text import one_line
from zmqruntime.execution.workers.usage import UsageMeter
from zmqruntime.messages import ProgressStatus

OnStep = Callable[[str], None]
"""Called with the name of each step when it begins."""


def run_well(
    job: PlateJob,
    plan: WellPlan,
    meter: UsageMeter | None = None,
    feed: ViewerFeed | None = None,
    on_step: OnStep | None = None,
    *,
    is_alone: bool = True,
) -> WellResult:
    """Process one well in the current task.

    A failure is part of the result and never raised. Cancellation is checked before each step and each pattern group;
    files written before that are kept.

    Args:
        job: the job.
        plan: plan of the well.
        meter: measures this process; only if no other well is processed in it.
        feed: shows the images of the well in a viewer, if the job has one.
        on_step: called with the name of each step, so that the caller knows the last one if the process dies.
        is_alone: whether no other well is processed in this process at the same time, so that the global random
            number generators can be seeded for this well.

    Returns:
        How the well ended.
    """
    with current_task().axis(plan.well), read_recorder().active():
        try:
            return _run_well(_WellRun(job, plan, meter, feed, on_step, is_alone=is_alone), meter)
        finally:
            end_printed_lines()


def _run_well(run: "_WellRun", meter: UsageMeter | None) -> WellResult:
    started = time.monotonic()
    progress = run.progress
    if meter is not None:
        meter.begin()
    try:
        progress.check_cancelled()
        run.announce()
        with process_keeper:
            part = run.run(started)
    except TaskCancelled:
        progress.ended(ProgressStatus.CANCELLED)
        return run.result(ResultStatus.CANCELLED, started)
    except BaseException as error:  # noqa: BLE001  a user's function may raise anything
        result = run.failure(error, started)
        progress.ended(ProgressStatus.ERROR, error=result.error, traceback=result.traceback or None)
        return result
    finally:
        run.keep_thumbnail()
    if part is not None:
        progress.axis_completed()
    return run.result(ResultStatus.COMPLETE, started, part)


class _WellRun:
    """The steps of one well, from the beginning or from a state that was kept."""

    def __init__(
        self,
        job: PlateJob,
        plan: WellPlan,
        meter: UsageMeter | None,
        feed: ViewerFeed | None,
        on_step: OnStep | None,
        *,
        is_alone: bool,
    ) -> None:
        self._job = job
        self._plan = plan
        self._work = plan.work or WellWork(len(job.steps))
        self.progress = WellProgress(current_task(), plan.well, [step.name for step in job.steps])
        self._meter = meter
        self._thumbnail = ThumbnailRecorder(plan.well, plan.images)
        self._steps = WellSteps(job, plan, self.progress, meter, is_alone=is_alone, on_read=self._thumbnail.add)
        self._feed = feed
        self._on_step = on_step
        self._last = last_of_wells(job.steps)
        self._output = Path(job.output_dir)
        self._start = Start()

    @property
    def _state(self) -> WellState:
        """The well so far."""
        return self._steps.state

    @property
    def _costs(self) -> StepMeter:
        """What its steps have cost."""
        return self._steps.costs

    def announce(self) -> None:
        """Report that the well begins, unless it has been begun in this run."""
        if not self._work.continues:
            self.progress.axis_started()

    def run(self, started: float) -> WellRecord | None:
        """Run the steps, and write the results of the well, or its state if more steps follow in a later phase."""
        self._begin()
        states = saved_states(self._job.steps)
        if self._start.source is not None and self._start.length in states:
            link_state(self._start.source, self._state_path(self._start.length))
        for index in range(self._start.length, self._work.stop):
            step = self._job.steps[index]
            if isinstance(step, PlateStep):
                continue
            self.progress.enter_step(index)
            if self._on_step is not None:
                self._on_step(step.name)
            with self._costs.step(step.name):
                self._run_step(index, step)
            self.progress.step_completed(str(self._costs.costs[-1]))
            if index + 1 in states and index + 1 in self._work.states:
                self._save(index + 1, started)
            if not self._needs_labels_after(index):
                self._state.labels.clear()
                self._state.sets.clear()
            if not self._needs_sets_after(index):
                self._state.found.clear()
        if self._work.finishes:
            return self._finish(started)
        self.progress.wait_for(self._work.stop)
        return None

    def _begin(self) -> None:
        """Take the latest state that can be used, or the images of the plate."""
        plan = self._plan
        if plan.missing:
            discard_part(self._output, plan.well)
            more = f" and {len(plan.missing) - 1} more" if len(plan.missing) > 1 else ""
            raise ImageError(f"missing image: {plan.missing[0].describe()}{more}")
        self._start = find_start(self._job, plan, self._work)
        if self._start.state is not None:
            self._steps.state = self._start.state
            self._steps.costs = StepMeter(self._meter, self._start.costs)
        discard_part(self._output, plan.well, self._state.files)
        if self._start.state is None and needs_labels(self._job.steps):
            self._steps.read_labels()

    def _needs_labels_after(self, index: int) -> bool:
        """Return whether labels are used by a later step, or kept after one."""
        steps = self._job.steps
        return needs_labels(steps[index + 1 :]) or any(length > index + 1 for length in self._work.states)

    def _needs_sets_after(self, index: int) -> bool:
        """Return whether the labels of all sets are used by a later step, or kept after one."""
        later = self._job.steps[index + 1 :]
        return needs_object_sets(later) or any(length > index + 1 for length in self._work.states)

    def _save(self, length: int, started: float) -> None:
        steps, step = self._job.steps, self._job.steps[length - 1]
        is_before_plate_step = length in {state_index(steps, index) for index in plate_steps(steps)}
        with_images = step.keep != Keep.LABELS or is_before_plate_step
        tree = self._state.stored(with_images=with_images)
        tree.steps = self._costs.costs
        tree.reused_steps, tree.reused_from = self._start.reused_steps, self._start.reused_from
        tree.elapsed_s = self._start.elapsed_s + time.monotonic() - started
        files = self._state.described_files(self._output)
        head = StateHead(
            well=self._plan.well,
            signature=self._work.states[length],
            seed=self._job.seed,
            run=self._output.name,
            has_images=with_images,
            files=files,
            used=self._used(),
        )
        write_state(self._state_path(length), head, tree)

    def _state_path(self, length: int) -> Path:
        return state_path(self._output, self._job.steps[length - 1].name, length, self._plan.well)

    def _used(self) -> UsedFiles:
        ignored = [self._job.output_dir, *(image.path for image in self._plan.images)]
        return read_recorder().used(ignored).joined(self._state.used)

    def keep_thumbnail(self) -> None:
        """Write the thumbnail of the well, also of one that has failed, if its images were read."""
        self._thumbnail.write(self._output)

    def result(self, status: ResultStatus, started: float, part: WellRecord | None = None) -> WellResult:
        """Return the result of the well if it did not fail."""
        return WellResult(
            well=self._plan.well,
            status=status,
            step=self.progress.step_name if status is ResultStatus.CANCELLED else "",
            outputs=len(part.files) if part else len(self._state.files),
            counts=part.counts if part else {},
            elapsed_s=self._start.elapsed_s + time.monotonic() - started,
            peak_memory_bytes=part.peak_memory_bytes if part else None,
            steps=self._costs.costs,
            reused_steps=self._start.reused_steps,
            reused_from=self._start.reused_from,
        )

    def failure(self, error: BaseException, started: float) -> WellResult:
        """Return the result of the well if it failed."""
        expected = isinstance(error, OpenHCSError)
        text = writable(one_line(error)) if expected else error_text(error)
        show_traceback = isinstance(error, StepError) or not expected
        return WellResult(
            well=self._plan.well,
            status=ResultStatus.FAILED,
            error=text,
            step=self.progress.step_name,
            file=writable(error.path) if isinstance(error, ImageError) else "",
            traceback=writable("".join(traceback.format_exception(error))) if show_traceback else "",
            outputs=len(self._state.files),
            elapsed_s=self._start.elapsed_s + time.monotonic() - started,
            steps=self._costs.costs,
        )

    def _run_step(self, index: int, step: FunctionStep) -> None:
        as_zarr = step.materialize and self._job.image_format is ImageFormat.OME_ZARR
        is_kept = index + 1 in self._work.states
        made = _Made()

        def take(result: GroupResult) -> None:
            self._write(result, self._job.folders[index], images=step.materialize and not as_zarr)
            if self._feed is not None:
                self._feed.show(self._job, index, result)
            if as_zarr:
                made.add(result)

        self._steps.run(
            index,
            step,
            take,
            keep_images=index != self._last or is_kept,
            keep_labels=self._needs_labels_after(index) or is_kept,
        )
        if made.images:
            self._write_zarr(index, made)
        if self._feed is not None:
            self._feed.notify()

    def _write_zarr(self, index: int, made: "_Made") -> None:
        # Importing zarr takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import write_zarr_well  # noqa: PLC0415

        for path in write_zarr_well(self._job, self._plan, index, made.images, made.labels):
            self._state.files[path.relative_to(self._output).as_posix()] = None

    def _write(self, result: GroupResult, folder: str, *, images: bool) -> None:
        size = self._job.pixel_size_um
        for key, labels in result.labels.items():
            write_labels(self._new_file("labels", folder, key), labels, size, _z_step(self._job, key))
        for key, rois in result.rois.items():
            write_rois(self._new_file("rois", folder, key, ".zip"), rois)
        if images:
            for key, plane in zip(result.keys, result.stack, strict=True):
                write_plane(self._new_file("images", folder, key), plane, size, _z_step(self._job, key))

    def _new_file(self, kind: str, folder: str, key: ImageKey, suffix: str = ".tif") -> Path:
        path = (self._output / kind / folder / image_name(key, self._job.named)).with_suffix(suffix)
        self._state.files[path.relative_to(self._output).as_posix()] = None
        return path

    def _finish(self, started: float) -> WellRecord:
        state = self._state
        tables = self._write_tables()
        sync_files(self._output / name for name in state.files)
        part = WellRecord(
            well=self._plan.well,
            signature=self._plan.signature,
            files=state.described_files(self._output),
            tables=tables,
            without_channel=[name for of_set, name in sorted(state.without_channel) if not of_set],
            measured=[measured_image(key, values) for key, values in sorted(state.measured.items())],
            elapsed_s=self._start.elapsed_s + time.monotonic() - started,
            peak_memory_bytes=self._meter.end().peak_memory_bytes if self._meter else None,
            seed=self._job.seed,
            read=list(state.read.values()),
            used=self._used(),
            steps=self._costs.costs,
            values=dict(self._work.values),
            reused_steps=self._start.reused_steps,
            reused_from=self._start.reused_from,
        )
        write_part(self._output, part)
        return part

    def _write_tables(self) -> list[WellTable]:
        """Write the objects of the well, a table for each set."""
        state, tables = self._state, []
        if state.objects:
            # Importing pyarrow takes a third of a second.
            from openhcs_runtime.tables.well_tables import set_tables, write_well_table  # noqa: PLC0415

            for table in set_tables(state.objects, state.without_channel, self._steps.channels):
                tables.append(write_well_table(self._output, self._plan.well, table))
                state.files[tables[-1].file] = None
        return tables


class _Made:
    """The images and labels made by a step, for formats that need a whole site at once."""

    def __init__(self) -> None:
        self.images: dict[ImageKey, NDArray[Any]] = {}
        self.labels: dict[ImageKey, NDArray[Any]] = {}

    def add(self, result: GroupResult) -> None:
        self.images.update(zip(result.keys, result.stack, strict=True))
        self.labels.update(result.labels)


def _z_step(job: PlateJob, key: ImageKey) -> float | None:
    return None if key.z_index == PROJECTED else job.z_step_um
