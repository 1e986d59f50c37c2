"""Synthetic plates with names of the form ``Channel1-01-A-01.tif``."""

from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import refuse, write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["SbsNamesLayout"]


@dataclass(frozen=True, slots=True)
class SbsNamesLayout:
    """A plate whose file names count channels and positions."""

    plan: PlatePlan

    def __post_init__(self) -> None:
        refuse(self.plan, "the form Channel1-01-A-01", z=True, timepoints=True)

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, self._path)

    def finish(self) -> None:
        """Do nothing: the names are all there is."""

    def _path(self, key: ImageKey) -> str:
        number = self.plan.wells.index(key.well) * self.plan.sites + key.site
        return f"Channel{key.channel}-{number:02d}-{key.well[:-2]}-{key.well[-2:]}.tif"
