"""The results of a run, and the images of its plate, as pictures for a viewer."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey, well_position
from openhcs_runtime.exceptions import ImageError, OutputError, PlateError
from openhcs_runtime.outputs.provenance import Provenance, WellRecord as WellOutcome, read_provenance
from openhcs_runtime.outputs.roi_export import finished_parts
from openhcs_runtime.outputs.runs import find_run
from openhcs_runtime.outputs.wells import WellRecord
from openhcs_runtime.plates import ImageRef, Plate, open_plate, read_image
from openhcs_runtime.results import ResultStatus
from openhcs_runtime.rois import Mask, read_imagej
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.live import image_position
from openhcs_runtime.viewers.metadata import WELL_TEXT
from openhcs_runtime.viewers.origin import NOWHERE, Origin
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.rois import mask_labels, shapes_of
from openhcs_runtime.viewers.well_texts import describe_wells
from zmqruntime.streaming import ImageStream, Position

__all__ = ["Picture", "Pictures", "find_images", "find_labels", "find_pictures"]

_NAME = re.compile(r"([A-Z]{1,2}\d{2})_s(\d+)_w(\d+)(?:_z(\d+))?(?:_t(\d+))?")


@dataclass(frozen=True, slots=True)
class Picture:
    """One file, or one plane of a plate, and where it is shown.

    Attributes:
        kind: kind of the picture.
        layer: layer to show it in.
        key: what it shows.
        path: the file.
        metadata: display metadata.
        plane: where the pixels are in a plate; None if the file itself is one picture.
    """

    kind: PictureKind
    layer: str
    key: ImageKey
    path: Path
    metadata: dict[str, Any]
    plane: tuple[str, ImageRef] | None = None

    def send(self, stream: ImageStream, position: Position) -> None:
        """Send the picture to a viewer.

        Args:
            stream: the connection to the viewer.
            position: where it is shown; see :meth:`Pictures.position`.

        Raises:
            ImageError: the image can't be read.
            RoiError: the file of regions is not valid.
            OSError: the file of regions can't be read.
            StreamTimeoutError: the viewer does not accept it in time.
        """
        if self.kind is not PictureKind.REGIONS:
            stream.send(self.pixels(), layer_name=self.layer, position=position, metadata=self.metadata, copy=False)
            return
        self._send_regions(stream, position)

    def _send_regions(self, stream: ImageStream, position: Position) -> None:
        rois = read_imagej(self.path)
        if shapes := shapes_of(rois):
            stream.send_shapes(shapes, layer_name=self.layer, position=position, metadata=self.metadata)
        masks = [roi for roi in rois if isinstance(roi, Mask)]
        if masks:
            rows = max(mask.top + mask.pixels.shape[0] for mask in masks)
            columns = max(mask.left + mask.pixels.shape[1] for mask in masks)
            labels = mask_labels(masks, (rows, columns))
            assert labels is not None
            metadata = {**self.metadata, "kind": "labels"}
            stream.send(labels, layer_name=f"{self.layer} masks", position=position, metadata=metadata)

    def pixels(self) -> NDArray[Any]:
        """Read the picture, unless it is of regions.

        Raises:
            ImageError: the image can't be read.
        """
        if self.plane is not None:
            return np.asarray(read_image(*self.plane))
        try:
            return np.asarray(tifffile.imread(self.path))
        except (OSError, ValueError, tifffile.TiffFileError) as error:
            raise ImageError(f"{self.path} can't be read: {error}", str(self.path)) from error


@dataclass(frozen=True, slots=True)
class Pictures:
    """All pictures to show.

    Attributes:
        pictures: the pictures.
        named: components with several values.
        channel_names: channel names by number.
        problems: why some pictures are missing.
        origin: the plate and the run that they are from.
        more: further components of their positions.
    """

    pictures: tuple[Picture, ...]
    named: frozenset[Component]
    channel_names: dict[int, str]
    problems: tuple[str, ...] = ()
    origin: Origin = NOWHERE
    more: Position = field(default_factory=dict)

    def position(self, picture: Picture) -> Position:
        """Return where a viewer shows a picture; no other plate or run has the same place."""
        where = image_position(picture.key, self.named, self.channel_names)
        return {**self.origin.position, **self.more, **where}


def find_pictures(
    results: Path,
    kinds: Collection[PictureKind] = tuple(PictureKind),
    wells: Collection[str] = (),
    *,
    unfinished: bool = False,
) -> Pictures:
    """Find the pictures of a run, in well order.

    Args:
        results: output folder of the run.
        kinds: kinds to include.
        wells: wells to include; empty for all.
        unfinished: also include the images of wells that have failed, or that are asked for and have no results;
            ``problems`` then says so.

    Returns:
        The pictures.

    Raises:
        OutputError: the folder is not that of a run, a well is not in it, or there are no pictures of these kinds.
    """
    known, plate, problem = _plate_of(results)
    left = _unfinished(results, known, plate, wells) if unfinished else {}
    parts = _parts(results, wells, left)
    wells_described = describe_wells(results)
    metadata = _calibration(known, plate)
    found = [
        picture
        for part in parts
        for file in part.files
        if (picture := _picture(results, PurePosixPath(file.name), metadata)) is not None
    ]
    chosen = {part.well for part in parts}
    for path in sorted((results / "images").glob("*.ome.zarr")):
        layer = path.name.removesuffix(".ome.zarr")
        found += _planes(open_plate(path), PictureKind.IMAGES, layer, chosen, metadata)
    if plate is not None:
        found += _planes(plate, PictureKind.PLATE, "plate", chosen | left.keys(), metadata)
    found = [picture for picture in found if picture.kind in kinds]
    if not found:
        why = "; ".join(filter(None, (problem, *left.values())))
        raise OutputError(f"{results} has no {' or '.join(kinds)} to show" + (f": {why}" if why else ""))
    found = [_with_text(picture, wells_described.of(picture.key.well)) for picture in found]
    problems = (problem if PictureKind.PLATE in kinds else "", wells_described.problem, *left.values())
    origin = Origin.of_run(known.plate_path if known is not None else "", results)
    return _pictures(found, plate, tuple(filter(None, problems)), origin)


def find_images(
    plate_path: Path | str,
    wells: Collection[str] = (),
    *,
    pattern: str | None = None,
    plate_format: str | None = None,
    pages: str | None = None,
) -> Pictures:
    """Find the images of a plate, whether or not it has been run, in well order.

    Args:
        plate_path: the plate, as for :func:`~openhcs_runtime.plates.open_plate`, also for the last three.
        wells: wells to include; empty for all.
        pattern: regular expression for file names.
        plate_format: name of the format.
        pages: what the pages of files are.

    Returns:
        The pictures.

    Raises:
        PlateError: it is not a plate.
        OutputError: a well is not in it.
    """
    plate = open_plate(plate_path, pattern=pattern, format=plate_format, pages=pages)
    if unknown := sorted(set(wells) - set(plate.wells)):
        raise OutputError(f"no images of well(s) {', '.join(unknown)} in {plate_path} (it has {_some(plate.wells)})")
    chosen = set(wells or plate.wells)
    found = list(_planes(plate, PictureKind.PLATE, "plate", chosen, _calibration(None, plate)))
    return _pictures(found, plate, (), Origin.of_run(str(plate.path)))


def find_labels(results: Path) -> tuple[Picture, ...]:
    """Find the label images of a run without opening its plate.

    Raises:
        OutputError: the folder is not that of a run.
    """
    names = (PurePosixPath(file.name) for part in finished_parts(results, None) for file in part.files)
    found = (_picture(results, name, {}) for name in names)
    return tuple(picture for picture in found if picture is not None and picture.kind is PictureKind.LABELS)


def _plate_of(results: Path) -> tuple[Provenance | None, Plate | None, str]:
    """Return what is known of a run, and its plate; or why the plate can't be shown."""
    try:
        known = read_provenance(results)
    except OutputError as error:
        return None, None, f"the plate of the run is not known: {error}"
    try:
        config = known.pipeline_config
        plate = open_plate(known.plate_path, pattern=config.pattern, format=config.plate_format, pages=config.pages)
    except PlateError as error:
        return known, None, f"the images of the plate are left out: {error}"
    return known, plate, ""


