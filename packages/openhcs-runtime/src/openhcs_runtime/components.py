"""The components that name one image of a plate, and the names of wells."""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_ROWS = 32
MAX_COLUMNS = 48
PROJECTED = 0
"""Value of a component over which a step has reduced its images (a projection over z has ``z_index == 0``)."""

_WELL = re.compile(r"([A-Za-z]{1,2})(\d{1,2})")


class Component(StrEnum):
    """What tells the images of a plate apart."""

    WELL = "well"
    SITE = "site"
    CHANNEL = "channel"
    Z_INDEX = "z_index"
    TIMEPOINT = "timepoint"


@dataclass(frozen=True, slots=True, order=True)
class ImageKey:
    """The component values of one image; numbers count from 1 as they do in file names."""

    well: str
    site: int = 1
    channel: int = 1
    z_index: int = 1
    timepoint: int = 1

    def value(self, component: Component) -> str | int:
        """The value of one component."""
        match component:
            case Component.WELL:
                return self.well
            case Component.SITE:
                return self.site
            case Component.CHANNEL:
                return self.channel
            case Component.Z_INDEX:
                return self.z_index
            case Component.TIMEPOINT:
                return self.timepoint

    def describe(self) -> str:
        """The image in words: ``well B02, site 1, channel 2, z 1, time point 1``."""
        return (
            f"well {self.well}, site {self.site}, channel {self.channel}, z {self.z_index}, time point {self.timepoint}"
        )


def well_name(row: int, column: int) -> str:
    """The name of the well in a row and a column that count from 0: ``(0, 0)`` is A01, ``(31, 47)`` is AF48.

    Raises ValueError outside of a 1536-well plate.
    """
    if not (0 <= row < MAX_ROWS and 0 <= column < MAX_COLUMNS):
        raise ValueError(f"no well in row {row}, column {column} of a 1536-well plate")
    letters = chr(ord("A") + row) if row < 26 else "A" + chr(ord("A") + row - 26)
    return f"{letters}{column + 1:02d}"


def well_position(name: str) -> tuple[int, int]:
    """Row and column of a well, from 0; the inverse of `well_name`, and the order in which wells are listed.

    Raises ValueError for what is no well of a 1536-well plate.
    """
    match = _WELL.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no well name such as B06")
    letters, column = match[1].upper(), int(match[2]) - 1
    row = ord(letters[-1]) - ord("A") + 26 * (len(letters) - 1)
    if len(letters) == 2 and letters[0] != "A":
        raise ValueError(f"{name!r} is no well of a 1536-well plate (A01 to AF48)")
    if not (0 <= row < MAX_ROWS and 0 <= column < MAX_COLUMNS):
        raise ValueError(f"{name!r} is no well of a 1536-well plate (A01 to AF48)")
    return row, column
