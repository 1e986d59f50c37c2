"""Writing of synthetic images as a plate of each format, with the metadata that a microscope adds."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey, well_position
from openhcs_runtime.made_format import MadeFormat
from openhcs_runtime.plates.base import StagePosition

if TYPE_CHECKING:
    from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter

_STAINS = ("DAPI", "FITC", "TRITC", "Cy5")
_HARMONY = "43B2A954-E3C3-47E1-B392-6635266B0DD3/HarmonyV7"

Planes = Iterable[tuple[ImageKey, NDArray[np.uint16]]]


@dataclass(frozen=True, slots=True)
class PlatePlan:
    """The plan of a plate; all numbers start at 1, and sites form a gapless grid, row by row."""

    folder: Path
    name: str
    wells: tuple[str, ...]
    sites: int
    channels: int
    z: int
    timepoints: int
    size: int
    pixel_size_um: float

    @property
    def grid(self) -> tuple[int, int]:
        """Return the number of rows and columns of sites."""
        columns = math.ceil(math.sqrt(self.sites))
        return math.ceil(self.sites / columns), columns

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the stains."""
        return tuple(_STAINS[n] if n < len(_STAINS) else f"Stain {n + 1}" for n in range(self.channels))

    def position(self, site: int) -> StagePosition:
        """Return the centre of a site relative to the centre of the well."""
        (rows, columns), edge = self.grid, self.size * self.pixel_size_um
        row, column = divmod(site - 1, columns)
        return StagePosition((row - (rows - 1) / 2) * edge, (column - (columns - 1) / 2) * edge)


class PlateLayout(Protocol):
    """A writer that takes the wells of a plate one after the other."""

    @property
    def plan(self) -> PlatePlan:
        """The plan of the plate."""

    def write_well(self, well: str, planes: Planes) -> None:
        """Write the images of a well, grouped by site."""

    def finish(self) -> None:
        """Finish the plate; called after the last well."""


def layout_for(made_format: MadeFormat, plan: PlatePlan) -> PlateLayout:
    """Return a writer for plates of the plan's format."""
    match made_format:
        case MadeFormat.IMAGEXPRESS:
            return _ImageXpress(plan)
        case MadeFormat.OPERA_PHENIX:
            return _OperaPhenix(plan)
        case MadeFormat.OME_ZARR:
            return _OmeZarr(plan)


@dataclass(frozen=True, slots=True)
class _ImageXpress:
    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        for key, image in planes:
            folder = self.plan.folder / f"TimePoint_{key.timepoint}"
            folder.mkdir(exist_ok=True)
            z = f"_z{key.z_index}" if self.plan.z > 1 else ""
            name = f"{self.plan.name}_{well}_s{key.site}_w{key.channel}{z}.tif"
            about = _metaseries(self.plan.pixel_size_um)
            tifffile.imwrite(folder / name, image, description=about, metadata=None, software="MetaSeries")

    def finish(self) -> None:
        plan, taken = self.plan, {well_position(well) for well in self.plan.wells}
        rows, columns = 1 + max(row for row, _ in taken), 1 + max(column for _, column in taken)
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


@dataclass(frozen=True, slots=True)
class _OperaPhenix:
    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        folder = self.plan.folder / "Images"
        folder.mkdir(exist_ok=True)
        for key, image in planes:
            tifffile.imwrite(folder / _phenix_name(key), image, metadata=None, software=False)

    def finish(self) -> None:
        plan = self.plan
        metres = plan.pixel_size_um / 1e6
        entries = [
            f'<Entry ChannelID="{n}"><ChannelName>{name}</ChannelName><ImageResolutionX Unit="m">{metres}'
            f'</ImageResolutionX><ImageResolutionY Unit="m">{metres}</ImageResolutionY></Entry>'
            for n, name in enumerate(plan.channel_names, start=1)
        ]
        path = plan.folder / "Images" / "Index.xml"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.write(f'<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData xmlns="{_HARMONY}">\n')
            file.write(f"<Maps><Map>{''.join(entries)}</Map></Maps>\n<Images>\n")
            for well in plan.wells:
                file.writelines(self._image_element(key) for key in _keys(plan, well))
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
            "</Image>\n"
        )


@dataclass(frozen=True, slots=True)
class _OmeZarr:
    plan: PlatePlan

    def write_well(self, well: str, planes: Planes) -> None:
        with self._writer().well(well) as writer:
            for site, of_site in groupby(planes, key=lambda plane: plane[0].site):
                writer.add_site(site, dict(of_site), position=self.plan.position(site))

    def finish(self) -> None:
        self._writer().finish()

    def _writer(self) -> "OmeZarrPlateWriter":
        from openhcs_runtime.plates.ome_zarr.write import OmeZarrPlateWriter  # noqa: PLC0415  zarr loads slowly

        return OmeZarrPlateWriter(
            self.plan.folder, self.plan.channel_names, pixel_size_um=self.plan.pixel_size_um, name=self.plan.name
        )


def _keys(plan: PlatePlan, well: str) -> list[ImageKey]:
    return [
        ImageKey(well, site, channel, z, timepoint)
        for timepoint in range(1, plan.timepoints + 1)
        for site in range(1, plan.sites + 1)
        for z in range(1, plan.z + 1)
        for channel in range(1, plan.channels + 1)
    ]


def _phenix_name(key: ImageKey) -> str:
    row, column = well_position(key.well)
    return (
        f"r{row + 1:02d}c{column + 1:02d}f{key.site:02d}p{key.z_index:02d}-ch{key.channel}sk{key.timepoint}fk1fl1.tiff"
    )


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
