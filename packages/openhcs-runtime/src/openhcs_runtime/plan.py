"""What compiling a pipeline for a plate gives: frozen plans, one per well, and what they share."""

from dataclasses import dataclass

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.config import ExecutionMode
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates.base import ImageRef, PlateFormat


@dataclass(frozen=True, slots=True)
class WellPlan:
    """What is to be done in one well; `signature` changes with its images, the pipeline and the settings.

    missing: images that the well lacks and can't be worked on without.
    """

    well: str
    images: tuple[ImageRef, ...]
    missing: tuple[ImageKey, ...]
    signature: str


@dataclass(frozen=True, slots=True)
class PlateJob:
    """What all wells of a plate share.

    steps: the enabled ones. output_dir: absolute. named: the components that have several values in the plate and
    therefore are part of output names. folders: of each step, where its labels and images go below `labels/` and
    `images/` ("" is right there). modules_dir: the folder of the pipeline file, for its imports; "" is none.
    """

    plate_format: PlateFormat
    steps: tuple[FunctionStep, ...]
    output_dir: str
    pixel_size_um: float | None
    named: frozenset[Component]
    folders: tuple[str, ...]
    modules_dir: str = ""


@dataclass(frozen=True, slots=True)
class CompiledPlate:
    """A pipeline made ready for a plate; `signature` is over all of it."""

    plate_path: str
    job: PlateJob
    wells: tuple[WellPlan, ...]
    mode: ExecutionMode
    workers: int
    signature: str
