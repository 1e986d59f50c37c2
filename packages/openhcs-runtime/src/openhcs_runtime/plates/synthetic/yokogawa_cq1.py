"""Synthetic plates as a Yokogawa CQ1 stores them."""

from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import tifffile

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["YokogawaCQ1Layout"]

_OME = "http://www.openmicroscopy.org/Schemas/OME/2013-06"
_INTERVAL_S, _Z_STEP_UM = 600, 2.0
_WAVELENGTHS = ((405, 447), (488, 525), (561, 617), (640, 685))
_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class YokogawaCQ1Layout:
    """A measurement with a folder ``Image`` and its OME-XML."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        folder = self.plan.folder / "Image"
        folder.mkdir(exist_ok=True)
        for key, image in planes:
            tifffile.imwrite(folder / self._name(key), image, metadata=None, software=False)

    def finish(self) -> None:
        """Write ``MeasurementResult.ome.xml``."""
        rows, columns = self._plate
        path = self.plan.folder / "MeasurementResult.ome.xml"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f'<?xml version="1.0" encoding="utf-8"?>\n<OME xmlns="{_OME}">\n')
            file.write(f'<Plate ID="Plate:0" Name={quoteattr(self.plan.name)} Rows="{rows}" Columns="{columns}">\n')
            for number, well in enumerate(self.plan.wells):
                row, column = well_position(well)
                samples = "".join(
                    f'<WellSample ID="WellSample:{number}:{site}" Index="{site}">'
                    f'<ImageRef ID="{self._image_id(number, site)}" /></WellSample>'
                    for site in range(1, self.plan.sites + 1)
                )
                file.write(f'<Well ID="Well:{number}" Row="{row}" Column="{column}">{samples}</Well>\n')
            file.write('</Plate>\n<Image ID="Image:0" Name="TitleImage" />\n')
            for number, well in enumerate(self.plan.wells):
                for site in range(1, self.plan.sites + 1):
                    file.writelines(self._image(number, well, site))
            file.write("</OME>\n")

    @property
    def _plate(self) -> tuple[int, int]:
        wells = [well_position(well) for well in self.plan.wells]
        return next(
            (rows, columns)
            for rows, columns in _PLATES
            if all(row < rows and column < columns for row, column in wells)
        )

    def _image_id(self, well: int, site: int) -> str:
        return f"Image:{well * self.plan.sites + site}"

    def _name(self, key: ImageKey) -> str:
        row, column = well_position(key.well)
        number = row * self._plate[1] + column + 1
        return f"W{number:04d}F{key.site:04d}T{key.timepoint:04d}Z{key.z_index:03d}C{key.channel}.tif"

    def _image(self, number: int, well: str, site: int) -> Iterator[str]:
        """Yield the parts of the element of a field."""
        plan = self.plan
        row, column = well_position(well)
        where = f"W{row * self._plate[1] + column + 1}(R{row + 1}C{column + 1}),A{site},F{site}"
        yield f'<Image ID="{self._image_id(number, site)}" Name="{where}">\n<Pixels ID="Pixels:{number}:{site}" '
        yield f'DimensionOrder="XYCZT" Type="uint16" SizeX="{plan.size}" SizeY="{plan.size}" SizeC="{plan.channels}" '
        yield f'SizeZ="{plan.z}" SizeT="{plan.timepoints}" PhysicalSizeX="{plan.pixel_size_um}" '
        yield f'PhysicalSizeY="{plan.pixel_size_um}" PhysicalSizeZ="{_Z_STEP_UM}">\n'
        for index, name in enumerate(plan.channel_names):
            excitation, emission = _WAVELENGTHS[index % len(_WAVELENGTHS)]
            yield f'<Channel ID="Channel:{number}:{site}:{index}" Name={quoteattr(name)} '
            yield f'ExcitationWavelength="{excitation}" EmissionWavelength="{emission}" />\n'
        keys = [key for key in plan.keys(well) if key.site == site]
        for key in keys:
            yield f'<TiffData IFD="0" FirstC="{key.channel - 1}" FirstZ="{key.z_index - 1}" '
            yield f'FirstT="{key.timepoint - 1}" PlaneCount="1">'
            yield f'<UUID FileName="Image\\{self._name(key)}" /></TiffData>\n'
        position = plan.position(site)
        for key in keys:
            yield f'<Plane TheC="{key.channel - 1}" TheZ="{key.z_index - 1}" TheT="{key.timepoint - 1}" '
            yield f'DeltaT="{_INTERVAL_S * (key.timepoint - 1)}" PositionX="{position.x_um}" '
            yield f'PositionY="{-position.y_um}" PositionZ="{_Z_STEP_UM * (key.z_index - 1)}" />\n'
        yield "</Pixels>\n</Image>\n"
