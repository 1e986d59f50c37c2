"""What the results of a run depend on besides the images: of the whole pipeline, or of its first steps.

The results of the first steps of a pipeline depend only on these steps and on the code that they use. A run in which
only later steps differ can begin with the results of the first ones.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, MethodType, ModuleType

from openhcs_runtime.config import ImageFormat
from openhcs_runtime.pipeline.basis import PipelineBasis, digest, pipeline_basis
from openhcs_runtime.pipeline.check import files_of
from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.phases import plate_steps
from openhcs_runtime.pipeline.plan import PlateJob, WellPlan
from openhcs_runtime.pipeline.plate_step import Step, calls_of
from openhcs_runtime.pipeline.reachable import reachable_source
from openhcs_runtime.pipeline.source import PipelineFile, file_of_function
from openhcs_runtime.pipeline.stable_text import stable_text
from openhcs_runtime.pipeline.step import FunctionCall, FunctionStep

SIGNATURE_VERSION = "4"
"""Part of every signature; changed when the results of the engine itself change."""


def run_basis(job: PlateJob, file: PipelineFile | None, seed: int | None) -> PipelineBasis:
    """Return everything that affects the results of a well except the images; not where they are written.

    Args:
        job: The steps and what the wells have in common.
        file: The pipeline file.
        seed: The seed chosen by the user; a fresh seed is not an input: results made with it stay valid.
    """
    calls = calls_of(job.steps)
    files = dict.fromkeys(known for known in (file, *_files_of(calls)) if known is not None)
    basis = pipeline_basis(files, _modules_of(calls))
    basis.update(_settings(job, job.steps, job.folders, seed))
    return basis


class Prefixes:
    """Signatures of the first steps of a pipeline.

    Args:
        job: The steps and what the wells have in common.
        seed: The seed chosen by the user, if any.
    """

    def __init__(self, job: PlateJob, seed: int | None) -> None:
        self._job = job
        self._seed = seed
        self._bases: dict[int, str] = {}

    def base(self, length: int) -> str:
        """Return a digest of everything that affects the results of the first steps except the images."""
        if length not in self._bases:
            self._bases[length] = self._basis(length).digest()
        return self._bases[length]

    def of_well(self, plan: WellPlan, length: int, values: Mapping[int, str]) -> str:
        """Return the signature of a well after the first steps.

        Args:
            plan: The plan of the well.
            length: Number of steps.
            values: Identities of the values made by the steps over the plate, by the index of the step.
        """
        steps = self._job.steps[:length]
        takes_places = any(InputKind.POSITIONS in traits_of(call.function).inputs for call in calls_of(steps))
        places = [repr(sorted(plan.positions.items()))] if takes_places else []
        made = (values[index] for index in plate_steps(steps))
        return digest([self.base(length), plan.well, plan.inputs, *places, *made])

    def of_value(self, index: int, wells: Mapping[str, str]) -> str:
        """Return the signature of the value that a step over the plate makes.

        Args:
            index: Index of the step.
            wells: Signatures of the wells that it is made from, after the steps before.
        """
        return digest([self.base(index + 1), *(part for well in sorted(wells) for part in (well, wells[well]))])

    def _basis(self, length: int) -> PipelineBasis:
        steps = self._job.steps[:length]
        calls = calls_of(steps)
        files = [dataclasses.replace(file, text=_used_text(file, steps)) for file in dict.fromkeys(_files_of(calls))]
        basis = pipeline_basis(files, _modules_of(calls))
        basis.update(_settings(self._job, steps, self._job.folders[:length], self._seed))
        return basis


def _settings(
    job: PlateJob, steps: Sequence[Step], folders: Sequence[str], seed: int | None
) -> Iterator[tuple[str, str]]:
    yield "engine", SIGNATURE_VERSION
    yield "plate format", job.plate_format
    yield "pixel size", repr(job.pixel_size_um)
    yield "components of the plate", ", ".join(sorted(job.named))
    yield "steps", digest([*folders, *map(_step_text, steps)])
    if seed is not None:
        yield "seed", str(seed)
    yield "image format", f"{job.image_format.value} sharded" if job.sharded else job.image_format.value
    yield "z step", repr(job.z_step_um)
    if job.image_format is not ImageFormat.TIFF or plate_steps(steps):
        yield "channel names", repr(job.channel_names)
    for call in calls_of(steps):
        for name, stat in files_of(call):
            yield f"file of {call.name}({name})", f"{stat.st_size} {stat.st_mtime_ns}"


def _step_text(step: Step) -> str:
    """Return a text of what in a step affects results."""
    if isinstance(step, FunctionStep):
        step = dataclasses.replace(step, stream=False, keep=None, gpu=0, memory=None, threads=None)
    return stable_text(step)


def _files_of(calls: Iterable[FunctionCall]) -> Iterator[PipelineFile]:
    return (file for call in calls if (file := file_of_function(call.function)) is not None)


def _modules_of(calls: Iterable[FunctionCall]) -> dict[str, None]:
    """Return the modules that define functions and their arguments, other than pipeline files."""
    owners = (owner for call in calls for owner in _owners_in(call))
    return dict.fromkeys(module for owner in owners if (module := _module_of(owner)))


def _module_of(owner: object) -> str:
    return "" if file_of_function(owner) else getattr(owner, "__module__", None) or ""


def _used_text(file: PipelineFile, steps: Sequence[Step]) -> str:
    """Return the part of a pipeline file that these steps depend on."""
    owners = (owner for call in calls_of(steps) for owner in _owners_in(call) if file_of_function(owner) == file)
    return reachable_source(file.text, {getattr(owner, "__qualname__", "").partition(".")[0] for owner in owners})


def _owners_in(call: FunctionCall) -> Iterator[object]:
    """Yield the functions and classes that a call consists of: its own, and those of its arguments, at any depth."""
    waiting: list[object] = [call.function, *call.kwargs.values()]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        yield value if isinstance(value, type | FunctionType) else type(value)
        waiting += _parts_of(value)


def _parts_of(value: object) -> list[object]:
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        return [value.__wrapped__] if hasattr(value, "__wrapped__") else []
    if isinstance(value, type | ModuleType):
        return []
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts += [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts += value
    if dataclasses.is_dataclass(value):
        parts += [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return [*parts, *getattr(value, "__dict__", {}).values()]
