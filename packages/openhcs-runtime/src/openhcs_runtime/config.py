"""Settings of a run: what belongs to the machine and what belongs to the pipeline."""

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from openhcs_runtime.choices import choose
from openhcs_runtime.exceptions import PipelineError, ViewerError
from openhcs_runtime.limits import available_cores
from openhcs_runtime.viewer_target import ViewTarget


class ExecutionMode(StrEnum):
    """Where wells are worked on."""

    THREADS = "threads"
    PROCESSES = "processes"
    DASK = "dask"
    """Workers of a Dask cluster; needs the extra `dask`."""


LOCAL_CLUSTER: Final = "local"
"""In place of a scheduler's address: a Dask cluster on this machine, for as long as the run takes."""


AUTO: Final = "auto"
"""In place of a number of workers: as many as cores and memory allow."""


LARGEST_SEED: Final = 2**53 - 1
"""So that a seed goes through JSON as it is, whatever reads it."""


def is_dask_address(text: str) -> bool:
    """Whether it can be the address of a Dask scheduler, or is "local"."""
    return text == LOCAL_CLUSTER or re.fullmatch(r"[a-z]+://\S+", text) is not None


@dataclass(frozen=True, slots=True)
class GlobalConfig:
    """Settings that belong to the machine.

    num_workers: wells worked on at the same time; "auto" is one per core, or fewer where the memory does not suffice
        for so many; of a Dask scheduler elsewhere it is all of its workers.
    mode: threads share this process; processes (default) survive a crash of one of them; a Dask cluster may have
        workers on many machines.
    dask: address of a Dask scheduler ("tcp://host:8786", "tls://..."), or "local" for a cluster on this machine.
        Naming one selects the mode. Plate and output folder must have the same path on all of its machines.
    view: the viewer that shows images as they appear: "napari" or "fiji" on this machine (see
        `openhcs_runtime.open_viewer`), "napari:PORT", "HOST:PORT"; None shows nothing.
    seed: what random numbers are made from, a whole number from 0: the same seed gives the same numbers in each well,
        whatever worker has it. None takes a fresh one for each run and keeps it with the results.
    """

    num_workers: int | Literal["auto"] = "auto"
    mode: ExecutionMode = ExecutionMode.PROCESSES
    dask: str | None = None
    view: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "mode", choose(ExecutionMode, self.mode, "mode"))
        except ValueError as error:
            raise PipelineError(f"GlobalConfig: {error}") from None
        self._check_dask()
        if self.view is not None:
            self._check_view(self.view)
        workers = self.num_workers
        if workers != AUTO and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
            raise PipelineError(f"GlobalConfig: num_workers {workers!r} is neither 'auto' nor a number from 1")
        seed = self.seed
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED):
            raise PipelineError(f"GlobalConfig: seed {seed!r} is not a whole number from 0 to {LARGEST_SEED}")

    @property
    def is_remote(self) -> bool:
        """Whether wells are worked on elsewhere, so that cores and memory of this machine do not count."""
        return self.mode is ExecutionMode.DASK and self.dask != LOCAL_CLUSTER

    def _check_dask(self) -> None:
        if self.dask is None:
            if self.mode is ExecutionMode.DASK:
                object.__setattr__(self, "dask", LOCAL_CLUSTER)
            return
        if not is_dask_address(self.dask):
            raise PipelineError(
                f"GlobalConfig: dask {self.dask!r} is neither 'local' nor an address like 'tcp://host:8786'"
            )
        object.__setattr__(self, "mode", ExecutionMode.DASK)

    def _check_view(self, view: str) -> None:
        try:
            object.__setattr__(self, "view", str(ViewTarget.parse(view)))
        except ViewerError as error:
            raise PipelineError(f"GlobalConfig: view {error}") from None

    def workers_for(self, wells: int) -> int:
        """How many workers to use for so many wells (at least one)."""
        most = wells if self.is_remote else available_cores()
        wanted = most if self.num_workers == AUTO else self.num_workers
        return max(1, min(wanted, wells))


class ImageFormat(StrEnum):
    """How the images of steps with `materialize=True` are written."""

    TIFF = "tiff"
    """One file per plane."""
    OME_ZARR = "ome_zarr"
    """One OME-Zarr 0.5 plate per step, with pyramids."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Settings that belong to the pipeline.

    output_dir: the folder for the results of a run; one that holds results already is refused, unless the run is told
        to replace it. None: each run gets a folder of its own, in `results_dir`.
    results_dir: the folder in which each run gets one of its own, called `<date>_<time>_<pipeline>`. None is
        `<plate>_results` next to the plate.
    wells: only these wells; None is all of them.
    allow_gaps: work with what is there when images of a well are missing, instead of failing that well.
    parquet: write the tables as Parquet, too; needs the extra `parquet`. Without it only the CSV tables are written,
        and the log says so.
    image_format: how the images that leave steps with `materialize=True` are written.
    pattern: what the names of the plate's TIFF files say, as a regular expression; None finds out the format. See
        `openhcs_runtime.plates.open_plate`.
    """

    output_dir: str | None = None
    results_dir: str | None = None
    wells: tuple[str, ...] | None = None
    allow_gaps: bool = False
    parquet: bool = False
    image_format: ImageFormat = ImageFormat.TIFF
    pattern: str | None = None

    def __post_init__(self) -> None:
        for name in ("output_dir", "results_dir"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
        if self.output_dir is not None and self.results_dir is not None:
            raise PipelineError("PipelineConfig: give output_dir or results_dir, not both")
        try:
            object.__setattr__(self, "image_format", choose(ImageFormat, self.image_format, "image_format"))
        except ValueError as error:
            raise PipelineError(f"PipelineConfig: {error}") from None
        if isinstance(self.wells, str):
            raise PipelineError(f"PipelineConfig: wells takes a tuple of well names, not the text {self.wells!r}")
        if self.wells is not None:
            object.__setattr__(self, "wells", tuple(self.wells))
