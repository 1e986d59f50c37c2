"""Runs the steps of a preview that have no kept result, and puts together what is shown."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import PROJECTED, ImageKey
from openhcs_runtime.engine.progress import WellProgress
from openhcs_runtime.engine.randomness import global_state
from openhcs_runtime.engine.well_state import WellState
from openhcs_runtime.engine.well_steps import WellSteps
from openhcs_runtime.exceptions import ImageError, OpenHCSError
from openhcs_runtime.pipeline.calls import GroupResult
from openhcs_runtime.pipeline.cells import LABEL, Cell
from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.phases import needs_labels
from openhcs_runtime.pipeline.plate_step import calls_of
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plates import read_image
from openhcs_runtime.preview.compiled import CompiledPlace
from openhcs_runtime.preview.store import KeptState, StateStore
from openhcs_runtime.preview.values import PreviewProblem, PreviewRequest, PreviewResult, PreviewStep
from openhcs_runtime.text import error_text, writable
from zmqruntime.execution import TaskCancelled, current_task
from zmqruntime.execution.text import one_line

__all__ = ["OnStep", "PreviewWell"]

OnStep = Callable[[str], None]
"""Called with each step that is begun, as in "step 2 'Segment'"."""


@dataclass(slots=True)
class _Shown:
    """The image that was asked for."""

    pixels: NDArray[Any] | None = None
    channel: int = 0


class PreviewWell:
    """One preview of a place.

    Args:
        request: what was asked for.
        place: the pipeline compiled for the place.
        store: results of earlier previews; gets those of this one.
        on_step: called with each step that is begun.
    """

    def __init__(self, request: PreviewRequest, place: CompiledPlace, store: StateStore, on_step: OnStep) -> None:
        self._request = request
        self._place = place
        self._store = store
        self._on_step = on_step
        self._job = place.job
        names = [step.name for step in self._job.steps]
        self._progress = WellProgress(current_task(), request.well, names)
        self._steps = WellSteps(self._job, place.plan, self._progress, None, is_alone=True)
        self._reports = [
            PreviewStep(number, name, is_left_out=index in place.left_out)
            for index, (number, name) in enumerate(zip(place.numbers, names, strict=True))
        ]
        self._drawing: list[str] = []
        """Steps that have drawn random numbers."""
        self._image = _Shown()
        self._image_length = _length_of(request.image_after, place.numbers)

    def run(self) -> PreviewResult:
        """Run the steps; a failure is part of the result.

        Raises:
            TaskCancelled: the task was cancelled.
        """
        problem = None
        try:
            self._begin()
        except OpenHCSError as error:
            return self._result(_problem(error, 0, ""))
        for index in range(self._begun, len(self._job.steps)):
            try:
                self._run_step(index)
            except TaskCancelled:
                raise
            except BaseException as error:  # noqa: BLE001  a user's function may raise anything
                problem = _problem(error, self._place.numbers[index], self._job.steps[index].name)
                break
        return self._result(problem)

    def _begin(self) -> None:
        """Take the latest kept state; the image that was asked for must not be before it."""
        if self._place.plan.missing:
            raise ImageError(f"missing image: {self._place.plan.missing[0].describe()}: choose another place")
        self._begun = self._latest()
        for length in range(1, self._begun + 1):
            kept = self._store.find(self._place.keys[length])
            if kept is not None:
                report = self._reports[length - 1]
                self._reports[length - 1] = _reported(report, kept.seconds, is_kept=True)
                self._note_draws(length - 1, draws=kept.draws)
                if length == self._image_length:
                    self._take_image(dict(kept.tree.images))
        if self._begun:
            kept = self._store.find(self._place.keys[self._begun])
            assert kept is not None
            self._steps.state = kept.restored(self._place.plan)
        elif needs_labels(self._job.steps):
            self._steps.read_labels()
        if self._image_length == 0:
            self._take_image(dict.fromkeys(image.key for image in self._place.plan.images))

    def _latest(self) -> int:
        """Return the number of steps to begin after."""
        lengths = range(len(self._job.steps), 0, -1)
        kept = [length for length in lengths if self._store.find(self._place.keys[length]) is not None]
        if self._image_length in (0, *kept):
            return max(kept, default=0)
        return max((length for length in kept if length < self._image_length), default=0)

    def _run_step(self, index: int) -> None:
        started = time.monotonic()
        step, draws = self._job.steps[index], False
        self._progress.enter_step(index)
        if index not in self._place.left_out and isinstance(step, FunctionStep):
            self._on_step(f"step {self._place.numbers[index]} {step.name!r}")
            self._steps.run(index, step, _nothing)
            draws = self._steps.seeded != global_state() or _asks_for_numbers(step)
            self._note_draws(index, draws=draws)
        seconds = time.monotonic() - started
        self._reports[index] = _reported(self._reports[index], seconds)
        ignored = [image.path for image in self._place.plan.images]
        used = read_recorder().used(ignored).joined(self._steps.state.used)
        tree = self._steps.state.stored(with_images=True)
        self._store.keep(self._place.keys[index + 1], KeptState(tree, used, seconds, draws))
        if index + 1 == self._image_length:
            self._take_image(dict(tree.images))

    def _note_draws(self, index: int, *, draws: bool) -> None:
        """Say that a step draws random numbers, which depend on the images that are processed before."""
        if draws and self._place.is_part:
            number, name = self._place.numbers[index], self._job.steps[index].name
            self._drawing.append(f"{number}. {name} draws random numbers: those of a run over more images differ")

    def _take_image(self, images: Mapping[ImageKey, NDArray[Any] | None]) -> None:
        """Take the image of the channel that was asked for, or else of another one; None stands for that of the plate.

        Raises:
            ImageError: it can't be read.
        """
        shown = sorted(key for key in images if self._place.chosen.shows(key))
        channels = (self._request.channel, PROJECTED)
        wanted = [key for channel in channels for key in shown if key.channel == channel]
        for key in [*wanted, *shown][:1]:
            pixels = images[key]
            if pixels is None:
                image = next(image for image in self._place.plan.images if image.key == key)
                pixels = read_image(self._job.plate_format, image)
            self._image = _Shown(pixels, key.channel)

    def _result(self, problem: PreviewProblem | None) -> PreviewResult:
        state = self._steps.state
        after = self._place.numbers[self._image_length - 1] if self._image_length else 0
        return PreviewResult(
            labels={title: state.found[key] for title, key in self._titles(state).items() if key in state.found},
            image=self._image.pixels,
            image_title=self._image_title(),
            image_after=after,
            counts=self._counts(state),
            measurements=self._measurements(state),
            steps=tuple(self._reports),
            notes=(*self._place.notes, *self._drawing),
            problem=problem,
        )

    def _image_title(self) -> str:
        if self._image.pixels is None:
            return ""
        channel = dict(self._job.channel_names).get(self._image.channel) or f"channel {self._image.channel}"
        if not self._image_length:
            return f"plate, {channel}"
        step = self._reports[self._image_length - 1]
        return f"after {step.number}. {step.name}, {channel}"

    def _titles(self, state: WellState) -> dict[str, tuple[ImageKey, str]]:
        """Return the sets of objects that are shown: the image and the function that each was found by."""
        sets = [(key, finder) for key, finder in sorted(state.found) if self._place.chosen.shows(key)]
        tables = [(key, name, table.set_of(name)) for key, table in state.objects.items() for name in table.tables]
        sets += [(of_set.found_in, of_set.finder) for key, _, of_set in tables if self._place.chosen.shows(key)]
        known = list(dict.fromkeys(sets))
        names = [state.names.get(one) or one[1] for one in known]
        taken = Counter(names)
        return {
            name if taken[name] == 1 else f"{name} ({self._channel(key.channel)})": (key, finder)
            for (key, finder), name in zip(known, names, strict=True)
        }

    def _counts(self, state: WellState) -> dict[str, int]:
        """Return the number of objects of each set: the rows of its table or, if it has none, its labels."""
        counts = {}
        for title, (key, finder) in self._titles(state).items():
            rows = [
                len(table[LABEL].cells)
                for image, objects in state.objects.items()
                for name, table in objects.tables.items()
                if self._place.chosen.shows(image)
                and (objects.set_of(name).found_in, objects.set_of(name).finder) == (key, finder)
            ]
            counts[title] = max(rows) if rows else _objects_in(state.found[key, finder])
        return counts

    def _measurements(self, state: WellState) -> dict[str, dict[str, Cell]]:
        return {
            self._channel(key.channel): dict(values)
            for key, values in sorted(state.measured.items())
            if self._place.chosen.shows(key)
        }

    def _channel(self, number: int) -> str:
        return self._steps.channels.get(number, f"ch{number}")


def _reported(step: PreviewStep, seconds: float, *, is_kept: bool = False) -> PreviewStep:
    """Return a step with what is known after it."""
    return PreviewStep(step.number, step.name, seconds, is_kept, step.is_left_out)


def _asks_for_numbers(step: FunctionStep) -> bool:
    return any(InputKind.RNG in traits_of(call.function).inputs for call in calls_of([step]))


def _length_of(number: int | None, numbers: tuple[int, ...]) -> int:
    """Return after how many of the enabled steps an image is taken."""
    if number is None:
        return len(numbers)
    return sum(other <= number for other in numbers)


def _objects_in(labels: NDArray[Any]) -> int:
    return int(np.count_nonzero(np.unique(labels)))


def _nothing(_result: GroupResult) -> None:
    """Keep a result in memory only."""


def _problem(error: BaseException, number: int, name: str) -> PreviewProblem:
    where = f"step {number} {name!r}: " if number else ""
    if isinstance(error, ImageError):
        return PreviewProblem(f"{where}{one_line(error)}", number)
    text = writable(one_line(error)) if isinstance(error, OpenHCSError) else error_text(error)
    remedy = ": change this step, and the preview follows" if error.__cause__ is not None else ""
    details = writable("".join(traceback.format_exception(error.__cause__ or error)))
    return PreviewProblem(f"{where}{text}{remedy}", number, details)
