"""Writing of images and labels as an OME-Zarr HCS plate, well by well, from several processes at once."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file, sync_files, writing_to
from openhcs_runtime.components import ImageKey, well_name, well_position
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plates.base import StagePosition
from openhcs_runtime.plates.ome_zarr.metadata import FieldEntry, read_group
from openhcs_runtime.plates.ome_zarr.write_image import (
    ImageStyle,
    Json,
    OmeZarrVersion,
    group_documents,
    write_group,
    write_image,
    write_labels,
)

__all__ = ["OmeZarrPlateWriter", "OmeZarrVersion", "OmeZarrWellWriter"]

_LEFTOVER = re.compile(r"\.(?P<pid>\d+)-[0-9a-f]{8}\.openhcs-part")
_ROW, _COLUMN = re.compile(r"[A-Z]{1,2}"), re.compile(r"\d\d")


@dataclass(frozen=True, slots=True)
class OmeZarrPlateWriter:
    """Writer of an OME-Zarr plate; it keeps nothing open and can be passed to other processes.

    A well appears complete or not at all: it is written next to its final location and then renamed. ``finish`` lists
    the wells in the plate's metadata; it can be called again after more wells have been written. For example::

        writer = OmeZarrPlateWriter(Path("out.zarr"), ("DAPI", "GFP"), pixel_size_um=0.65)
        with writer.well("B03") as well:
            well.add_site(1, {ImageKey("B03", 1, 1): dapi, ImageKey("B03", 1, 2): gfp})
        writer.finish()

    Attributes:
        folder: The plate folder.
        channels: Names of the channels 1, 2, ...; every image has all of them.
        pixel_size_um: Edge length of a pixel in micrometres.
        version: Version of OME-Zarr.
        name: Name of the plate.
        z_step_um: Distance between planes in micrometres.
        sharded: Whether each resolution level of an image is one file, with an index of its chunks; not in 0.4.
    """

    folder: Path
    channels: tuple[str, ...]
    pixel_size_um: float | None = None
    version: OmeZarrVersion = OmeZarrVersion.V05
    name: str = ""
    z_step_um: float | None = None
    sharded: bool = False

    def __post_init__(self) -> None:
        if self.sharded and self.version is OmeZarrVersion.V04:
            raise OutputError("OME-Zarr 0.4 has no shards: write version 0.5, or leave out sharded")

    @contextlib.contextmanager
    def well(self, well: str) -> Iterator["OmeZarrWellWriter"]:
        """Write a well; when the block ends without an error, it appears and replaces an older one.

        Raises:
            OutputError: If it can't be written to disk; nothing is left behind.
        """
        row, column = _row_and_column(well)
        target = self.folder / row / column
        unfinished = self.folder / f".{os.getpid()}-{secrets.token_hex(4)}.openhcs-part"
        style = ImageStyle(self.version, self.channels, self.pixel_size_um, self.z_step_um, self.sharded)
        with writing_to(target):
            try:
                unfinished.mkdir(parents=True)
                writer = OmeZarrWellWriter(unfinished, style)
                yield writer
                well_document = {"version": self.version.value, "images": writer.entries()}
                write_group(unfinished, {"well": well_document}, self.version)
                sync_files(path for path in unfinished.rglob("*") if path.is_file())
                self._write_documents(self.folder / row, {}, again=False)
                _take_place(unfinished, target)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)

    def finish(self, wells: Collection[str] | None = None) -> None:
        """Write the metadata that makes the folder a plate of its wells.

        Args:
            wells: Include only these wells; all by default.

        Raises:
            OutputError: If there are no wells.
        """
        self._remove_leftovers()
        held = [place for place in _wells_in(self.folder) if wells is None or "".join(place) in wells]
        places = sorted(held, key=lambda place: well_position("".join(place)))
        if not places:
            raise OutputError(f"{self.folder} has no wells: an OME-Zarr plate needs at least one")
        rows = list(dict.fromkeys(row for row, _ in places))
        columns = sorted({column for _, column in places})
        for row in rows:
            self._write_documents(self.folder / row, {}, again=False)
        images = [entry for row, column in places for entry in self._images_of(self.folder / row / column)]
        acquisitions = sorted({entry.acquisition for entry in images if entry.acquisition is not None})
        sites = {entry.path for entry in images if not entry.acquisition}
        plate: Json = {
            "version": self.version.value,
            "name": self.name or self.folder.name,
            "rows": [{"name": row} for row in rows],
            "columns": [{"name": column} for column in columns],
            "wells": [
                {"path": f"{row}/{column}", "rowIndex": rows.index(row), "columnIndex": columns.index(column)}
                for row, column in places
            ],
            "field_count": len(sites),
            **({"acquisitions": [{"id": number} for number in acquisitions]} if acquisitions else {}),
        }
        self._write_documents(self.folder, {"plate": plate}, again=True)

    def _images_of(self, folder: Path) -> tuple[FieldEntry, ...]:
        try:
            well = read_group(folder).well
        except (OSError, msgspec.MsgspecError) as error:
            raise OutputError(f"{folder} is not an OME-Zarr well: {error} (remove it and write it again)") from error
        return well.images if well else ()

    def _write_documents(self, folder: Path, metadata: Json, *, again: bool) -> None:
        for name, document in group_documents(metadata, self.version).items():
            if again or not (folder / name).exists():
                with atomic_file(folder / name) as file:
                    file.write(document)

    def _remove_leftovers(self) -> None:
        """Remove what killed processes have left behind, but not the wells that other processes are writing."""
        for path in self.folder.glob(".*.openhcs-part"):
            match = _LEFTOVER.fullmatch(path.name)
            if match and path.is_dir() and not psutil.pid_exists(int(match["pid"])):
                shutil.rmtree(path, ignore_errors=True)


@dataclass(slots=True)
class OmeZarrWellWriter:
    """Writer of the sites of one well."""

    folder: Path
    style: ImageStyle
    sites: set[tuple[int, int]] = field(default_factory=set)

    def add_site(
        self,
        site: int,
        planes: Mapping[ImageKey, NDArray[Any]],
        labels: Mapping[str, Mapping[ImageKey, NDArray[Any]]] | None = None,
        *,
        position: StagePosition | None = None,
        acquisition: int = 0,
        channels: tuple[str, ...] | None = None,
    ) -> None:
        """Write the planes (Y, X) of a site, and their labels.

        z and time points are renumbered from 1 in sorted order.

        Args:
            site: Number of the site, from 1.
            planes: The planes by what they show; all channels need the same z and time points.
            labels: Label images by name, each name for a single channel.
            position: Stage position.
            acquisition: Number of the acquisition, from 0; channels with other z or time points are written as a
                separate acquisition.
            channels: Names of its channels 1, 2, ...; the channels of the plate by default.

        Raises:
            OutputError: If the planes do not form an image.
            OSError: If it can't be written to disk.
        """
        if site < 1 or not planes:
            raise OutputError(f"site {site} with {len(planes)} planes can't be an OME-Zarr image")
        style = self.style if channels is None else replace(self.style, channels=channels)
        target = self.folder / _image_name(site, acquisition)
        write_image(target, planes, style, position)
        if labels:
            write_labels(target, labels, style, position)
        self.sites.add((acquisition, site))

    def entries(self) -> list[Json]:
        """Return the list of the well's images, with their acquisitions if there are several."""
        several = any(acquisition for acquisition, _ in self.sites)
        return [
            {"path": _image_name(site, acquisition), **({"acquisition": acquisition} if several else {})}
            for acquisition, site in sorted(self.sites)
        ]


def _image_name(site: int, acquisition: int) -> str:
    """Return ``0`` for site 1; ``0a1`` in a second acquisition."""
    return f"{site - 1}a{acquisition}" if acquisition else str(site - 1)


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
    """Rename a folder; an existing target is moved away first, and restored if the renaming fails."""
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
