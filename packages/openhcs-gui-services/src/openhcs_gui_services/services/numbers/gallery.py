"""Pictures of single objects: crops of the plate's images around them, with the outline of the object. Without Qt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.cache import ByteCache
from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_gui_services.services.numbers.mapped_table import MappedTable
from openhcs_gui_services.services.numbers.places import ObjectPlace
from openhcs_runtime.exceptions import ImageError, OpenHCSError
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.object_edges import object_edges, plane_below
from openhcs_runtime.viewers.picture_kind import PictureKind
from openhcs_runtime.viewers.results import Picture, find_pictures

__all__ = ["CROP", "PAGE", "Crop", "GalleryReader", "draw_crops", "nearest_rows", "object_place", "random_rows"]

CROP = 64
"""Edge of a crop, in pixels."""
PAGE = 60
"""Objects of a page."""
_CACHE_BYTES = 256 << 20
_DARKEST, _BRIGHTEST = 1.0, 99.7
"""Percentiles of all crops of a channel that are drawn black and bright, as in the report."""
_OUTLINE = (255, 214, 0)
_COLOURS = {
    "blue": (0.35, 0.45, 1.0),
    "green": (0.2, 1.0, 0.3),
    "red": (1.0, 0.25, 0.2),
    "magenta": (1.0, 0.3, 1.0),
    "cyan": (0.2, 1.0, 1.0),
    "yellow": (1.0, 1.0, 0.2),
}
_KEYS = ("well", "site", "z", "t", "label")


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A picture of an object before it is drawn.

    Attributes:
        row: number of its row in the table.
        place: where it is.
        planes: part of each channel (Y, X), zero outside the image, by channel number.
        outline: outline of the object (Y, X); None if the run has no label image with it.
        problem: why there is no picture; empty if there is one.
    """

    row: int
    place: ObjectPlace
    planes: dict[int, NDArray[Any]]
    outline: NDArray[np.bool_] | None = None
    problem: str = ""


def object_place(table: MappedTable, row: int) -> ObjectPlace | None:
    """Return where the object in a row is; None if the table is not one of objects."""
    if not {"label", "site"} <= set(table.columns):
        return None
    numbers = [table.cell(row, key) if key in table.columns else 1 for key in _KEYS[1:]]
    site, z_index, timepoint, label = (int(number) if number is not None else 1 for number in numbers)
    place = ImagePlace(str(table.cell(row, "well")), site, max(z_index, 1), max(timepoint, 1))
    return ObjectPlace(place, table.schema.table, label)


