"""Which plate to read images of, and which of its images: frozen values that need no image library."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["ImagePlace", "PlateSource"]


@dataclass(frozen=True, slots=True)
class PlateSource:
    """A plate and how its folder is read; see ``openhcs_runtime.plates.open_plate``.

    Attributes:
        path: the folder of the plate, or its URL.
        pattern: regular expression for its file names.
        plate_format: name of its format, if it is not to be detected.
        pages: what the pages of its TIFF files are that don't describe them.
    """

    path: str
    pattern: str | None = None
    plate_format: str | None = None
    pages: str | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        return Path(self.path).name or self.path


@dataclass(frozen=True, slots=True, order=True)
class ImagePlace:
    """One field of view of a plate: all its channels have images of it. Numbers start at 1, as in file names.

    Attributes:
        well: the well, such as ``"B06"``.
        site: the site in the well.
        z_index: the plane.
        timepoint: the time point.
    """

    well: str
    site: int = 1
    z_index: int = 1
    timepoint: int = 1
