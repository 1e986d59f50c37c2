"""Synthetic plates as a job of NIS-Elements exports them."""

from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import refuse, write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["NikonJobsLayout"]


@dataclass(frozen=True, slots=True)
class NikonJobsLayout:
    """A plate with one TIFF file per image."""

    plan: PlatePlan

    def __post_init__(self) -> None:
        refuse(self.plan, "Nikon JOBS", z=True)

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, self._path)

    def finish(self) -> None:
        """Do nothing: the names are all there is."""

    def _path(self, key: ImageKey) -> str:
        time = f"Time{key.timepoint - 1:05d}_" if self.plan.timepoints > 1 else ""
        channel, number = self.plan.channel_names[key.channel - 1], self.plan.wells.index(key.well)
        return f"{time}Well{key.well}_Point{key.well}_{key.site - 1:04d}_Channel{channel}_Seq{number:04d}.tif"
