"""The thumbnail of a well: a small plane of each channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

__all__ = ["WellThumbnail"]


@dataclass(frozen=True, slots=True, eq=False)
class WellThumbnail:
    """Small planes of the first site of a well.

    Attributes:
        well: name of the well.
        fingerprint: changes with the images that it was made from; see ``thumbnails.choice.fingerprint``.
        planes: plane (Y, X) of each channel, by number, in uint16 or float32 and in the values of the images.
        problem: why a channel is missing, in one line; empty if none is.
    """

    well: str
    fingerprint: str
    planes: Mapping[int, NDArray[Any]]
    problem: str = ""

    @property
    def nbytes(self) -> int:
        """Bytes of its planes."""
        return sum(plane.nbytes for plane in self.planes.values())
