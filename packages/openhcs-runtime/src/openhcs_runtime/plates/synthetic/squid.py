"""Synthetic plates as a Squid microscope acquires them."""

import csv
import json
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["SquidLayout"]

_WAVELENGTHS = (405, 488, 561, 638)
_Z_STEP_UM = 2.0
_INTERVAL_S = 600.0
_POWER = 20.0


@dataclass(frozen=True, slots=True)
class SquidLayout:
    """An acquisition with a folder per time point."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, _path)

    def finish(self) -> None:
        """Write parameters and coordinates."""
        plan = self.plan
        parameters = {
            "dz(um)": _Z_STEP_UM,
            "Nz": plan.z,
            "dt(s)": _INTERVAL_S if plan.timepoints > 1 else 0.0,
            "Nt": plan.timepoints,
            "objective": {"magnification": _POWER, "NA": 0.8, "tube_lens_f_mm": 180, "name": "20x"},
            "sensor_pixel_size_um": plan.pixel_size_um * _POWER,
            "tube_lens_mm": 180,
        }
        (plan.folder / "acquisition parameters.json").write_text(json.dumps(parameters), encoding="utf-8")
        for timepoint in range(plan.timepoints):
            path = plan.folder / str(timepoint) / "coordinates.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(("region", "fov", "z_level", "x (mm)", "y (mm)", "z (um)", "time"))
                for well in plan.wells:
                    rows.writerows(self._rows(well))

    def _rows(self, well: str) -> list[tuple[object, ...]]:
        places = [(site, self.plan.position(site)) for site in range(1, self.plan.sites + 1)]
        return [
            (well, site - 1, z, place.x_um / 1000, place.y_um / 1000, z * _Z_STEP_UM, "2024-01-01_00-00-00.000000")
            for site, place in places
            for z in range(self.plan.z)
        ]


def _path(key: ImageKey) -> str:
    wave = _WAVELENGTHS[key.channel - 1] if key.channel <= len(_WAVELENGTHS) else 638 + key.channel
    where = f"{key.well}_{key.site - 1}_{key.z_index - 1}"
    return f"{key.timepoint - 1}/{where}_Fluorescence_{wave}_nm_Ex.tiff"
