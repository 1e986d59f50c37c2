"""All sites of a well as one picture: where each lies, and a plane of all of them at a reduced resolution."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.opened import OpenPlate
from openhcs_gui_services.services.images.pyramid import Pyramid

__all__ = ["SitePlan", "assemble", "plan_sites"]

_MOST_PIXELS = 2048
"""Edge of a mosaic, in its own reduced pixels."""
_FARTHEST = 64
"""Sites that lie further apart than so many images are shown in a grid: their positions can't be of one well."""


@dataclass(frozen=True, slots=True)
class SitePlan:
    """Where the sites of a well lie in a mosaic.

    Attributes:
        corners: upper left corner (row, column) of each site, in pixels of an image.
        image: rows and columns of an image.
        by_position: whether they lie as the stage says; else they are in a grid by number.
    """

    corners: Mapping[int, tuple[int, int]]
    image: tuple[int, int]
    by_position: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the mosaic, in pixels of an image."""
        return (
            max(row for row, _ in self.corners.values()) + self.image[0],
            max(column for _, column in self.corners.values()) + self.image[1],
        )

    @property
    def level(self) -> int:
        """The level of a pyramid that the mosaic is made of."""
        return max(0, math.ceil(math.log2(max(self.shape) / _MOST_PIXELS)))

    def site_at(self, row: float, column: float) -> int | None:
        """Return the site at a point of the mosaic."""
        rows, columns = self.image
        here = [
            site
            for site, (top, left) in self.corners.items()
            if top <= row < top + rows and left <= column < left + columns
        ]
        return here[-1] if here else None


def plan_sites(plate: OpenPlate, well: str, sites: Sequence[int], image: tuple[int, int]) -> SitePlan:
    """Return where the sites of a well lie; for a thread, as positions may be read from files.

    Args:
        plate: the plate.
        well: the well.
        sites: its sites.
        image: rows and columns of an image.
    """
    size, positions = plate.pixel_size_um, plate.positions
    if size and all((well, site) in positions for site in sites):
        at = {site: positions[well, site] for site in sites}
        top, left = min(each.y_um for each in at.values()), min(each.x_um for each in at.values())
        corners = {
            site: (round((each.y_um - top) / size), round((each.x_um - left) / size)) for site, each in at.items()
        }
        farthest = max(max(corner) for corner in corners.values())
        if farthest <= _FARTHEST * max(image) and len(set(corners.values())) == len(corners):
            return SitePlan(corners, image, by_position=True)
    columns = math.ceil(math.sqrt(len(sites)))
    grid = {
        site: (number // columns * image[0], number % columns * image[1]) for number, site in enumerate(sorted(sites))
    }
    return SitePlan(grid, image, by_position=False)


def assemble(plan: SitePlan, tiles: Mapping[int, Pyramid]) -> Pyramid:
    """Return a plane of all sites, reduced by ``2**plan.level``; for a thread.

    Args:
        plan: where the sites lie.
        tiles: the plane of each site; those that are missing stay black, so the caller has to say so.
    """
    factor = 2**plan.level
    rows, columns = (math.ceil(length / factor) for length in plan.shape)
    first: NDArray[Any] = next(iter(tiles.values())).plane
    whole = np.zeros((rows, columns), first.dtype)
    for site, tile in tiles.items():
        top, left = (corner // factor for corner in plan.corners[site])
        part = tile.level(plan.level)[: rows - top, : columns - left]
        whole[top : top + part.shape[0], left : left + part.shape[1]] = part
    return Pyramid(whole)
