"""Runs the plan of one well: its steps, their pattern groups, and their output. Used by every executor."""

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from openhcs_runtime.atomic import sync_files
from openhcs_runtime.components import PROJECTED, ImageKey
from openhcs_runtime.config import ImageFormat
from openhcs_runtime.engine.printing import end_printed_lines
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.engine.randomness import seed_process, well_seeds
from openhcs_runtime.engine.step_costs import StepMeter
from openhcs_runtime.exceptions import ImageError, OpenHCSError, StepError, storable
from openhcs_runtime.outputs.images import image_name, write_labels, write_plane
from openhcs_runtime.outputs.rois import write_rois
from openhcs_runtime.outputs.tables import ImageObjects, write_objects
from openhcs_runtime.outputs.wells import (
    ReadImage,
    WellRecord,
    describe_files,
    discard_part,
    measured_image,
    new_digest,
    objects_path,
    write_part,
)
from openhcs_runtime.pipeline.calls import GroupResult, Measured, WellContext, call_chain
from openhcs_runtime.pipeline.cells import Cell, ColumnKind, common_kind, is_missing, kind_of
from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.own_arguments import stacked
from openhcs_runtime.pipeline.patterns import PatternGroup, group_images
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.process_state import process_keeper
from openhcs_runtime.pipeline.sets import set_names
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep, InputSource
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plates import ImageRef, read_image
from openhcs_runtime.results import ResultStatus, WellResult
from openhcs_runtime.text import error_text, writable
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
            if is_alone:
                seed_process(well_seeds(job.seed, plan.well))
            return _run_well(job, plan, meter, feed, on_step)
        finally:
            end_printed_lines()


def _run_well(
    job: PlateJob, plan: WellPlan, meter: UsageMeter | None, feed: ViewerFeed | None, on_step: OnStep | None
) -> WellResult:
    started = time.monotonic()
    progress = WellProgress(current_task(), plan.well, [step.name for step in job.steps])
    if meter is not None:
        meter.begin()
    run = _WellRun(job, plan, progress, meter, feed, on_step)
    try:
        progress.check_cancelled()
        progress.axis_started()
        with process_keeper:
            part = run.run(started)
    except TaskCancelled:
        progress.ended(ProgressStatus.CANCELLED)
        return run.result(ResultStatus.CANCELLED, started)
    except BaseException as error:  # noqa: BLE001  a user's function may raise anything
        result = run.failure(error, started)
        progress.ended(ProgressStatus.ERROR, error=result.error, traceback=result.traceback or None)
        return result
    progress.axis_completed()
    return run.result(ResultStatus.COMPLETE, started, part)


