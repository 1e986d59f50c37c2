"""What every plate format gives: images by component, problems found, pixel size, positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey


class PlateFormat(StrEnum):
    """The formats that can be read."""

    IMAGEXPRESS = "imagexpress"
    OPERA_PHENIX = "opera_phenix"
    PATTERN = "pattern"
    """TIFF files whose names a user's regular expression explains."""
    OME_ZARR = "ome_zarr"


class ProblemKind(StrEnum):
    """What can be odd about a plate without making it useless."""

    STRAY_FILE = "stray_file"
    DUPLICATE = "duplicate"
    GAP = "gap"
    METADATA = "metadata"
    """A file that describes the plate can't be understood."""


@dataclass(frozen=True, slots=True)
class PlateProblem:
    """One odd thing; `message` is a line for the user, `well` is empty where it concerns none."""

    kind: ProblemKind
    message: str
    well: str = ""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where one image is, with size (bytes) and modification time (ns) by which a change is noticed.

    index: where `path` is an array of several planes, the plane's index along each axis before (Y, X); () where `path`
    is a file of one plane.
    """

    key: ImageKey
    path: str
    size: int
    mtime_ns: int
    index: tuple[int, ...] = ()


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

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """The pixels of one image, 2D (Y, X). Raises ImageError."""