def _parts(results: Path, wells: Collection[str], left: Collection[str]) -> list[WellRecord]:
    """Return the records of these wells, or of all finished ones, without those that are ``left``."""
    asked = [well for well in wells if well not in left]
    if wells and not asked:
        return []
    return finished_parts(results, asked or None) if asked or not left or find_run(results).run.done else []


def _unfinished(results: Path, known: Provenance | None, plate: Plate | None, wells: Collection[str]) -> dict[str, str]:
    """Return the wells of which there are only images, and why; without ``wells``, those that have failed."""
    if known is None or plate is None:
        return {}
    records = {record.well: record for record in known.wells}
    done = set(find_run(results).run.done)
    failed = [well for well, record in records.items() if record.status == ResultStatus.FAILED]
    left = [well for well in wells or failed if well in plate.images and well not in done]
    return {well: _why(well, records.get(well)) for well in left}


def _why(well: str, record: WellOutcome | None) -> str:
    if record is None or record.status != ResultStatus.FAILED:
        return f"well {well} has no results in this run: only its images are shown"
    where = f" in step {record.step!r}" if record.step else ""
    reason = record.error.strip().splitlines()[-1] if record.error.strip() else "no reason is recorded"
    return f"well {well} failed{where}, only its images are shown: {reason}"


