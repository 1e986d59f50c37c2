"""Settings of a run: what belongs to the machine and what belongs to the pipeline."""

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from openhcs_runtime.exceptions import PipelineError


class ExecutionMode(StrEnum):
    """Where wells are worked on."""

    THREADS = "threads"
    PROCESSES = "processes"


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class GlobalConfig:
    """Settings that belong to the machine.

    num_workers: wells worked on at the same time; "auto" is one per core.
    mode: threads share this process; processes (default) survive a crash of one of them.
    """

    num_workers: int | Literal["auto"] = "auto"
    mode: ExecutionMode = ExecutionMode.PROCESSES

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "mode", ExecutionMode(self.mode))
        except ValueError:
            raise PipelineError(f"GlobalConfig: mode {self.mode!r} is neither 'threads' nor 'processes'") from None
        workers = self.num_workers
        if workers != "auto" and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
            raise PipelineError(f"GlobalConfig: num_workers {workers!r} is neither 'auto' nor a number from 1")

    def workers_for(self, wells: int) -> int:
        """How many workers to use for so many wells (at least one)."""
        wanted = available_cores() if self.num_workers == "auto" else self.num_workers
        return max(1, min(wanted, wells))


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Settings that belong to the pipeline.

    output_dir: where results go; None is the folder `<plate>_results` beside the plate. An existing folder is used
        again: each file is replaced when its successor is complete.
    wells: only these wells; None is all of them.
    allow_gaps: work with what is there when images of a well are missing, instead of failing that well.
    """

    output_dir: str | None = None
    wells: tuple[str, ...] | None = None
    allow_gaps: bool = False

    def __post_init__(self) -> None:
        if self.output_dir is not None:
            object.__setattr__(self, "output_dir", os.fspath(self.output_dir))
        if isinstance(self.wells, str):
            raise PipelineError(f"PipelineConfig: wells takes a tuple of well names, not the text {self.wells!r}")
        if self.wells is not None:
            object.__setattr__(self, "wells", tuple(self.wells))
