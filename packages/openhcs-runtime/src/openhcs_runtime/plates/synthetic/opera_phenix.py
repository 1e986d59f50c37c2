"""Synthetic plates as Harmony exports them."""

from dataclasses import dataclass

import tifffile

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["OperaPhenixLayout"]

_HARMONY = "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"
_INTERVAL_S, _Z_STEP_UM = 600, 2.0
_WAVELENGTHS = ((375, 456), (488, 522), (561, 599), (640, 706))
_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class OperaPhenixLayout:
    """A measurement with an ``Images`` folder and its index."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        folder = self.plan.folder / "Images"
        folder.mkdir(exist_ok=True)
        for key, image in planes:
            tifffile.imwrite(folder / _phenix_name(key), image, metadata=None, software=False)

    def finish(self) -> None:
        """Write ``Index.xml``."""
        plan = self.plan
        metres = plan.pixel_size_um / 1e6
        entries = []
        for n, name in enumerate(plan.channel_names, start=1):
            excitation, emission = _WAVELENGTHS[(n - 1) % len(_WAVELENGTHS)]
            entries.append(
                f'<Entry ChannelID="{n}"><ChannelName>{name}</ChannelName><ImageResolutionX Unit="m">{metres}'
                f'</ImageResolutionX><ImageResolutionY Unit="m">{metres}</ImageResolutionY>'
                f'<MainExcitationWavelength Unit="nm">{excitation}</MainExcitationWavelength>'
                f'<MainEmissionWavelength Unit="nm">{emission}</MainEmissionWavelength></Entry>'
            )
        wells = [well_position(well) for well in plan.wells]
        rows, columns = next(size for size in _PLATES if all(row < size[0] and col < size[1] for row, col in wells))
        path = plan.folder / "Images" / "Index.xml"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f'<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData xmlns="{_HARMONY}">\n')
            file.write(f"<Plates><Plate><PlateRows>{rows}</PlateRows>")
            file.write(f"<PlateColumns>{columns}</PlateColumns></Plate></Plates>\n")
            file.write(f"<Maps><Map>{''.join(entries)}</Map></Maps>\n<Images>\n")
            for well in plan.wells:
                file.writelines(self._image_element(key) for key in plan.keys(well))
            file.write("</Images>\n</EvaluationInputData>\n")

    def _image_element(self, key: ImageKey) -> str:
        row, column = well_position(key.well)
        position = self.plan.position(key.site)
        return (
            f'<Image Version="1"><URL>{_phenix_name(key)}</URL><Row>{row + 1}</Row><Col>{column + 1}</Col>'
            f"<FieldID>{key.site}</FieldID><PlaneID>{key.z_index}</PlaneID>"
            f"<TimepointID>{key.timepoint - 1}</TimepointID><ChannelID>{key.channel}</ChannelID>"
            f'<PositionX Unit="m">{position.x_um / 1e6}</PositionX>'
            f'<PositionY Unit="m">{-position.y_um / 1e6}</PositionY>'
            f'<PositionZ Unit="m">{_Z_STEP_UM * (key.z_index - 1) / 1e6}</PositionZ>'
            f'<MeasurementTimeOffset Unit="s">{_INTERVAL_S * (key.timepoint - 1)}</MeasurementTimeOffset>'
            "</Image>\n"
        )


def _phenix_name(key: ImageKey) -> str:
    row, column = well_position(key.well)
    return (
        f"r{row + 1:02d}c{column + 1:02d}f{key.site:02d}p{key.z_index:02d}-ch{key.channel}sk{key.timepoint}fk1fl1.tiff"
    )
