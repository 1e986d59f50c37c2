"""Steps of one well, each on what the one before has left in memory; used by runs and by previews."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.engine.devices.step_slots import StepSlots
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.engine.randomness import same_seeds, seed_process, step_seeds
from openhcs_runtime.engine.step_costs import StepMeter
from openhcs_runtime.engine.well_state import WellState
from openhcs_runtime.exceptions import ImageError, storable
from openhcs_runtime.outputs.plate_values import read_value
from openhcs_runtime.outputs.wells import ReadImage, new_digest
from openhcs_runtime.pipeline.calls import GroupResult, WellContext, call_chain
from openhcs_runtime.pipeline.decorators import traits_of
from openhcs_runtime.pipeline.own_arguments import stacked
from openhcs_runtime.pipeline.patterns import PatternGroup, group_images
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.plate_step import calls_of
from openhcs_runtime.pipeline.sets import set_names
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep, InputSource
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plates import ImageRef, read_image
from openhcs_runtime.tables.columns import channel_tokens
from zmqruntime.execution.workers.usage import UsageMeter

__all__ = ["OnGroup", "WellSteps"]

OnGroup = Callable[[GroupResult], None]
"""Called with what the functions of a step have made of each pattern group."""


class WellSteps:
    """Runs steps of one well.

    Args:
        job: the job.
        plan: plan of the well.
        progress: reports the steps, and knows whether the well was cancelled.
        meter: measures this process; only if no other well is processed in it.
        is_alone: whether no other well is processed in this process at the same time, so that the global random number
            generators can be seeded for this well.
        on_read: called with each image that was read and its plane (Y, X).

    Attributes:
        state: the well so far.
        costs: what the steps have cost.
        seeded: state of NumPy's global random number generator when the last step began; empty if it was not seeded.
    """

    def __init__(
        self,
        job: PlateJob,
        plan: WellPlan,
        progress: WellProgress,
        meter: UsageMeter | None,
        *,
        is_alone: bool,
        on_read: Callable[[ImageRef, NDArray[Any]], None] | None = None,
    ) -> None:
        self._job = job
        self._plan = plan
        self._progress = progress
        self._slots = StepSlots(progress)
        self._is_alone = is_alone
        self._on_read = on_read
        self._set_names = set_names(job.steps)
        self.channels = channel_tokens((image.key.channel for image in plan.images), dict(job.channel_names))
        self.state = WellState({image.key: image for image in plan.images})
        self.costs = StepMeter(meter)
        self.seeded = b""

    def read_labels(self) -> None:
        """Read the labels that the plate has.

        Raises:
            ImageError: they can't be read, or are not integers.
        """
        for image in self._plan.labels:
            labels = self._read_plane(image)
            if labels.dtype.kind not in "iu":
                raise ImageError(f"labels {image.path} are {labels.dtype}, not integers", image.path)
            self.state.labels[image.key], self.state.sets[image.key] = labels, self._plan.labels_name
            self.state.found[image.key, self._plan.labels_name] = labels

    def run(
        self, index: int, step: FunctionStep, on_group: OnGroup, *, keep_images: bool = True, keep_labels: bool = True
    ) -> None:
        """Run a step on all its pattern groups.

        Args:
            index: index of the step.
            step: the step.
            on_group: called after each pattern group.
            keep_images: whether its images stay in the state.
            keep_labels: whether its labels stay in the state.

        Raises:
            StepError: a function has failed.
            ImageError: an image can't be read.
            TaskCancelled: the task or the well was cancelled.
        """
        if self._is_alone:
            self.seeded = seed_process(step_seeds(self._job.seed, self._plan.well, index))
        if step.input_source is InputSource.PLATE:
            self.state.images = {image.key: image for image in self._plan.images}
        groups = group_images(self.state.images, step.variable_components, self._job.named)
        work = [(group, calls) for group in groups if (calls := _calls(step, group))]
        self._progress.step_started(len(work))
        known = self._known(index)
        for group, calls in work:
            self._progress.check_cancelled()
            result = self._run_group(index, group, calls, known)
            on_group(result)
            for measured in result.measurements:
                self.state.measure(measured)
            self._take_over(group, result, keep_images=keep_images, keep_labels=keep_labels)
            self._progress.group_done(group, step.group_by)

    def plane(self, key: ImageKey) -> NDArray[Any]:
        """Return the pixels (Y, X) of an image.

        Raises:
            ImageError: it can't be read.
        """
        image = self.state.images[key]
        return self._read_plane(image) if isinstance(image, ImageRef) else image

    def _known(self, index: int) -> WellContext:
        """Return what functions of a step can ask for."""
        state, job = self.state, self._job
        names = {name for call in calls_of([job.steps[index]]) for name in traits_of(call.function).plate_inputs}
        values = {name: read_value(Path(job.values[name].path), job.values[name].identity) for name in sorted(names)}
        seeds = step_seeds(job.seed, self._plan.well, index)
        return WellContext(
            labels=state.labels,
            positions=self._plan.positions,
            pixel_size_um=job.pixel_size_um,
            sets=state.sets,
            found=state.found,
            names=state.names,
            channels=self.channels,
            seeds=seeds,
            measured=state.measured,
            values=values,
        )

    def _run_group(
        self, index: int, group: PatternGroup, calls: Sequence[FunctionCall], known: WellContext
    ) -> GroupResult:
        planes = [self.plane(key) for key in group.keys]
        if len({plane.shape for plane in planes}) > 1:
            sizes = ", ".join(sorted({"x".join(map(str, plane.shape)) for plane in planes}))
            raise ImageError(f"images of different sizes ({sizes} pixels) in one stack: {group.pattern}")
        stack = stacked(planes)
        del planes
        step, names, seeds = self._job.steps[index], self._names(index, group), same_seeds(known.seeds)

        def attempt() -> GroupResult:  # a second attempt gets the same pixels and random numbers
            own = replace(known, seeds=same_seeds(seeds))
            result = call_chain(calls, stack.copy() if step.resources.gpu else stack, group, own, names)
            known.seeds.spawn(own.seeds.n_children_spawned - seeds.n_children_spawned)
            return result

        return self._slots.call(step.resources, attempt, self.costs)

    def _names(self, index: int, group: PatternGroup) -> Sequence[str]:
        """Return the names of the object sets found by the calls for a group."""
        step = self._job.steps[index]
        branch = str(group.value(step.group_by)) if step.is_dispatched and step.group_by else None
        return self._set_names[index][branch]

    def _read_plane(self, image: ImageRef) -> NDArray[Any]:
        """Read an image and record the digest of its bytes; if it was read before, it must not have changed."""
        digest = new_digest()
        with read_recorder().paused():
            plane = read_image(self._job.plate_format, image, digest.update)
        read = ReadImage(storable(image.path), digest.hexdigest(), image.index)
        known = self.state.read.setdefault((image.path, image.index), read)
        if known != read:
            raise ImageError(f"image {image.path} changed while the well was processed: resume the run", image.path)
        if self._on_read is not None:
            self._on_read(image, plane)
        return plane

    def _take_over(self, group: PatternGroup, result: GroupResult, *, keep_images: bool, keep_labels: bool) -> None:
        for key in group.keys:
            del self.state.images[key]
        if keep_images:
            self.state.images.update(zip(result.keys, result.stack, strict=True))
        self.state.names.update(result.names)
        if keep_labels:
            self.state.labels.update(result.labels)
            self.state.sets.update(result.sets)
            self.state.found.update(result.found)


def _calls(step: FunctionStep, group: PatternGroup) -> tuple[FunctionCall, ...]:
    return step.calls_for(group.value(step.group_by) if step.group_by else None)
