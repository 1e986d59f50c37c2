"""The components that identify an image of a plate, and the names of wells."""

from enum import StrEnum

import msgspec

from openhcs_runtime.wells import MAX_COLUMNS, MAX_ROWS, normal_well, well_name, well_position

__all__ = [
    "MAX_COLUMNS",
    "MAX_ROWS",
    "PROJECTED",
    "Component",
    "ImageKey",
    "normal_well",
    "well_name",
    "well_position",
]

PROJECTED = 0
"""Value of a component over which a step has reduced its images; a projection over z has ``z_index == 0``."""


class Component(StrEnum):
    """What distinguishes the images of a plate."""

    WELL = "well"
    SITE = "site"
    CHANNEL = "channel"
    Z_INDEX = "z_index"
    TIMEPOINT = "timepoint"


class ImageKey(msgspec.Struct, frozen=True, order=True, gc=False):
    """The component values of one image; numbers start at 1, as in file names."""

    well: str
    site: int = 1
    channel: int = 1
    z_index: int = 1
    timepoint: int = 1

    def value(self, component: Component) -> str | int:
        """Return the value of one component."""
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
        """Describe the image: ``well B02, site 1, channel 2, z 1, time point 1``."""
        return (
            f"well {self.well}, site {self.site}, channel {self.channel}, z {self.z_index}, time point {self.timepoint}"
        )
