"""Synthetic plates as Leica's Matrix Screener saves them, in folders of chambers and fields."""

from dataclasses import dataclass

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.files import write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["MatrixScreenerLayout"]


@dataclass(frozen=True, slots=True)
class MatrixScreenerLayout:
    """A scan of one slide by one job."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        edge = self.plan.pixel_size_um
        about = (
            '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" SizeX="{self.plan.size}" '
            f'SizeY="{self.plan.size}" SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="{edge}" PhysicalSizeY="{edge}">'
            "<TiffData/></Pixels></Image></OME>"
        )
        write_files(self.plan.folder, planes, self._path, about)

    def finish(self) -> None:
        """Do nothing: names and images say all."""

    def _path(self, key: ImageKey) -> str:
        v, u = well_position(key.well)
        y, x = divmod(key.site - 1, self.plan.grid[1])
        well, field = f"U{u:02d}--V{v:02d}", f"X{x:02d}--Y{y:02d}"
        plane = f"T{key.timepoint - 1:04d}--Z{key.z_index - 1:02d}--C{key.channel - 1:02d}"
        return (
            f"slide--S00/chamber--{well}/field--{field}/"
            f"image--L0000--S00--{well}--J08--E00--O00--{field}--{plane}.ome.tif"
        )
