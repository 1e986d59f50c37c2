"""The plan of a synthetic plate, and the interface of the writers of its formats."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.base import StagePosition

__all__ = ["Planes", "PlateLayout", "PlatePlan"]

_STAINS = ("DAPI", "FITC", "TRITC", "Cy5")

Planes = Iterable[tuple[ImageKey, NDArray[np.uint16]]]


@dataclass(frozen=True, slots=True)
class PlatePlan:
    """The plan of a plate; all numbers start at 1, and sites form a gapless grid, row by row."""

    folder: Path
    name: str
    wells: tuple[str, ...]
    sites: int
    channels: int
    z: int
    timepoints: int
    size: int
    pixel_size_um: float

    @property
    def grid(self) -> tuple[int, int]:
        """Return the number of rows and columns of sites."""
        columns = math.ceil(math.sqrt(self.sites))
        return math.ceil(self.sites / columns), columns

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the stains."""
        return tuple(_STAINS[n] if n < len(_STAINS) else f"Stain {n + 1}" for n in range(self.channels))

    def position(self, site: int) -> StagePosition:
        """Return the centre of a site relative to the centre of the well."""
        (rows, columns), edge = self.grid, self.size * self.pixel_size_um
        row, column = divmod(site - 1, columns)
        return StagePosition((row - (rows - 1) / 2) * edge, (column - (columns - 1) / 2) * edge)

    def keys(self, well: str) -> list[ImageKey]:
        """Return the images of a well: time points, then sites, planes and channels."""
        return [
            ImageKey(well, site, channel, z, timepoint)
            for timepoint in range(1, self.timepoints + 1)
            for site in range(1, self.sites + 1)
            for z in range(1, self.z + 1)
            for channel in range(1, self.channels + 1)
        ]


class PlateLayout(Protocol):
    """A writer that takes the wells of a plate one after the other."""

    @property
    def plan(self) -> PlatePlan:
        """The plan of the plate."""

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well, grouped by site."""

    def finish(self) -> None:
        """Finish the plate; called after the last well."""
