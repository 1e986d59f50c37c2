"""The interface of all plate formats: images by component, problems, pixel size and positions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import printable
from openhcs_runtime.stores.path import AnyPath

ALL_Y, ALL_X = -1, -2
"""Placeholders in the index of a plane for the plane's own axes."""


class ProblemKind(StrEnum):
    """Kinds of problems that a usable plate can have."""

    STRAY_FILE = "stray_file"
    DUPLICATE = "duplicate"
    GAP = "gap"
    METADATA = "metadata"
    """A metadata file can't be understood."""
    UNREADABLE = "unreadable"
    """Images exist but can't be read as they are stored; wells that have them can't be compiled."""
    MIXED = "mixed"
    """Images differ in a property that all images of a plate should share."""
    NOTE = "note"
    """Something to know about how the plate is read."""


@dataclass(frozen=True, slots=True)
class PlateProblem:
    """One problem of a plate.

    Attributes:
        kind: The kind of problem.
        message: One line for the user.
        well: The well concerned; empty for problems of the whole plate.
        left_out: Number of image files excluded from the plate because of it.
    """

    kind: ProblemKind
    message: str
    well: str = ""
    left_out: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", printable(self.message))


def stray(message: str, *, files: int = 1) -> PlateProblem:
    """Return the problem to report for files that are left out."""
    return PlateProblem(ProblemKind.STRAY_FILE, message, left_out=files)


class ImageRef(msgspec.Struct, frozen=True, gc=False):
    """Location of one image, with the size and modification time used to detect changes.

    Attributes:
        key: What the image shows.
        path: The file, or the folder of a zarr array.
        size: Size in bytes.
        mtime_ns: Modification time in nanoseconds.
        index: For an array of several planes, the plane's index along each axis before (Y, X), or along all axes with
            ``ALL_Y`` and ``ALL_X``; for a multi-page TIFF file, the page number from 0; for a file that bioio reads,
            scene, time point, channel and plane; () for a file of one plane.
        absent_is_fill: Whether chunks that are not stored have the array's fill value; otherwise they are lost (see
            ``openhcs_runtime.plates.ome_zarr.read``).
    """

    key: ImageKey
    path: str
    size: int
    mtime_ns: int
    index: tuple[int, ...] = ()
    absent_is_fill: bool = False


@dataclass(frozen=True, slots=True)
class StagePosition:
    """Stage position of an image in micrometres; y increases downwards and x to the right, as in the image.

    It refers to the same point of the image (such as a corner or the centre) for all images of a plate.
    """

    y_um: float
    x_um: float


class Plate(Protocol):
    """An open plate. ``images`` and ``wells`` are in plate order: row, column, then the other components."""

    @property
    def path(self) -> AnyPath:
        """The plate folder."""

    @property
    def format(self) -> str:
        """Name of the format of the plate, such as ``"imagexpress"``."""

    @property
    def wells(self) -> tuple[str, ...]:
        """Names of the wells that have images."""

    @property
    def images(self) -> Mapping[str, Sequence[ImageRef]]:
        """The images of each well; a sequence makes its references when they are asked for."""

    @property
    def missing(self) -> Mapping[str, tuple[ImageKey, ...]]:
        """The missing images of each well, for wells with missing images."""

    @property
    def planned(self) -> Mapping[str, tuple[ImageKey, ...]]:
        """The images of each well that the plate's description plans; empty without a description."""

    @property
    def problems(self) -> tuple[PlateProblem, ...]:
        """The problems found when the plate was opened."""

    @property
    def components(self) -> Mapping[Component, tuple[str | int, ...]]:
        """All values of each component, sorted."""

    @property
    def channel_names(self) -> Mapping[int, str]:
        """Names of the channels that have one."""

    @property
    def excitation_nm(self) -> Mapping[int, float]:
        """Excitation wavelengths of channels in nanometres, where known."""

    @property
    def emission_nm(self) -> Mapping[int, float]:
        """Emission wavelengths of channels in nanometres, where known."""

    @property
    def shape(self) -> tuple[int, int] | None:
        """Numbers of rows and columns of the plate; None if the metadata don't have them."""

    @property
    def has_positions(self) -> bool:
        """Whether stage positions are known; at most a few files are read for it."""

    @property
    def positions(self) -> Mapping[tuple[str, int], StagePosition]:
        """Stage position of each (well, site), where known; the first access may read files."""

    @property
    def pixel_size_um(self) -> float | None:
        """Edge length of a pixel in micrometres; None if neither the metadata nor the images have it."""

    @property
    def z_step_um(self) -> float | None:
        """Distance between planes in micrometres; None if neither the metadata nor the images have it."""

    @property
    def time_step_s(self) -> float | None:
        """Time between time points in seconds; None if the metadata don't have it, or for a single time point."""

    @property
    def left_out(self) -> int:
        """Number of image files in the plate folder that are not images of the plate."""

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """Return the pixels of one image as a 2D array (Y, X).

        Raises:
            ImageError: If the image can't be read.
        """
