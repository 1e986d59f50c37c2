"""Synthetic plates as MetaXpress exports them."""

from dataclasses import dataclass

import tifffile

from openhcs_runtime.components import well_position
from openhcs_runtime.plates.synthetic.plan import Planes, PlatePlan

__all__ = ["ImageXpressLayout"]

_PLATES = ((8, 12), (16, 24), (32, 48))


@dataclass(frozen=True, slots=True)
class ImageXpressLayout:
    """A plate in folders of time points, with an HTD file."""

    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well."""
        for key, image in planes:
            folder = self.plan.folder / f"TimePoint_{key.timepoint}"
            folder.mkdir(exist_ok=True)
            z = f"_z{key.z_index}" if self.plan.z > 1 else ""
            name = f"{self.plan.name}_{well}_s{key.site}_w{key.channel}{z}.tif"
            about = _metaseries(self.plan.pixel_size_um)
            tifffile.imwrite(folder / name, image, description=about, metadata=None, software="MetaSeries")

    def finish(self) -> None:
        """Write the HTD file."""
        plan, taken = self.plan, {well_position(well) for well in self.plan.wells}
        last_row, last_column = (max(position[axis] for position in taken) for axis in (0, 1))
        rows, columns = next(plate for plate in _PLATES if last_row < plate[0] and last_column < plate[1])
        lines = [
            '"HTSInfoFile", Version 1.0',
            f'"TimePoints", {plan.timepoints}',
            f'"ZSeries", {_flag(plan.z > 1)}',
            f'"ZSteps", {plan.z}',
            f'"XWells", {columns}',
            f'"YWells", {rows}',
            *_selection("WellsSelection", rows, columns, taken),
            f'"Sites", {_flag(plan.sites > 1)}',
            f'"XSites", {plan.grid[1]}',
            f'"YSites", {plan.grid[0]}',
            *_selection("SiteSelection", *plan.grid, {divmod(site, plan.grid[1]) for site in range(plan.sites)}),
            '"Waves", TRUE',
            f'"NWavelengths", {plan.channels}',
            *(f'"WaveName{n}", "{name}"\n"WaveCollect{n}", 1' for n, name in enumerate(plan.channel_names, start=1)),
            '"EndFile"',
        ]
        (plan.folder / f"{plan.name}.HTD").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\r\n")


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _selection(name: str, rows: int, columns: int, chosen: set[tuple[int, int]]) -> list[str]:
    return [
        f'"{name}{row + 1}", ' + ", ".join(_flag((row, column) in chosen) for column in range(columns))
        for row in range(rows)
    ]


def _metaseries(pixel_size_um: float) -> str:
    """Return the part of MetaXpress image metadata that is read here, for a pixel size."""
    entries = {
        "spatial-calibration-state": ("bool", "on"),
        "spatial-calibration-x": ("float", pixel_size_um),
        "spatial-calibration-y": ("float", pixel_size_um),
        "spatial-calibration-units": ("string", "um"),
    }
    lines = (f'<prop id="{name}" type="{kind}" value="{value}"/>' for name, (kind, value) in entries.items())
    return "\n".join(("<MetaData>", "<PlaneInfo>", *lines, "</PlaneInfo>", "</MetaData>"))