def _some(wells: Collection[str]) -> str:
    return ", ".join(list(wells)[:12]) + (", ..." if len(wells) > 12 else "")


def _pictures(found: list[Picture], plate: Plate | None, problems: tuple[str, ...], origin: Origin) -> Pictures:
    """Return pictures in order; what has several values in the plate is part of each position, as in a live run."""
    order = {kind: place for place, kind in enumerate(PictureKind)}
    found.sort(key=lambda picture: (well_position(picture.key.well), order[picture.kind], picture.key))
    named = _named(found)
    if plate is not None:
        named |= {component for component, values in plate.components.items() if len(values) > 1}
    return Pictures(tuple(found), named, dict(plate.channel_names) if plate is not None else {}, problems, origin)


def _calibration(known: Provenance | None, plate: Plate | None) -> dict[str, Any]:
    """Return the display metadata with the pixel size and the distance of planes, where they are known."""
    pixel_size = known.pixel_size_um if known is not None else None
    if pixel_size is None and plate is not None:
        pixel_size = plate.pixel_size_um
    z_step = plate.z_step_um if plate is not None else None
    return {name: value for name, value in (("pixel_size", pixel_size), ("z_step", z_step)) if value is not None}


def _with_text(picture: Picture, text: str) -> Picture:
    return replace(picture, metadata={**picture.metadata, WELL_TEXT: text}) if text else picture


def _picture(results: Path, name: PurePosixPath, metadata: dict[str, Any]) -> Picture | None:
    """Return the picture in a file of a well; None if the file is not a picture."""
    parsed = _NAME.fullmatch(name.stem)
    if parsed is None or len(name.parts) < 2:
        return None
    kind = {"images": PictureKind.IMAGES, "labels": PictureKind.LABELS, "rois": PictureKind.REGIONS}.get(name.parts[0])
    if kind is None:
        return None
    well, *numbers = parsed.groups()
    key = ImageKey(well, *(int(number) if number else 1 for number in numbers))
    layer = " ".join((*name.parts[1:-1], kind.value))
    more = {"kind": "labels"} if kind is PictureKind.LABELS else {}
    return Picture(kind, layer, key, results / name, {**metadata, **more})


def _planes(
    plate: Plate, kind: PictureKind, layer: str, wells: Collection[str], metadata: dict[str, Any]
) -> Iterator[Picture]:
    has_channels = len(plate.components[Component.CHANNEL]) > 1
    for well in plate.wells:
        for image in plate.images[well] if well in wells else ():
            channel = image.key.channel
            colour = channel_colormap(channel, plate.channel_names.get(channel, ""))
            more = {"colormap": colour} if has_channels else {}
            yield Picture(kind, layer, image.key, Path(image.path), {**metadata, **more}, (plate.format, image))


def _named(pictures: Collection[Picture]) -> frozenset[Component]:
    keys = [picture.key for picture in pictures]
    return frozenset(one for one in Component if len({key.value(one) for key in keys}) > 1)
