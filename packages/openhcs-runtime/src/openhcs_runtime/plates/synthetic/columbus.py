"""Synthetic plates as Columbus exports them: ``001002-3-001001001.tif``."""

from dataclasses import dataclass

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.files import write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["ColumbusLayout"]


@dataclass(frozen=True, slots=True)
class ColumbusLayout:
    """A plate whose file names are numbers."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, _path)

    def finish(self) -> None:
        """Do nothing: the names are all there is."""


def _path(key: ImageKey) -> str:
    row, column = well_position(key.well)
    return f"{row + 1:03d}{column + 1:03d}-{key.site}-{key.timepoint:03d}{key.z_index:03d}{key.channel:03d}.tif"