def random_rows(rows: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Return up to ``count`` of the rows at random, each at most once; the same for the same seed."""
    return np.random.default_rng(seed).permutation(rows)[:count]


def nearest_rows(rows: NDArray[np.int64], columns: Sequence[NDArray[np.float64]], count: int) -> NDArray[np.int64]:
    """Return up to ``count`` of the rows, those nearest to their median first.

    The distance is Euclidean, with each measurement divided by its median absolute deviation.

    Args:
        rows: the rows.
        columns: measurements of all rows of the table.
        count: the most rows to return.
    """
    distance = np.zeros(len(rows))
    for column in columns:
        values = column[rows]
        away = np.abs(values - np.nanmedian(values)) if len(values) else values
        scale = float(np.nanmedian(away)) if len(values) else 0.0
        distance += (away / (scale or 1.0)) ** 2
    return rows[np.argsort(distance, kind="stable")][:count]


class GalleryReader:
    """Reads pictures of objects of a run, with a cache of planes bounded in bytes. Used by one thread at a time.

    Args:
        run: folder of the run.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._pictures: dict[str, list[Picture]] = {}
        self._names: dict[int, str] = {}
        self._planes: ByteCache[tuple[object, ...], NDArray[Any]] = ByteCache(_CACHE_BYTES)

    @property
    def channel_names(self) -> dict[int, str]:
        """Names of the channels by number, as far as they are known."""
        return dict(self._names)

    def read(self, table: MappedTable, rows: Sequence[int]) -> Iterator[Crop]:
        """Yield a picture of each object, image by image; one that can't be read has the reason.

        Args:
            table: the table of the objects.
            rows: their rows.
        """
        placed = [(row, place) for row in rows if (place := object_place(table, row)) is not None]
        for row, place in sorted(placed, key=lambda each: each[1].place):
            try:
                yield self._crop(table, row, place)
            except OpenHCSError as error:
                yield Crop(row, place, {}, problem=str(error))

    def _crop(self, table: MappedTable, row: int, place: ObjectPlace) -> Crop:
        centre = _centroid(table, row)
        if centre is None:
            return Crop(row, place, {}, problem=f"the table {table.schema.table} has no centroid of this object")
        near = [one for one in self._of_well(place.place.well) if one.key.site == place.place.site]
        plate = [one for one in near if one.kind is PictureKind.PLATE]
        if not plate:
            raise ImageError(f"the plate has no image of well {place.place.well}, site {place.place.site}", "")
        label = self._label_of(near, place, centre)
        planes: dict[int, NDArray[Any]] = {}
        for channel in sorted({one.key.channel for one in plate}):
            plane = self._plane(label[0] if label else None, plate, place, channel)
            if plane is not None:
                planes[channel] = _cut(plane, centre)
        outline = None if label is None else object_edges(_cut(label[1], centre) == place.label)
        return Crop(row, place, planes, outline)

    def _of_well(self, well: str) -> list[Picture]:
        if well not in self._pictures:
            if len(self._pictures) >= PAGE:
                self._pictures.pop(next(iter(self._pictures)))
            found = find_pictures(self._run, (PictureKind.PLATE, PictureKind.LABELS), [well])
            self._pictures[well] = list(found.pictures)
            self._names |= found.channel_names
        return self._pictures[well]

    def _label_of(
        self, pictures: Sequence[Picture], place: ObjectPlace, centre: tuple[float, float]
    ) -> tuple[Picture, NDArray[Any]] | None:
        """Return the label image that has this object around its centroid; that of its own set if there are several."""
        labels = [one for one in pictures if one.kind is PictureKind.LABELS and _is_at(one, place.place)]
        for one in sorted(labels, key=lambda each: place.label_set not in each.layer):
            pixels = self._kept(("label", one.path), one)
            if pixels.ndim == 2 and (_cut(pixels, centre) == place.label).any():
                return one, pixels
        return None

    def _plane(
        self, label: Picture | None, plate: Sequence[Picture], place: ObjectPlace, channel: int
    ) -> NDArray[Any] | None:
        if label is None:
            same = [one for one in plate if one.key.channel == channel and _has_place(one, place.place)]
            return self._kept((same[0].key,), same[0]) if same else None
        key = ("below", label.path, channel)
        known = self._planes.get(key)
        if known is None:
            known = plane_below(label, plate, channel)
            if known is not None:
                self._planes.put(key, known, known.nbytes)
        return known if known is not None and known.ndim == 2 else None

    def _kept(self, key: tuple[object, ...], picture: Picture) -> NDArray[Any]:
        known = self._planes.get(key)
        if known is None:
            known = picture.pixels()
            self._planes.put(key, known, known.nbytes)
        return known


def draw_crops(
    crops: Sequence[Crop], channels: Sequence[int], names: dict[int, str], *, outlines: bool = True
) -> list[NDArray[np.uint8] | None]:
    """Draw crops in colour, each channel with the same contrast in all of them.

    Args:
        crops: the crops.
        channels: numbers of the channels to draw; a single one is drawn in grey.
        names: names of the channels.
        outlines: whether to draw the outlines of the objects.

    Returns:
        A picture (Y, X, 3) of each crop; None for one that could not be read.
    """
    limits = {
        channel: _limits([crop.planes[channel] for crop in crops if channel in crop.planes]) for channel in channels
    }
    drawn: list[NDArray[np.uint8] | None] = []
    for crop in crops:
        if crop.problem:
            drawn.append(None)
            continue
        picture = np.zeros((CROP, CROP, 3))
        for channel in channels:
            if channel in crop.planes:
                colour = (1.0, 1.0, 1.0) if len(channels) == 1 else _colour(channel, names.get(channel, ""))
                picture += _scaled(crop.planes[channel], *limits[channel])[..., None] * np.array(colour)
        pixels = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
        if outlines and crop.outline is not None:
            pixels[crop.outline] = _OUTLINE
        drawn.append(pixels)
    return drawn


def _colour(channel: int, name: str) -> tuple[float, float, float]:
    return _COLOURS.get(channel_colormap(channel, name), (1.0, 1.0, 1.0))


def _limits(planes: Sequence[NDArray[Any]]) -> tuple[float, float]:
    if not planes:
        return 0.0, 1.0
    low, high = np.percentile(np.concatenate([plane.ravel() for plane in planes]), (_DARKEST, _BRIGHTEST))
    return float(low), float(high)


def _scaled(plane: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    if high <= low:
        return np.zeros(plane.shape)
    return np.clip((plane.astype(np.float64) - low) / (high - low), 0, 1)


def _cut(plane: NDArray[Any], centre: tuple[float, float]) -> NDArray[Any]:
    """Return the square of ``CROP`` pixels around a place (Y, X); what is outside the image is 0."""
    top, left = (round(middle) - CROP // 2 for middle in centre)
    part = np.zeros((CROP, CROP), plane.dtype)
    inside = plane[max(top, 0) : max(top + CROP, 0), max(left, 0) : max(left + CROP, 0)]
    y, x = max(-top, 0), max(-left, 0)
    part[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return part


def _centroid(table: MappedTable, row: int) -> tuple[float, float] | None:
    """Return the centroid (Y, X) of an object in pixels; None if the table does not have it."""
    names = ("centroid_y_px", "centroid_x_px")
    values = [table.cell(row, name) for name in names if name in table.columns]
    numbers = [float(value) for value in values if isinstance(value, int | float)]
    return (numbers[0], numbers[1]) if len(numbers) == len(names) and np.isfinite(numbers).all() else None


def _has_place(picture: Picture, place: ImagePlace) -> bool:
    return (picture.key.z_index, picture.key.timepoint) == (place.z_index, place.timepoint)


def _is_at(label: Picture, place: ImagePlace) -> bool:
    """Return whether a label image is of this plane and time point; its name leaves out what it has one of."""
    stem = label.path.stem
    is_plane = "_z" not in stem or label.key.z_index in (place.z_index, 0)
    return is_plane and ("_t" not in stem or label.key.timepoint == place.timepoint)
