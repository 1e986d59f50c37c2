"""How the work on a plate travels to worker processes, of this machine or of a Dask cluster.

Functions go by name; those defined in a pipeline file have its text sent along, which the worker loads first.
"""

import functools
import pickle
from dataclasses import dataclass

from openhcs_runtime.pipeline.plan import PlateJob
from openhcs_runtime.pipeline.source import PipelineFile, file_of_function, load_module


@dataclass(frozen=True, slots=True)
class PackedJob:
    """A `PlateJob` as bytes, the pipeline files that its functions come from, and the folder of modules beside them."""

    files: tuple[PipelineFile, ...]
    data: bytes
    modules_dir: str


def pack_job(job: PlateJob) -> PackedJob:
    """Pack a job whose functions can all be imported (the compiler has checked that)."""
    calls = [call for step in job.steps for chain in step.branches().values() for call in chain]
    files = dict.fromkeys(file for call in calls if (file := file_of_function(call.function)))
    return PackedJob(tuple(files), pickle.dumps(job, pickle.HIGHEST_PROTOCOL), job.modules_dir)


@functools.lru_cache(maxsize=2)
def unpack_job(packed: PackedJob) -> PlateJob:
    """The job again, from memory while it is one of the last two; see `load_job`."""
    return load_job(packed)


def load_job(packed: PackedJob) -> PlateJob:
    """The job again; only for what `pack_job` made and what came on a way that runs code anyway."""
    for file in packed.files:
        load_module(file)
    job = pickle.loads(packed.data)  # noqa: S301  from the parent process, or as a part of a Dask task
    assert isinstance(job, PlateJob)
    return job
