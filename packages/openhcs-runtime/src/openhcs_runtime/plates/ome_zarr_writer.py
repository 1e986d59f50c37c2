"""Writes images and labels as an OME-Zarr HCS plate, well by well, from any number of processes at once."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil
from numpy.typing import NDArray

from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.outputs.atomic import atomic_file, sync_files, writing_to
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.ome_zarr_image import (
    ImageStyle,
    Json,
    OmeZarrVersion,
    group_documents,
    write_group,
    write_image,
    write_labels,
)
from openhcs_runtime.plates.ome_zarr_schema import read_group

__all__ = ["OmeZarrPlateWriter", "OmeZarrVersion", "OmeZarrWellWriter"]

_LEFTOVER = re.compile(r"\.(?P<pid>\d+)-[0-9a-f]{8}\.openhcs-part")
_ROW, _COLUMN = re.compile(r"[A-Z]{1,2}"), re.compile(r"\d\d")


@dataclass(frozen=True, slots=True)
class OmeZarrPlateWriter:
    """Writes the plate in `folder`. Holds nothing open; pass it to as many processes as there are.

    channels: names of the channels 1, 2, ...; every image has all of them. A well appears whole or not at all: it is
    written beside its place and then renamed. `finish` lists the wells that are there in the plate's own metadata; it
    may be called again after more wells.

        writer = OmeZarrPlateWriter(Path("out.zarr"), ("DAPI", "GFP"), pixel_size_um=0.65)
        with writer.well("B03") as well:
            well.add_site(1, {ImageKey("B03", 1, 1): dapi, ImageKey("B03", 1, 2): gfp})
        writer.finish()
    """

    folder: Path
    channels: tuple[str, ...]
    pixel_size_um: float | None = None
    version: OmeZarrVersion = OmeZarrVersion.V05
    name: str = ""

    @contextlib.contextmanager
    def well(self, well: str) -> Iterator["OmeZarrWellWriter"]:
        """Write a well; it takes its place, also that of an older one, when the block ends well.

        Raises OutputError when the disk does not take it, and leaves no trace then.
        """
        row, column = _row_and_column(well)
        target = self.folder / row / column
        unfinished = self.folder / f".{os.getpid()}-{secrets.token_hex(4)}.openhcs-part"
        style = ImageStyle(self.version, self.channels, self.pixel_size_um)
        with writing_to(target):
            try:
                unfinished.mkdir(parents=True)
                writer = OmeZarrWellWriter(unfinished, style)
                yield writer
                entries = [{"path": str(site - 1)} for site in sorted(writer.sites)]
                write_group(unfinished, {"well": {"version": self.version.value, "images": entries}}, self.version)
                sync_files(path for path in unfinished.rglob("*") if path.is_file())
                self._write_documents(self.folder / row, {}, again=False)
                _take_place(unfinished, target)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def finish(self, wells: Collection[str] | None = None) -> None:
        """Make the folder a plate of the wells that it holds, or of those among them that are named here.

        Raises OutputError when there are none.
        """
        self._remove_leftovers()
        held = [place for place in _wells_in(self.folder) if wells is None or "".join(place) in wells]
        places = sorted(held, key=lambda place: well_position("".join(place)))
        if not places:
            raise OutputError(f"{self.folder} holds no well: an OME-Zarr plate has at least one")
        rows = list(dict.fromkeys(row for row, _ in places))
        columns = sorted({column for _, column in places})
        for row in rows:
            self._write_documents(self.folder / row, {}, again=False)
        sites = max(self._sites_of(self.folder / row / column) for row, column in places)
        plate: Json = {
            "version": self.version.value,
            "name": self.name or self.folder.name,
            "rows": [{"name": row} for row in rows],
            "columns": [{"name": column} for column in columns],
            "wells": [
                {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
                for row, column in places
            ],
            "field_count": sites,
        }
        self._write_documents(self.folder, {"plate": plate}, again=True)

    def _sites_of(self, folder: Path) -> int:
        try:
            well = read_group(folder).well
        except (OSError, msgspec.MsgspecError) as error:
            raise OutputError(f"{folder} is no OME-Zarr well: {error} (remove it and write it again)") from error
        return len(well.images) if well else 0

    def _write_documents(self, folder: Path, metadata: Json, *, again: bool) -> None:
        for name, document in group_documents(metadata, self.version).items():
            if again or not (folder / name).exists():
                with atomic_file(folder / name) as file:
                    file.write(document)

    def _remove_leftovers(self) -> None:
        """Remove what killed processes have left; the wells that live ones are writing stay."""
        for path in self.folder.glob(".*.openhcs-part"):
            match = _LEFTOVER.fullmatch(path.name)
            if match and path.is_dir() and not psutil.pid_exists(int(match["pid"])):
                shutil.rmtree(path, ignore_errors=True)


@dataclass(slots=True)
class OmeZarrWellWriter:
    """Writes the sites of one well."""

    folder: Path
    style: ImageStyle
    sites: set[int] = field(default_factory=set)

    def add_site(
        self,
        site: int,
        planes: Mapping[ImageKey, NDArray[Any]],
        labels: Mapping[str, Mapping[ImageKey, NDArray[Any]]] | None = None,
        *,
        position: StagePosition | None = None,
    ) -> None:
        """Write the planes (Y, X) of a site, and labels of them by name, each of one channel.

        z and time points are numbered from 1 in sorted order. Raises OutputError when they make no image, OSError when
        the disk does not take it.
        """
        if site < 1 or not planes:
            raise OutputError(f"site {site} with {len(planes)} planes makes no OME-Zarr image")
        target = self.folder / str(site - 1)
        write_image(target, planes, self.style, position)
        if labels:
            write_labels(target, labels, self.style, position)
        self.sites.add(site)


def _row_and_column(well: str) -> tuple[str, str]:
    try:
        name = well_name(*well_position(well))
    except ValueError as error:
        raise OutputError(str(error)) from error
    return name[:-2], name[-2:]


def _wells_in(folder: Path) -> Iterator[tuple[str, str]]:
    with writing_to(folder):
        for row in folder.iterdir() if folder.exists() else ():
            if _ROW.fullmatch(row.name) and row.is_dir():
                yield from ((row.name, column.name) for column in row.iterdir() if _COLUMN.fullmatch(column.name))


def _take_place(new: Path, target: Path) -> None:
    """Rename a folder; an older one at its place goes first and comes back when that fails."""
    if not target.exists():
        os.rename(new, target)
        return
    old = new.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.openhcs-part")
    os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
