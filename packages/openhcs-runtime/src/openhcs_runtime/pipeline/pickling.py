"""Serialization of the work on a plate for worker processes, on this machine or in a Dask cluster.

Functions are sent by name; for functions defined in a pipeline file its text is sent along, and loaded first.
"""

import functools
import pickle
from dataclasses import dataclass

from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.pipeline.plate_step import calls_of
from openhcs_runtime.pipeline.source import PipelineFile, file_of_function, load_module


@dataclass(frozen=True, slots=True)
class PackedJob:
    """A ``PlateJob`` as bytes, the pipeline files that define its functions, and the folder of their local modules."""

    files: tuple[PipelineFile, ...]
    data: bytes
    modules_dir: str


def pack_job(job: PlateJob) -> PackedJob:
    """Serialize a job whose functions can all be imported, which the compiler has checked."""
    files = dict.fromkeys(file for call in calls_of(job.steps) if (file := file_of_function(call.function)))
    return PackedJob(tuple(files), pickle.dumps(job, pickle.HIGHEST_PROTOCOL), job.modules_dir)


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
