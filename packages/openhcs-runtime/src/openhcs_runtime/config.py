"""Settings of a run: those of the machine and those of the pipeline."""

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
    """Where wells are processed."""

    THREADS = "threads"
    PROCESSES = "processes"
    DASK = "dask"
    """Workers of a Dask cluster; needs the extra ``dask``."""


LOCAL_CLUSTER: Final = "local"
"""Instead of the address of a scheduler: a Dask cluster on this machine that ends with the run."""


AUTO: Final = "auto"
"""Instead of a number of workers: as many as cores and memory allow."""


ALL_GPUS: Final = "auto"
"""Instead of naming GPUs: all of the machine that its environment does not hide."""


NO_GPUS: Final = "none"
"""Instead of naming GPUs: none, and worker processes see none."""


LARGEST_SEED: Final = 2**53 - 1
"""The largest integer that every JSON reader represents exactly."""


def is_dask_address(text: str) -> bool:
    """Return whether a text looks like the address of a Dask scheduler, or is "local"."""
    return text == LOCAL_CLUSTER or re.fullmatch(r"[a-z]+://\S+", text) is not None


def named_gpus(text: str) -> list[str]:
    """Return the numbers or UUIDs of the GPUs in a text such as "0,1"; empty if the text is "auto" or "none".

    Raises:
        ValueError: it is none of these.
    """
    if text in (ALL_GPUS, NO_GPUS):
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d+|(?:GPU|MIG)-[0-9A-Za-z/-]+", part, re.ASCII) for part in parts):
        raise ValueError(f"gpus {text!r} is neither 'auto' nor 'none' nor numbers or UUIDs of GPUs as in '0,1'")
    if len(set(parts)) < len(parts):
        raise ValueError(f"gpus {text!r} names a GPU twice: name each once")
    return parts


@dataclass(frozen=True, slots=True)
class GlobalConfig:
    """Settings of the machine.

    Attributes:
        num_workers: number of wells processed at the same time; "auto" is one per core, or fewer if the memory does
            not suffice; with a Dask scheduler elsewhere, all of its workers.
        mode: threads share this process; processes (the default) survive a crash of one of them; a Dask cluster may
            have workers on many machines.
        dask: address of a Dask scheduler ("tcp://host:8786", "tls://..."), or "local" for a cluster on this machine.
            Giving one selects the mode. Plate and output folder must have the same path on all its machines.
        view: viewer that shows images as they are made: "napari" or "fiji" on this machine (see
            ``openhcs_runtime.open_viewer``), "napari:PORT", or "HOST:PORT"; None shows nothing.
        seed: seed of the random numbers, a whole number from 0. The same seed gives the same numbers in each well,
            regardless of the worker. None uses a new seed for each run and stores it with the results.
        gpus: GPUs that steps with ``gpu=`` share: "auto" for all of the machine, "none", or numbers or UUIDs as in
            "0,1".

    Raises:
        PipelineError: a value is not valid.
    """

    num_workers: int | Literal["auto"] = "auto"
    mode: ExecutionMode = ExecutionMode.PROCESSES
    dask: str | None = None
    view: str | None = None
    seed: int | None = None
    gpus: str = ALL_GPUS

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
            raise PipelineError(f"GlobalConfig: num_workers {workers!r} is neither 'auto' nor a whole number from 1")
        seed = self.seed
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED):
            raise PipelineError(f"GlobalConfig: seed {seed!r} is not a whole number from 0 to {LARGEST_SEED}")
        try:
            named_gpus(str(self.gpus))
        except ValueError as error:
            raise PipelineError(f"GlobalConfig: {error}") from None

    @property
    def is_remote(self) -> bool:
        """Whether wells are processed elsewhere, so that cores and memory of this machine don't matter."""
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
        """Return how many workers to use for this number of wells; at least one."""
        most = wells if self.is_remote else available_cores()
        wanted = most if self.num_workers == AUTO else self.num_workers
        return max(1, min(wanted, wells))


