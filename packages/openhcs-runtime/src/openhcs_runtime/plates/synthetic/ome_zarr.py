"""Synthetic OME-Zarr plates."""

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

if TYPE_CHECKING:
    from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter

__all__ = ["OmeZarrLayout"]


@dataclass(frozen=True, slots=True)
class OmeZarrLayout:
    """An OME-Zarr plate of version 0.5."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        with self._writer().well(well) as writer:
            for site, of_site in groupby(planes, key=lambda plane: plane[0].site):
                writer.add_site(site, dict(of_site), position=self.plan.position(site))

    def finish(self) -> None:
        """Write the metadata of the plate."""
        self._writer().finish()

    def _writer(self) -> "OmeZarrPlateWriter":
        from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter  # noqa: PLC0415  zarr loads slowly

        return OmeZarrPlateWriter(
            self.plan.folder, self.plan.channel_names, pixel_size_um=self.plan.pixel_size_um, name=self.plan.name
        )
