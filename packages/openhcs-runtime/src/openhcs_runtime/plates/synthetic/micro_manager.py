"""Synthetic plates as Micro-Manager saves them, one file per image and one folder per position."""

import json
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["MicroManagerLayout"]

_Z_STEP_UM = 2.0


@dataclass(frozen=True, slots=True)
class MicroManagerLayout:
    """A multi-dimensional acquisition over positions that the HCS plug-in made."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, self._path)

    def finish(self) -> None:
        """Write the ``metadata.txt`` of each position."""
        plan = self.plan
        summary = {"ChNames": list(plan.channel_names), "z-step_um": _Z_STEP_UM, "Slices": plan.z}
        for well in plan.wells:
            for site in range(1, plan.sites + 1):
                place = plan.position(site)
                first = ImageKey(well, site)
                frame = {
                    "PixelSizeUm": plan.pixel_size_um,
                    "PixelSizeAffine": f"{plan.pixel_size_um};0.0;0.0;0.0;{-plan.pixel_size_um};0.0",
                    "PositionName": _position(first),
                    "XPositionUm": place.x_um,
                    "YPositionUm": -place.y_um,  # this stage counts upwards
                }
                said = {"Summary": summary, f"Metadata-{self._path(first)}": frame}
                path = plan.folder / _position(first) / "metadata.txt"
                path.write_text(json.dumps(said, indent=1), encoding="utf-8")

    def _path(self, key: ImageKey) -> str:
        number = self.plan.wells.index(key.well) * self.plan.sites + key.site - 1
        where = f"channel{key.channel - 1:03d}_position{number:03d}"
        return f"{_position(key)}/img_{where}_time{key.timepoint - 1:09d}_z{key.z_index - 1:03d}.tif"


def _position(key: ImageKey) -> str:
    return f"{key.well[:-2]}{int(key.well[-2:])}-Site_{key.site - 1}"
