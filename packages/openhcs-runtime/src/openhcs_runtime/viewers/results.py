"""The results of a run, and the images of its plate, as pictures for a viewer."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey, well_position
from openhcs_runtime.exceptions import ImageError, OutputError, PlateError
from openhcs_runtime.outputs.provenance import read_provenance
from openhcs_runtime.outputs.roi_export import finished_parts
from openhcs_runtime.plates import ImageRef, Plate, open_plate, read_image
from openhcs_runtime.rois import Mask, read_imagej
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.live import image_position
from openhcs_runtime.viewers.metadata import WELL_TEXT
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.rois import mask_labels, shapes_of
from openhcs_runtime.viewers.well_texts import describe_wells
from zmqruntime.streaming import ImageStream, Position

__all__ = ["Picture", "find_labels", "find_pictures"]

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

    def send(self, stream: ImageStream, named: frozenset[Component], channel_names: dict[int, str]) -> None:
        """Send the picture to a viewer.

        Raises:
            ImageError: the image can't be read.
            RoiError: the file of regions is not valid.
            OSError: the file of regions can't be read.
            StreamTimeoutError: the viewer does not accept it in time.
        """
        position = image_position(self.key, named, channel_names)
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
    """

    pictures: tuple[Picture, ...]
    named: frozenset[Component]
    channel_names: dict[int, str]
    problems: tuple[str, ...] = ()


def find_pictures(
    results: Path, kinds: Collection[PictureKind] = tuple(PictureKind), wells: Collection[str] = ()
) -> Pictures:
    """Find the pictures of a run, in well order.

    Args:
        results: output folder of the run.
        kinds: kinds to include.
        wells: wells to include; empty for all.

    Returns:
        The pictures.

    Raises:
        OutputError: the folder is not that of a run, a well is not in it, or there are no pictures of these kinds.
    """
    parts = finished_parts(results, wells or None)
    pixel_size, plate, problem = _plate_of(results)
    wells_described = describe_wells(results)
    metadata = {} if pixel_size is None else {"pixel_size": pixel_size}
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
        found += _planes(plate, PictureKind.PLATE, "plate", chosen, metadata)
    found = [picture for picture in found if picture.kind in kinds]
    if not found:
        raise OutputError(f"{results} has no {' or '.join(kinds)} to show" + (f": {problem}" if problem else ""))
    found = [_with_text(picture, wells_described.of(picture.key.well)) for picture in found]
    order = {kind: place for place, kind in enumerate(PictureKind)}
    found.sort(key=lambda picture: (well_position(picture.key.well), order[picture.kind], picture.key))
    problems = tuple(filter(None, (problem if PictureKind.PLATE in kinds else "", wells_described.problem)))
    names = dict(plate.channel_names) if plate is not None else {}
    return Pictures(tuple(found), _named(found), names, problems)


def find_labels(results: Path) -> tuple[Picture, ...]:
    """Find the label images of a run without opening its plate.

    Raises:
        OutputError: the folder is not that of a run.
    """
    names = (PurePosixPath(file.name) for part in finished_parts(results, None) for file in part.files)
    found = (_picture(results, name, {}) for name in names)
    return tuple(picture for picture in found if picture is not None and picture.kind is PictureKind.LABELS)


def _plate_of(results: Path) -> tuple[float | None, Plate | None, str]:
    """Return pixel size and plate of a run, or why the plate can't be shown."""
    try:
        known = read_provenance(results)
    except OutputError as error:
        return None, None, f"the plate of the run is not known: {error}"
    try:
        config = known.pipeline_config
        plate = open_plate(known.plate_path, pattern=config.pattern, format=config.plate_format, pages=config.pages)
    except PlateError as error:
        return known.pixel_size_um, None, f"the images of the plate are left out: {error}"
    return known.pixel_size_um, plate, ""


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