class _WellRun:
    """The state of one well between its steps; images are references to files until a step has processed them."""

    def __init__(
        self,
        job: PlateJob,
        plan: WellPlan,
        progress: WellProgress,
        meter: UsageMeter | None,
        feed: ViewerFeed | None,
        on_step: OnStep | None,
    ) -> None:
        self._job = job
        self._plan = plan
        self._progress = progress
        self._meter = meter
        self._steps = StepMeter(meter)
        self._feed = feed
        self._on_step = on_step
        self._set_names = set_names(job.steps)
        self._seeds = well_seeds(job.seed, plan.well)
        self._output = Path(job.output_dir)
        self._images: dict[ImageKey, ImageRef | NDArray[Any]] = {image.key: image for image in plan.images}
        self._labels: dict[ImageKey, NDArray[Any]] = {}
        self._sets: dict[ImageKey, str] = {}
        self._measured: dict[ImageKey, dict[str, Cell]] = {}
        self._kinds: dict[tuple[str, str], ColumnKind] = {}
        self._objects: dict[ImageKey, ImageObjects] = {}
        self._files: dict[str, None] = {}
        self._read: dict[tuple[str, tuple[int, ...]], ReadImage] = {}

    def run(self, started: float) -> WellRecord:
        """Run all steps and write the results of the well."""
        discard_part(self._output, self._plan.well)
        if self._plan.missing:
            more = f" and {len(self._plan.missing) - 1} more" if len(self._plan.missing) > 1 else ""
            raise ImageError(f"missing image: {self._plan.missing[0].describe()}{more}")
        if any(map(_needs_labels, self._job.steps)):
            self._read_labels()
        for index, step in enumerate(self._job.steps):
            self._progress.enter_step(index)
            if self._on_step is not None:
                self._on_step(step.name)
            with self._steps.step(step.name):
                self._run_step(index, step)
        return self._finish(started)

    def _read_labels(self) -> None:
        """Read the labels that the plate has."""
        for image in self._plan.labels:
            labels = self._read_plane(image)
            if labels.dtype.kind not in "iu":
                raise ImageError(f"labels {image.path} are {labels.dtype}, not integers", image.path)
            self._labels[image.key], self._sets[image.key] = labels, self._plan.labels_name

    def result(self, status: ResultStatus, started: float, part: WellRecord | None = None) -> WellResult:
        """Return the result of the well if it did not fail."""
        return WellResult(
            well=self._plan.well,
            status=status,
            step=self._progress.step_name if status is ResultStatus.CANCELLED else "",
            outputs=len(part.files) if part else len(self._files),
            counts=part.counts if part else {},
            elapsed_s=time.monotonic() - started,
            peak_memory_bytes=part.peak_memory_bytes if part else None,
            steps=self._steps.costs,
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
            step=self._progress.step_name,
            file=writable(error.path) if isinstance(error, ImageError) else "",
            traceback=writable("".join(traceback.format_exception(error))) if show_traceback else "",
            outputs=len(self._files),
            elapsed_s=time.monotonic() - started,
            steps=self._steps.costs,
        )

    def _run_step(self, index: int, step: FunctionStep) -> None:
        if step.input_source is InputSource.PLATE:
            self._images = {image.key: image for image in self._plan.images}
        groups = group_images(self._images, step.variable_components, self._job.named)
        work = [(group, calls) for group in groups if (calls := self._calls(step, group))]
        self._progress.step_started(len(work))
        is_last = index + 1 == len(self._job.steps)
        keep_labels = any(map(_needs_labels, self._job.steps[index + 1 :]))
        as_zarr = step.materialize and self._job.image_format is ImageFormat.OME_ZARR
        made = _Made()
        for group, calls in work:
            self._progress.check_cancelled()
            result = self._run_group(index, group, calls)
            self._write(result, self._job.folders[index], images=step.materialize and not as_zarr)
            if self._feed is not None:
                self._feed.show(self._job, index, result)
            if as_zarr:
                made.add(result)
            self._take_over(group, result, keep_images=not is_last, keep_labels=keep_labels)
            self._progress.group_done(group, step.group_by)
        if made.images:
            self._write_zarr(index, made)
        if not keep_labels:
            self._labels.clear()
            self._sets.clear()
        self._progress.step_completed()
        if self._feed is not None:
            self._feed.notify()

    def _calls(self, step: FunctionStep, group: PatternGroup) -> tuple[FunctionCall, ...]:
        return step.calls_for(group.value(step.group_by) if step.group_by else None)

    def _run_group(self, index: int, group: PatternGroup, calls: Sequence[FunctionCall]) -> GroupResult:
        planes = [self._plane(key) for key in group.keys]
        if len({plane.shape for plane in planes}) > 1:
            sizes = ", ".join(sorted({"x".join(map(str, plane.shape)) for plane in planes}))
            raise ImageError(f"images of different sizes ({sizes} pixels) in one stack: {group.pattern}")
        stack = stacked(planes)
        del planes
        known = WellContext(self._labels, self._plan.positions, self._job.pixel_size_um, self._sets, self._seeds)
        return call_chain(calls, stack, group, known, self._names(index, group))

    def _names(self, index: int, group: PatternGroup) -> Sequence[str]:
        """Return the names of the object sets found by the calls for a group."""
        step = self._job.steps[index]
        branch = str(group.value(step.group_by)) if step.is_dispatched and step.group_by else None
        return self._set_names[index][branch]

    def _plane(self, key: ImageKey) -> NDArray[Any]:
        image = self._images[key]
        return self._read_plane(image) if isinstance(image, ImageRef) else image

    def _read_plane(self, image: ImageRef) -> NDArray[Any]:
        """Read an image and record the digest of its bytes; if it was read before, it must not have changed."""
        digest = new_digest()
        with read_recorder().paused():
            plane = read_image(self._job.plate_format, image, digest.update)
        read = ReadImage(storable(image.path), digest.hexdigest(), image.index)
        known = self._read.setdefault((image.path, image.index), read)
        if known != read:
            raise ImageError(f"image {image.path} changed while the well was processed: resume the run", image.path)
        return plane

    def _take_over(self, group: PatternGroup, result: GroupResult, *, keep_images: bool, keep_labels: bool) -> None:
        for key in group.keys:
            del self._images[key]
        if keep_images:
            self._images.update(zip(result.keys, result.stack, strict=True))
        if keep_labels:
            self._labels.update(result.labels)
            self._sets.update(result.sets)

    def _write_zarr(self, index: int, made: "_Made") -> None:
        # Importing zarr takes most of a second.
        from openhcs_runtime.outputs.zarr_plates import write_zarr_well  # noqa: PLC0415

        for path in write_zarr_well(self._job, self._plan, index, made.images, made.labels):
            self._files[path.relative_to(self._output).as_posix()] = None

    def _write(self, result: GroupResult, folder: str, *, images: bool) -> None:
        size = self._job.pixel_size_um
        for key, labels in result.labels.items():
            write_labels(self._new_file("labels", folder, key), labels, size, _z_step(self._job, key))
        for key, rois in result.rois.items():
            write_rois(self._new_file("rois", folder, key, ".zip"), rois)
        if images:
            for key, plane in zip(result.keys, result.stack, strict=True):
                write_plane(self._new_file("images", folder, key), plane, size, _z_step(self._job, key))
        for measured in result.measurements:
            self._measure(measured)

    def _new_file(self, kind: str, folder: str, key: ImageKey, suffix: str = ".tif") -> Path:
        path = (self._output / kind / folder / image_name(key, self._job.named)).with_suffix(suffix)
        self._files[path.relative_to(self._output).as_posix()] = None
        return path

    def _measure(self, measured: Measured) -> None:
        key, objects = measured.key, measured.objects
        values = self._measured.setdefault(key, {})
        known = self._objects.get(key)
        again = known is not None and known.has(objects.name, objects.found_in)
        for name, value in measured.summary.items():
            if name in values and not (again and _same(values[name], value)):
                raise StepError(f"column {name} was measured twice for {key.describe()}: rename one of them")
            values[name] = value
        self._check_kinds("measurements", {name: kind_of([value]) for name, value in measured.summary.items()})
        self._check_kinds("objects", {name: column.kind for name, column in measured.table.items()})
        if measured.table:
            try:
                self._objects.setdefault(key, ImageObjects()).add(measured.table, objects.name, objects.found_in)
            except ValueError as error:
                raise StepError(f"{error} for {key.describe()}") from error

    def _check_kinds(self, table: str, new: Mapping[str, ColumnKind]) -> None:
        """Check that each column has the same kind in all images of the well."""
        for name, kind in new.items():
            known = self._kinds.get((table, name), ColumnKind.EMPTY)
            common = common_kind(known, kind)
            if common is None:
                raise StepError(f"column {name} of {table} has {known} and then {kind}: return values of one kind")
            self._kinds[table, name] = common

    def _finish(self, started: float) -> WellRecord:
        objects, kinds = "", {}
        if self._objects:
            path = objects_path(self._output, self._plan.well)
            objects = path.relative_to(self._output).as_posix()
            self._files[objects] = None
            kinds = write_objects(
                path,
                [
                    (key, name, table)
                    for key, of_image in sorted(self._objects.items())
                    for name, table in of_image.tables.items()
                ],
            )
        sync_files(self._output / name for name in self._files)
        part = WellRecord(
            well=self._plan.well,
            signature=self._plan.signature,
            files=describe_files(self._output, self._files),
            objects=objects or None,
            measured=[measured_image(key, values) for key, values in sorted(self._measured.items())],
            elapsed_s=time.monotonic() - started,
            peak_memory_bytes=self._meter.end().peak_memory_bytes if self._meter else None,
            object_kinds=kinds,
            seed=self._job.seed,
            read=list(self._read.values()),
            used=read_recorder().used([self._job.output_dir, *(image.path for image in self._plan.images)]),
            steps=self._steps.costs,
        )
        write_part(self._output, part)
        return part


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


def _same(one: Cell, other: Cell) -> bool:
    return (type(one) is type(other) and one == other) or (is_missing(one) and is_missing(other))


def _takes_labels(call: FunctionCall) -> bool:
    return not {InputKind.LABELS, InputKind.SHARED_LABELS}.isdisjoint(traits_of(call.function).inputs)


def _needs_labels(step: FunctionStep) -> bool:
    return any(_takes_labels(call) for chain in step.branches().values() for call in chain)
