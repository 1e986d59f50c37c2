"""What compiling a pipeline for a plate gives: frozen plans, one per well, and what they share."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.config import ExecutionMode, ImageFormat
from openhcs_runtime.pipeline.local_imports import LocalModule
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates.base import ImageRef, PlateFormat
from openhcs_runtime.viewer_target import ViewTarget


@dataclass(frozen=True, slots=True)
class WellPlan:
    """What is to be done in one well; `signature` changes with its images, the pipeline and the settings.

    missing: images that the well lacks and can't be worked on without. positions: of its sites, y and x in
    micrometres; only where a function takes them.
    """

    well: str
    images: tuple[ImageRef, ...]
    missing: tuple[ImageKey, ...]
    signature: str
    positions: Mapping[int, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlateJob:
    """What all wells of a plate share.

    steps: the enabled ones. output_dir: absolute. named: the components that have several values in the plate and
    therefore are part of output names. folders: of each step, where its labels, images and regions go below `labels/`,
    `images/` and `rois/` ("" is right there). modules_dir: the folder of the pipeline file, for its imports; "" is
    none. parquet: write tables as Parquet, too. image_format: of the images of steps. channel_names: those that the
    plate says. z_step_um: distance of two planes. view: where to show what appears. seed: that of the run's random
    numbers.
    """

    plate_format: PlateFormat
    steps: tuple[FunctionStep, ...]
    output_dir: str
    pixel_size_um: float | None
    named: frozenset[Component]
    folders: tuple[str, ...]
    modules_dir: str = ""
    parquet: bool = False
    image_format: ImageFormat = ImageFormat.TIFF
    channel_names: tuple[tuple[int, str], ...] = ()
    z_step_um: float | None = None
    view: ViewTarget | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CompiledPlate:
    """A pipeline made ready for a plate; `signature` is over all of it.

    basis: what the values depend on besides the images, by name. modules: the local modules that the pipeline imports.
    results_root: the folder in which the run gets one of its own, called by the time and `run_name`; empty when the
    folder itself was named, which then is `job.output_dir`.
    left_out_files: how many image files of the plate's folder are none of its images.
    memory_per_well_bytes: how much the work on one well takes at most, as `engine.memory` estimates it; 0 where
    that is not known.
    seed: what the user wants random numbers to be made from; None: a fresh one for each run.
    """

    plate_path: str
    job: PlateJob
    wells: tuple[WellPlan, ...]
    mode: ExecutionMode
    workers: int
    signature: str
    basis: Mapping[str, str]
    modules: tuple[LocalModule, ...] = ()
    results_root: str = ""
    run_name: str = "pipeline"
    memory_per_well_bytes: int = 0
    left_out_files: int = 0
    seed: int | None = None
