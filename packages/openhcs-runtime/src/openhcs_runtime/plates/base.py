"""What every plate format gives: images by component, problems found, pixel size, positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import printable
from openhcs_runtime.plate_format import PlateFormat as PlateFormat  # for its siblings

ALL_Y, ALL_X = -1, -2
"""Stand in the index of a plane for the axes along which it lies."""


class ProblemKind(StrEnum):
    """What can be odd about a plate without making it useless."""

    STRAY_FILE = "stray_file"
    DUPLICATE = "duplicate"
    GAP = "gap"
    METADATA = "metadata"
    """A file that describes the plate can't be understood."""
    UNREADABLE = "unreadable"
    """Images that are there but can't be read as they are; the wells that have them can't be compiled."""
    MIXED = "mixed"
    """Images that differ where those of a plate are alike."""
    NOTE = "note"
    """What is worth knowing of how the plate is read."""


@dataclass(frozen=True, slots=True)
class PlateProblem:
    """One odd thing; `message` is a line for the user, `well` is empty where it concerns none.

    left_out: how many image files are none of the plate's for this reason.
    """

    kind: ProblemKind
    message: str
    well: str = ""
    left_out: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))


def stray(message: str, *, files: int = 1) -> PlateProblem:
    """What is said of files that are left out."""
    return PlateProblem(ProblemKind.STRAY_FILE, message, left_out=files)


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where one image is, with size (bytes) and modification time (ns) by which a change is noticed.

    index: where `path` is an array of several planes, the plane's index along each axis before (Y, X), or along all of
    them with `ALL_Y` and `ALL_X`; where it is a TIFF file of several pages, the number of the page from 0; () where it
    is a file of one plane. absent_is_fill: parts of the array that are not stored have its fill value; else they are
    lost (see `openhcs_runtime.plates.ome_zarr.read`).
    """

    key: ImageKey
    path: str
    size: int
    mtime_ns: int
    index: tuple[int, ...] = ()
    absent_is_fill: bool = False


@dataclass(frozen=True, slots=True)
class StagePosition:
    """Where an image was taken, in micrometres: y grows downwards and x to the right, as in the image.

    Of which point of the image it is the place (a corner, the middle) is the same for all images of a plate.
    """

    y_um: float
    x_um: float


class Plate(Protocol):
    """An opened plate. `images` and `wells` are in plate order: row, column, then the other components."""

    @property
    def path(self) -> Path: ...
    @property
    def format(self) -> PlateFormat: ...
    @property
    def wells(self) -> tuple[str, ...]: ...
    @property
    def images(self) -> Mapping[str, tuple[ImageRef, ...]]:
        """The images of each well."""

    @property
    def missing(self) -> Mapping[str, tuple[ImageKey, ...]]:
        """The images that wells lack, for the wells that lack any."""

    @property
    def problems(self) -> tuple[PlateProblem, ...]: ...
    @property
    def components(self) -> Mapping[Component, tuple[str | int, ...]]:
        """All values of each component, sorted."""

    @property
    def channel_names(self) -> Mapping[int, str]:
        """Names of the channels, for those that have one."""

    @property
    def positions(self) -> Mapping[tuple[str, int], StagePosition]:
        """Where each (well, site) was taken, for those of which it is known; may read files when first asked."""

    @property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, None when neither metadata nor images say."""

    @property
    def z_step_um(self) -> float | None:
        """Distance of two planes in micrometres, None when neither metadata nor images say."""

    @property
    def left_out(self) -> int:
        """How many image files in the plate's folder are none of its images."""

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """The pixels of one image, 2D (Y, X). Raises ImageError."""
