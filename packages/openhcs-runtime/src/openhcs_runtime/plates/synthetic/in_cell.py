"""Synthetic plates as an IN Cell Analyzer stores them."""

from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import tifffile

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["InCellLayout"]

_INTERVAL_MS, _Z_STEP_UM = 600_000, 2.0
_WAVELENGTHS = ((390, 432), (475, 511), (542, 597), (631, 684))
_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class InCellLayout:
    """A measurement with its ``.xdce`` file."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        for key, image in planes:
            tifffile.imwrite(self.plan.folder / self._name(key), image, metadata=None, software=False)

    def finish(self) -> None:
        """Write the ``.xdce`` file."""
        plan = self.plan
        path = plan.folder / f"{plan.name}.xdce"
        with path.open("w", encoding="iso-8859-1", errors="xmlcharrefreplace", newline="\r\n") as file:
            file.write('<?xml version="1.0" encoding="ISO-8859-1" standalone="no"?>\n<ImageStack>\n')
            file.write('<Application name="IN Cell Analyzer 2000" software_version="3.0"/>\n')
            file.write(f"<AutoLeadAcquisitionProtocol name={quoteattr(plan.name)}>\n")
            file.writelines(self._protocol())
            number = len(plan.wells) * len(plan.keys("A01"))
            file.write(f'</AutoLeadAcquisitionProtocol>\n<Images image_format="TIFF" number="{number}">\n')
            for well in plan.wells:
                file.writelines(map(self._image, plan.keys(well)))
            file.write("</Images>\n</ImageStack>\n")

    def _protocol(self) -> list[str]:
        plan = self.plan
        wells = [well_position(well) for well in plan.wells]
        rows, columns = next(size for size in _PLATES if all(row < size[0] and col < size[1] for row, col in wells))
        points = [plan.position(site) for site in range(1, plan.sites + 1)]
        waves = []
        for index, name in enumerate(plan.channel_names):
            excitation, emission = _WAVELENGTHS[index % len(_WAVELENGTHS)]
            mode = "3-D" if plan.z > 1 else "2-D"
            waves.append(
                f'<Wavelength fusion_wave="false" imaging_mode="{mode}" index="{index}" z_slice="{plan.z}" '
                f'z_step="{_Z_STEP_UM}"><ExcitationFilter name={quoteattr(name)} unit="nm" wavelength="{excitation}"/>'
                f'<EmissionFilter name={quoteattr(name)} unit="nm" wavelength="{emission}"/></Wavelength>\n'
            )
        return [
            f'<ObjectiveCalibration magnification="10.0" pixel_height="{plan.pixel_size_um}" '
            f'pixel_width="{plan.pixel_size_um}" unit="\u00b5m"/>\n',
            f'<Camera><Binning value="1 X 1"/><Size height="{plan.size}" width="{plan.size}"/></Camera>\n',
            f'<Plate columns="{columns}" rows="{rows}" name={quoteattr(plan.name)}/>\n',
            f'<PlateMap><ZDimensionParameters number_of_slices="{plan.z}"/><FieldOffsets>',
            *(f'<offset_point index="{n}" x="{p.x_um}" y="{-p.y_um}"/>' for n, p in enumerate(points)),
            "</FieldOffsets></PlateMap>\n<Wavelengths>\n",
            *waves,
            "</Wavelengths>\n",
        ]

    def _name(self, key: ImageKey) -> str:
        plan, (_, column) = self.plan, well_position(key.well)
        wave = plan.channel_names[key.channel - 1]
        z = f" z {key.z_index}" if plan.z > 1 else ""
        time = f" time {key.timepoint}" if plan.timepoints > 1 else ""
        letters = key.well[:-2]
        return f"{letters} - {column + 1}(fld {key.site} wv {wave} - {wave}{z}{time}).tif"

    def _image(self, key: ImageKey) -> str:
        (row, column), position = well_position(key.well), self.plan.position(key.site)
        return (
            f'<Image acquisition_time_ms="{_INTERVAL_MS * (key.timepoint - 1)}" filename={quoteattr(self._name(key))}>'
            f'<Well label="{key.well[:-2]} - {column + 1}"><Row number="{row + 1}"/>'
            f'<Column number="{column + 1}"/></Well>'
            f'<FocusPosition unit="\u00b5m" z="{_Z_STEP_UM * (key.z_index - 1)}"/>'
            f'<OffsetFromWellCenter unit="\u00b5m" x="{position.x_um}" y="{-position.y_um}"/>'
            f'<Identifier field_index="{key.site - 1}" time_index="{key.timepoint - 1}" '
            f'wave_index="{key.channel - 1}" z_index="{key.z_index - 1}"/></Image>\n'
        )
