"""The result of compiling a pipeline for a plate: frozen plans, one per well, and the settings they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.config import ExecutionMode, ImageFormat
from openhcs_runtime.pipeline.local_imports import LocalModule
from openhcs_runtime.pipeline.plate_step import Step
from openhcs_runtime.plate_map import PlateMapFile
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.viewer_target import ViewTarget


@dataclass(frozen=True, slots=True)
class WellWork:
    """What a run does with a well in one of its phases.

    Attributes:
        stop: Index of the step before which it stops.
        finishes: Whether the results of the well are written then; otherwise its state is.
        states: Signature of the well after each number of steps after which a state is used or written.
        sources: Folders of runs whose states may be used, in order of preference.
        continues: Whether the well has been begun in this run.
        values: Identities of the values of steps over the plate that its results depend on, by name.
    """

    stop: int
    finishes: bool = True
    states: Mapping[int, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    continues: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WellPlan:
    """The plan for one well.

    Attributes:
        well: Name of the well.
        images: The images to process.
        missing: Missing images without which the well can't be processed.
        signature: Changes with the images of the well, the pipeline and the settings.
        inputs: Changes with the images of the well and what the plate states about them.
        positions: Stage position of each site, y and x in micrometres; only if a function needs them.
        labels: Labels of the plate that the steps can use, each under the key of its image.
        labels_name: Name of these labels.
        work: What is to be done now; None for everything, from the beginning.
    """

    well: str
    images: Sequence[ImageRef]
    missing: tuple[ImageKey, ...]
    signature: str
    inputs: str = ""
    positions: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    labels: tuple[ImageRef, ...] = ()
    labels_name: str = ""
    work: WellWork | None = None

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"well {self.well}"


@dataclass(frozen=True, slots=True)
class PlatePlan:
    """The plan for a step over the plate.

    Attributes:
        index: Index of the step.
        signature: Signature of the value that it makes.
        wells: The wells that have passed the steps before it, in plate order.
        states: The file with the state of each well; none if no step comes before.
    """

    index: int
    signature: str
    wells: tuple[WellPlan, ...]
    states: Mapping[str, str]

    @property
    def well(self) -> str:
        """Its name where wells have theirs: empty, as for all that is about the plate."""
        return ""

    @property
    def title(self) -> str:
        """What messages call it."""
        return "the step over the plate"


Plan: TypeAlias = WellPlan | PlatePlan
"""What a worker can process."""


@dataclass(frozen=True, slots=True)
class MadeValue:
    """A value that a step over the plate has made: its file, and what identifies its content and what it is made of."""

    path: str
    identity: str


@dataclass(frozen=True, slots=True)
class PlateJob:
    """The settings that all wells of a plate share.

    Attributes:
        plate_path: The plate folder or its URL.
        plate_format: Name of the format of the plate.
        steps: The enabled steps.
        output_dir: Absolute path of the output folder.
        pixel_size_um: Edge length of a pixel in micrometres.
        named: The components with several values in the plate, which are therefore part of output names.
        folders: For each step, the folder below ``labels/``, ``images/`` and ``rois/`` for its output; "" for these
            folders themselves.
        modules_dir: The folder of the pipeline file, for its imports; "" if there is none.
        csv: Also write the tables as CSV.
        image_format: Format of the images that steps write.
        sharded: Whether each resolution level of an OME-Zarr image is one file.
        channel_names: Names of the channels in the plate.
        z_step_um: Distance between planes in micrometres.
        view: The viewer to show results in as they appear.
        seed: Seed of the random numbers of the run.
        values: Values that steps over the plate have made so far, by name.
        plate_map: The plate map that was given; empty for the one that is found with the plate.
    """

    plate_path: str
    plate_format: str
    steps: tuple[Step, ...]
    output_dir: str
    pixel_size_um: float | None
    named: frozenset[Component]
    folders: tuple[str, ...]
    modules_dir: str = ""
    csv: bool = False
    image_format: ImageFormat = ImageFormat.TIFF
    sharded: bool = False
    channel_names: tuple[tuple[int, str], ...] = ()
    z_step_um: float | None = None
    view: ViewTarget | None = None
    seed: int = 0
    values: Mapping[str, MadeValue] = field(default_factory=dict)
    plate_map: str = ""


@dataclass(frozen=True, slots=True)
class CompiledPlate:
    """A pipeline compiled for a plate.

    Attributes:
        plate_path: The plate folder.
        job: The settings that all wells share.
        wells: The plans of the wells.
        mode: How wells are executed.
        workers: Number of workers.
        signature: Changes with any part of the compiled plate.
        basis: What the results depend on in addition to the images, by name.
        modules: The local modules that the pipeline imports.
        results_root: The folder in which the run creates its own folder, named after the time and ``run_name``; empty
            if the output folder was given, which is then ``job.output_dir``.
        run_name: The last part of the name of that folder.
        memory_per_well_bytes: The largest amount of memory that a well needs, as estimated by ``engine.memory``; 0 if
            unknown.
        left_out_files: Number of image files in the plate folder that are not images of the plate.
        seed: The seed chosen by the user; None for a new one in each run.
        choice: The wells that were chosen, in one line; empty if all are.
        of_wells: Number of wells of the plate.
        warnings: What may be wrong with the plate map.
        plate_map: The plate map; None if the plate has none.
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
    choice: str = ""
    of_wells: int = 0
    warnings: tuple[str, ...] = ()
    plate_map: PlateMapFile | None = None
