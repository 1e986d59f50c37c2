"""Synthetic plates as an Incucyte exports them: ``DAPI_A1_1_2023y05m03d_12h30m.tif``."""

import datetime
from dataclasses import dataclass

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.synthetic.files import refuse, write_files
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["IncucyteLayout"]

_START = datetime.datetime(2023, 5, 30, 21, 30)
_INTERVAL = datetime.timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class IncucyteLayout:
    """A plate with an image every two hours."""

    plan: PlatePlan

    def __post_init__(self) -> None:
        refuse(self.plan, "an Incucyte", z=True)

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        write_files(self.plan.folder, planes, self._path)

    def finish(self) -> None:
        """Do nothing: the names are all there is."""

    def _path(self, key: ImageKey) -> str:
        well = f"{key.well[:-2]}{int(key.well[-2:])}"
        time = _START + (key.timepoint - 1) * _INTERVAL
        return f"{self.plan.channel_names[key.channel - 1]}_{well}_{key.site}_{time:%Yy%mm%dd_%Hh%Mm}.tif"
