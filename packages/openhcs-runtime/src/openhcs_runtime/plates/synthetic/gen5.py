"""Synthetic plates as BioTek's Gen5 saves them: ``A1_01_1_1Z0_DAPI_001.tif``."""

from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["Gen5Layout"]


@dataclass(frozen=True, slots=True)
class Gen5Layout:
    """A plate of one read step."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        size, edge = self.plan.size, self.plan.size * self.plan.pixel_size_um
        about = (
            f"<BTIImageMetaData><ImageAcquisition><PixelWidth>{size}</PixelWidth><PixelHeight>{size}</PixelHeight>"
            f"<ImageWidthMicrons>{edge}</ImageWidthMicrons><ImageHeightMicrons>{edge}</ImageHeightMicrons>"
            "</ImageAcquisition></BTIImageMetaData>"
        )
        write_files(self.plan.folder, planes, self._path, about)

    def finish(self) -> None:
        """Do nothing: names and images say all."""

    def _path(self, key: ImageKey) -> str:
        well = f"{key.well[:-2]}{int(key.well[-2:])}"
        z = f"Z{key.z_index - 1}" if self.plan.z > 1 else ""
        name = self.plan.channel_names[key.channel - 1]
        return f"{well}_01_{key.channel}_{key.site}{z}_{name}_{key.timepoint:03d}.tif"
