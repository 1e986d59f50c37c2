"""Example images of a report: a part of a well's image in each channel, and the outlines of the objects in it."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import OpenHCSError, OutputError
from openhcs_runtime.outputs.roi_export import roi_sources
from openhcs_runtime.rois import rois_to_labels
from openhcs_runtime.viewers.object_edges import middle, object_edges, plane_below
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import Picture, find_pictures

CROP = 512
"""Edge of the middle part of an image that is shown, in pixels."""
MOST_CHANNELS = 4
_QUALITY = 85
_DARKEST, _BRIGHTEST = 1.0, 99.7
"""Percentiles of the shown parts of a channel that are drawn black and white."""
_OUTLINE = (255, 214, 0)
_SHOWN_EDGE = 280
"""Edge at which an image is usually shown; outlines of larger ones are wider, so that they can be seen."""


@dataclass(frozen=True, slots=True)
class WellPicture:
    """A part of an image of a well.

    Attributes:
        well: the well.
        channel: name of the channel.
        plane: the part (Y, X).
        whole: shape (Y, X) of the image that it is a part of.
        labels: labels of the objects (Y, X) in the part; None if the run made none.
        objects: name of the step that made the objects; empty if it is not known.
    """

    well: str
    channel: str
    plane: NDArray[Any]
    whole: tuple[int, int]
    labels: NDArray[Any] | None
    objects: str = ""


@dataclass(frozen=True, slots=True)
class WellPictures:
    """The example images of a report.

    Attributes:
        pictures: the images, by well and channel.
        left_out: what could not be shown, in sentences.
    """

    pictures: tuple[WellPicture, ...]
    left_out: tuple[str, ...] = ()


def read_pictures(
    results: Path, places: Mapping[str, int | None], on_well: Callable[[str], None] = lambda well: None
) -> WellPictures:
    """Read an image of each of these wells in each channel, with the objects in it.

    Args:
        results: folder of the run.
        places: the site to show of each well; None for the first one with objects.
        on_well: called with each well before it is read.

    Returns:
        The pictures; those that can't be read are left out, with the reason.
    """
    try:
        found = find_pictures(results, (PictureKind.PLATE, PictureKind.LABELS), list(places))
    except OpenHCSError as error:
        return WellPictures((), (f"There are no example images: {error}.",))
    plate = [one for one in found.pictures if one.kind is PictureKind.PLATE]
    if not plate:
        why = "; ".join(found.problems) or "the run has no plate"
        return WellPictures((), (f"There are no example images: {why}.",))
    channels = sorted({one.key.channel for one in plate})
    names = {number: found.channel_names.get(number, f"channel {number}") for number in channels[:MOST_CHANNELS]}
    left_out = []
    if len(channels) > MOST_CHANNELS:
        rest = ", ".join(found.channel_names.get(number, str(number)) for number in channels[MOST_CHANNELS:])
        left_out.append(f"Only the first {MOST_CHANNELS} channels are shown, without {rest}.")
    pictures: list[WellPicture] = []
    for well, site in places.items():
        on_well(well)
        of_well = [one for one in found.pictures if one.key.well == well]
        try:
            pictures += _of_well(results, well, site, of_well, names)
        except OpenHCSError as error:
            left_out.append(f"The images of well {well} are left out: {error}.")
    return WellPictures(tuple(pictures), tuple(left_out))


def limits(pictures: Sequence[WellPicture]) -> dict[str, tuple[float, float]]:
    """Return what is drawn black and white in each channel, the same for all wells."""
    found: dict[str, list[NDArray[Any]]] = {}
    for one in pictures:
        found.setdefault(one.channel, []).append(one.plane.ravel())
    return {channel: _range(np.concatenate(planes)) for channel, planes in found.items()}


def image_data(plane: NDArray[Any], low: float, high: float) -> str:
    """Return a plane (Y, X) as a JPEG in a ``data:`` address."""
    scaled = (plane.astype(np.float64) - low) / (high - low) if high > low else np.zeros(plane.shape)
    grey = (np.clip(np.nan_to_num(scaled), 0, 1) * 255).astype(np.uint8)
    return _address(Image.fromarray(grey), "JPEG", quality=_QUALITY, optimize=True)


def outline_data(labels: NDArray[Any]) -> str:
    """Return the outlines of the objects (Y, X) as a transparent PNG in a ``data:`` address."""
    width = max(1, round(max(labels.shape) / _SHOWN_EDGE))
    edges = object_edges(labels)
    drawn = ndimage.binary_dilation(edges, iterations=width - 1) if width > 1 else edges
    image = Image.fromarray(drawn.astype(np.uint8))  # a palette makes it one of mode P
    image.putpalette([0, 0, 0, *_OUTLINE])
    return _address(image, "PNG", transparency=0, optimize=True, bits=1)


def _of_well(
    results: Path, well: str, site: int | None, pictures: Sequence[Picture], names: Mapping[int, str]
) -> list[WellPicture]:
    labels = [one for one in pictures if one.kind is PictureKind.LABELS]
    plate = [one for one in pictures if one.kind is PictureKind.PLATE]
    label = next((one for one in labels if site in (None, one.key.site)), None)
    below = label or next((one for one in plate if site in (None, one.key.site)), plate[0])
    drawn, objects = (label.pixels(), label.layer.removesuffix("labels").strip()) if label else (None, "")
    made = []
    for channel, name in names.items():
        plane = plane_below(below, plate, channel) if label else _first_plane(below.key, plate, channel)
        if plane is None or plane.ndim != 2:
            continue
        if drawn is None:
            drawn = _regions(results, below.key, (plane.shape[0], plane.shape[1]))
        part = None if drawn is None or drawn.shape != plane.shape else middle(drawn, CROP)
        whole = (plane.shape[0], plane.shape[1])
        made.append(WellPicture(well, name, middle(plane, CROP), whole, part, "" if part is None else objects))
    return made


def _first_plane(key: ImageKey, plate: Sequence[Picture], channel: int) -> NDArray[Any] | None:
    """Return the first plane and time point of a site in a channel."""
    near = [one for one in plate if one.key.site == key.site and one.key.channel == channel]
    return min(near, key=lambda one: one.key).pixels() if near else None


def _regions(results: Path, key: ImageKey, shape: tuple[int, int]) -> NDArray[Any] | None:
    """Return the regions of a site as labels, if the run wrote regions and no labels."""
    try:
        sources = roi_sources(results, [key.well])
    except OutputError:
        return None
    start = f"{key.well}_s{key.site}_"
    source = next((one for one in sources if PurePosixPath(one.name).name.startswith(start)), None)
    return None if source is None else rois_to_labels(source.read(), shape)


def _range(values: NDArray[Any]) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, (_DARKEST, _BRIGHTEST)) if len(known) else (0.0, 0.0)
    return float(low), float(high)


def _address(image: Image.Image, kind: str, **options: Any) -> str:
    data = io.BytesIO()
    image.save(data, format=kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"
