"""Compiles a pipeline for one place of a plate, as a run of that site would."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from openhcs_runtime.components import Component
from openhcs_runtime.config import GlobalConfig, PipelineConfig
from openhcs_runtime.engine.compiler import compile_plate
from openhcs_runtime.outputs.runs import results_root
from openhcs_runtime.pipeline.decorators import traits_of
from openhcs_runtime.pipeline.phases import plate_steps
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.plate_step import Step, calls_of
from openhcs_runtime.pipeline.run_basis import Prefixes
from openhcs_runtime.pipeline.set_parameters import with_settings
from openhcs_runtime.pipeline.source import Pipeline, load_pipeline
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.pipeline.used_files import read_recorder
from openhcs_runtime.plates.base import Plate
from openhcs_runtime.preview.place import PlaceFilter, PlateOfPlace
from openhcs_runtime.preview.plate_values import FoundValues, ValueFinder
from openhcs_runtime.preview.plates import OpenPlates
from openhcs_runtime.preview.values import PreviewRequest

__all__ = ["CompiledPlace", "PlaceCompiler"]

_SEED = 0
"""Seed of pipelines that don't choose one, so that two previews differ only by what was edited."""


@dataclass(frozen=True, slots=True)
class CompiledPlace:
    """A pipeline compiled for a place.

    Attributes:
        job: the settings, with the values of steps over the plate that are known.
        plan: the plan of the well, with the images of the place only.
        numbers: number of each enabled step in the pipeline.
        keys: a text for each number of steps that changes with anything that affects what these make of the place.
        left_out: indices of the steps that are left out.
        chosen: which images are shown.
        notes: in what way the result may differ from that of a run.
        gpus: the setting of ``GlobalConfig``.
        is_part: whether a run processes more images of the well.
    """

    job: PlateJob
    plan: WellPlan
    numbers: tuple[int, ...]
    keys: tuple[str, ...]
    left_out: frozenset[int]
    chosen: PlaceFilter
    notes: tuple[str, ...]
    gpus: str
    is_part: bool


class PlaceCompiler:
    """Keeps plates open between previews."""

    def __init__(self) -> None:
        self._plates = OpenPlates()
        self._values = ValueFinder()

    def compile(self, request: PreviewRequest) -> CompiledPlace:
        """Load the pipeline of a request and compile it for its place.

        Raises:
            PipelineError: the pipeline can't be loaded, or does not fit the plate.
            PlateError: the plate can't be opened, or does not have the place.
        """
        loaded = load_pipeline(request.pipeline, request.pipeline_name, request.pipeline_folder)
        pipeline = with_settings(loaded, request.settings)
        with read_recorder().paused():  # what is read here is not an input of the functions
            return self._compile(request, pipeline)

    def _compile(self, request: PreviewRequest, pipeline: Pipeline) -> CompiledPlace:
        settings = pipeline.pipeline_config or PipelineConfig()
        machine = pipeline.global_config or GlobalConfig()
        whole = self._plates.get(request, settings)
        numbers = tuple(number for number, step in enumerate(pipeline.steps, start=1) if step.enabled)
        chosen = PlaceFilter(request, [step for step in pipeline.steps if step.enabled])
        plate = PlateOfPlace(whole, request.well, chosen)
        here = dataclasses.replace(settings, wells=None, sites=None, where=None, sample=None, plate_map=None)
        folder = Path(results_root(whole.path))
        compiled = compile_plate(cast(Plate, plate), pipeline.steps, machine, here, folder, (), pipeline.file)
        found = self._values.find(whole, pipeline, settings, compiled)
        seed = machine.seed if machine.seed is not None else found.seed if found.seed is not None else _SEED
        job = dataclasses.replace(compiled.job, seed=seed, values=found.values)
        lacking = _without_value(job.steps, found)
        return CompiledPlace(
            job=job,
            plan=compiled.wells[0],
            numbers=numbers,
            keys=_keys(job, compiled.wells[0], found, compiled.seed),
            left_out=lacking | frozenset(plate_steps(job.steps)),
            chosen=chosen,
            notes=(*_value_notes(job.steps, numbers, found, lacking), *_site_notes(job.steps, numbers, whole, request)),
            gpus=machine.gpus,
            is_part=len(compiled.wells[0].images) < len(whole.images.get(request.well, ())),
        )


def _keys(job: PlateJob, plan: WellPlan, found: FoundValues, seed: int | None) -> tuple[str, ...]:
    prefixes = Prefixes(job, seed)
    known = {index: found.identities.get(index, "not made") for index in plate_steps(job.steps)}
    return tuple(
        f"{job.plate_path}\0{prefixes.of_well(plan, length, known)}\0{job.seed}" for length in range(len(job.steps) + 1)
    )


def _without_value(steps: Sequence[Step], found: FoundValues) -> frozenset[int]:
    """Return the indices of the steps that take a value which no run has made."""
    wanted = {
        index: {name for call in calls_of([step]) for name in traits_of(call.function).plate_inputs}
        for index, step in enumerate(steps)
        if isinstance(step, FunctionStep)
    }
    return frozenset(index for index, names in wanted.items() if not names <= found.values.keys())


def _value_notes(
    steps: Sequence[Step], numbers: Sequence[int], found: FoundValues, lacking: frozenset[int]
) -> list[str]:
    makers = [index for index in plate_steps(steps) if index not in found.identities]
    if not makers:
        return []
    made = ", ".join(f"{numbers[index]}. {steps[index].name}" for index in makers)
    left = ", ".join(f"{numbers[index]}. {steps[index].name}" for index in sorted(lacking))
    without = f", and {left} is left out" if left else ""
    return [
        f"correction of the plate is not applied in the preview: no run has made {made} with these settings{without}. "
        "Run the plate once to see it"
    ]


def _site_notes(steps: Sequence[Step], numbers: Sequence[int], plate: Plate, request: PreviewRequest) -> list[str]:
    """Say which steps see one site here and several in a run."""
    sites = {image.key.site for image in plate.images.get(request.well, ())}
    notes = []
    for number, step in zip(numbers, steps, strict=True):
        traits = [traits_of(call.function) for call in calls_of([step])]
        joins = isinstance(step, FunctionStep) and Component.SITE in step.variable_components
        if len(sites) > 1 and joins and any(each.reduces for each in traits):
            notes.append(f"{number}. {step.name} puts sites together: the preview has site {request.site} only")
    return notes
