"""What every plate format gives: images by component, problems found, pixel size."""

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


class ProblemKind(StrEnum):
    """What can be odd about a plate without making it useless."""

    STRAY_FILE = "stray_file"
    DUPLICATE = "duplicate"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class PlateProblem:
    """One odd thing; `message` is a line for the user, `well` is empty where it concerns none."""

    kind: ProblemKind
    message: str
    well: str = ""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """Where one image is, with size (bytes) and modification time (ns) by which a change is noticed."""

    key: ImageKey
    path: str
    size: int
    mtime_ns: int


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
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, None when the images do not say."""

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """The pixels of one image, 2D (Y, X). Raises ImageError."""
