"""Synthetic plates as a Cellomics ArrayScan stores them."""

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["CellomicsLayout"]


@dataclass(frozen=True, slots=True)
class CellomicsLayout:
    """A folder of ``.C01`` files; their names have neither planes nor time points, and wells up to P99."""

    plan: PlatePlan

    def __post_init__(self) -> None:
        """Refuse what the format can't express.

        Raises:
            PlateError: If there are several planes or time points, or more than 384 wells.
        """
        if self.plan.z > 1 or self.plan.timepoints > 1 or len(self.plan.wells) > 384:
            raise PlateError(
                "a Cellomics plate has one plane, one time point and up to 384 wells: choose another format"
            )

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        for key, image in planes:
            name = f"MFGTMP_240115090001_{well}f{key.site - 1:02d}d{key.channel - 1}.C01"
            (self.plan.folder / name).write_bytes((16).to_bytes(4, "big") + zlib.compress(self._bitmap(image)))

    def finish(self) -> None:
        """Do nothing: all of it is in the images."""

    def _bitmap(self, image: NDArray[np.uint16]) -> bytes:
        height, width = image.shape
        per_metre = round(1e6 / self.plan.pixel_size_um)
        numbers = [(40, 4), (width, 4), (height, 4), (1, 2), (16, 2), (0, 4), (image.nbytes, 4)]
        numbers += [(per_metre, 4), (per_metre, 4), (0, 4), (0, 4)]
        header = b"".join(number.to_bytes(size, "little") for number, size in numbers)
        return header + bytes(12) + image.astype("<u2").tobytes()
