"""Serialization of the work on a plate for worker processes, on this machine or in a Dask cluster.

Functions are sent by name; for functions defined in a pipeline file its text is sent along, and loaded first.
"""

import functools
import pickle
from dataclasses import dataclass

from openhcs_runtime.pipeline.decorators import StepFunction
from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.pipeline.plate_step import calls_of
from openhcs_runtime.pipeline.source import PipelineFile, file_of_function, load_module


@dataclass(frozen=True, slots=True)
class PackedJob:
    """A ``PlateJob`` as bytes, and what a process has to know before it loads it.

    Attributes:
        files: The pipeline files that define its functions.
        data: The job.
        modules_dir: The folder of their local modules.
        output_dir: The output folder of the job.
        functions: The functions of its steps, by file or module and name.
    """

    files: tuple[PipelineFile, ...]
    data: bytes
    modules_dir: str
    output_dir: str
    functions: frozenset[str]


def pack_job(job: PlateJob) -> PackedJob:
    """Serialize a job whose functions can all be imported, which the compiler has checked."""
    calls = calls_of(job.steps)
    files = dict.fromkeys(file for call in calls if (file := file_of_function(call.function)))
    functions = frozenset(_place_of(call.function) for call in calls)
    data = pickle.dumps(job, pickle.HIGHEST_PROTOCOL)
    return PackedJob(tuple(files), data, job.modules_dir, job.output_dir, functions)


@functools.lru_cache(maxsize=2)
def unpack_job(packed: PackedJob) -> PlateJob:
    """Return the deserialized job; the last two are cached. See ``load_job``."""
    return load_job(packed)


def load_job(packed: PackedJob) -> PlateJob:
    """Deserialize a job; only for data made by ``pack_job`` that came over a channel that runs code anyway."""
    for file in packed.files:
        load_module(file)
    job = pickle.loads(packed.data)  # noqa: S301  from the parent process, or as a part of a Dask task
    assert isinstance(job, PlateJob)
    return job


def _place_of(function: StepFunction) -> str:
    """Return where a function is defined; the text of a pipeline file may change, its place does not."""
    file = file_of_function(function)
    place = f"{file.folder}\0{file.name}" if file else getattr(function, "__module__", "")
    return f"{place}\0{getattr(function, '__qualname__', repr(function))}"