class ImageFormat(StrEnum):
    """How the images of steps with ``materialize=True`` are written."""

    TIFF = "tiff"
    """One file per plane."""
    OME_ZARR = "ome_zarr"
    """One OME-Zarr 0.5 plate per step, with pyramids."""


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Settings of the pipeline.

    Attributes:
        output_dir: folder for the results of a run; a folder that already contains results is refused, unless the run
            is asked to replace it. None: each run gets a folder of its own in ``results_dir``.
        results_dir: folder in which each run gets a folder of its own, named ``<date>_<time>_<pipeline>``. None:
            ``<plate>_results`` next to the plate.
        wells: only these wells; None for all. Each entry is a well (``"A01"``), the rectangle between two wells
            (``"A01-C06"``), a whole row (``"B"``) or a whole column (``"3"``).
        sites: only these sites; None for all.
        where: only wells for which this expression over the plate map is true, such as ``"control == 'DMSO'"``.
        plate_map: the plate map, a CSV, Excel or JSON file. None: the file ``platemap.csv``, ``.xlsx`` or ``.json`` in
            the plate folder or next to it, if there is one. Its columns are added to the tables.
        sample: a sample of this number of wells, spread over the plate, from those that are chosen otherwise. It is the
            same for the same ``GlobalConfig.seed``.
        allow_gaps: if images of a well are missing, process those that exist instead of failing the well.
        csv: write the tables as CSV as well as Parquet.
        image_format: format of the images made by steps with ``materialize=True``.
        sharded: with image_format "ome_zarr", write each resolution level of an image as one file (a shard), which is
            quicker to copy and to list than a file for each plane.
        pattern: regular expression for the names of the plate's TIFF files; None detects the format. See
            ``openhcs_runtime.plates.open_plate``.
        plate_format: name of the plate's format, such as "opera_phenix"; None detects it.
        pages: what the pages of TIFF files are that don't describe them: "z", "channel", "time", or axes with lengths
            such as "C2Z". See ``openhcs_runtime.plates.open_plate``.
        labels: name of labels that an OME-Zarr plate has, such as "nuclei": steps can use them as if an earlier step
            had made them for the lowest channel (or for each channel, if they have channels).
        keep: names of steps whose images and labels are kept, like those with ``keep=True``: a later run in which only
            later steps differ begins after the last of them.

    Raises:
        PipelineError: a value is not valid.
    """

    output_dir: str | None = None
    results_dir: str | None = None
    wells: tuple[str, ...] | None = None
    sites: tuple[int, ...] | None = None
    where: str | None = None
    plate_map: str | None = None
    sample: int | None = None
    allow_gaps: bool = False
    csv: bool = False
    image_format: ImageFormat = ImageFormat.TIFF
    sharded: bool = False
    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None
    labels: str | None = None
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("output_dir", "results_dir", "plate_map"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, os.fspath(getattr(self, name)))
        if self.output_dir is not None and self.results_dir is not None:
            raise PipelineError("PipelineConfig: give output_dir or results_dir, not both")
        try:
            object.__setattr__(self, "image_format", choose(ImageFormat, self.image_format, "image_format"))
        except ValueError as error:
            raise PipelineError(f"PipelineConfig: {error}") from None
        if self.sharded and self.image_format is not ImageFormat.OME_ZARR:
            raise PipelineError("PipelineConfig: sharded needs image_format='ome_zarr'")
        self._check_choice()
        self._check_keep()

    @property
    def chooses(self) -> bool:
        """Whether it chooses some of the wells or sites."""
        return any(choice is not None for choice in (self.wells, self.sites, self.where, self.sample))

    def _check_keep(self) -> None:
        if isinstance(self.keep, str):
            raise PipelineError(f"PipelineConfig: keep takes a tuple of names of steps, not the text {self.keep!r}")
        object.__setattr__(self, "keep", tuple(self.keep))
        if not all(isinstance(step, str) and step.strip() for step in self.keep):
            raise PipelineError(f"PipelineConfig: keep {self.keep!r} has an empty name: name steps, or leave it out")

    def _check_choice(self) -> None:
        if isinstance(self.wells, str):
            raise PipelineError(f"PipelineConfig: wells takes a tuple of well names, not the text {self.wells!r}")
        if self.wells is not None:
            object.__setattr__(self, "wells", tuple(self.wells))
            if not all(isinstance(well, str) for well in self.wells):
                raise PipelineError(f"PipelineConfig: wells takes names such as 'A01', not {self.wells!r}")
            if not all(well.replace(",", "").strip() for well in self.wells):
                raise PipelineError(
                    f"PipelineConfig: wells {self.wells!r} has an empty name: name wells such as 'A01', or give None "
                    "for all wells"
                )
        if self.where is not None and not isinstance(self.where, str):
            raise PipelineError(f"PipelineConfig: where takes a text such as \"control == 'DMSO'\", not {self.where!r}")
        for name, otherwise in (("where", "all wells"), ("plate_map", "that of the plate")):
            if (text := getattr(self, name)) is not None and not text.strip():
                raise PipelineError(f"PipelineConfig: {name} is empty: give a value, or None for {otherwise}")
        if self.sites is not None:
            if isinstance(self.sites, (str, int)) or not all(map(_is_number, self.sites)):
                raise PipelineError(f"PipelineConfig: sites takes a tuple of numbers from 1, not {self.sites!r}")
            object.__setattr__(self, "sites", tuple(self.sites))
        if self.sample is not None and not _is_number(self.sample):
            raise PipelineError(f"PipelineConfig: sample {self.sample!r} is not a whole number from 1")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
