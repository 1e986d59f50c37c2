"""The thumbnails of one plate: taken from the cache and from runs, and made from the images. For one thread."""

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openhcs_gui_services.services.images.opened import open_source
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.thumbnails.cache import ThumbnailCache
from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates import ImageRef, read_image
from openhcs_runtime.selection import sample_wells
from openhcs_runtime.thumbnails import (
    Limits,
    WellThumbnail,
    edge_for,
    fingerprint,
    plate_limits,
    read_plate_thumbnails,
    read_run_thumbnail,
    render,
    shrink,
    thumbnail_images,
    write_plate_thumbnails,
)

__all__ = ["PlateThumbnails"]

_FIRST = 12
"""Wells that are made first, spread over the plate, so that the contrast soon is that of all."""
_SETTLES_AT = (1, 4, _FIRST)
"""Numbers of known wells at which the contrast is decided again, and once more when all are known."""
_SAVE_SECONDS = 20.0
_TOLERANCE = 0.02
"""Part of its range by which the contrast of a channel may change unseen."""


class PlateThumbnails:
    """What is known of the small pictures of a plate.

    Opening it reads the list of images, and compares with it what was kept: a well whose images have changed is made
    again.

    Args:
        source: the plate.
        run: folder of a run of the plate, which may still be writing; None if there is none.
        cache: where thumbnails are kept.

    Raises:
        PlateError: the folder is away or is not a plate.
    """

    def __init__(self, source: PlateSource, run: Path | None, cache: ThumbnailCache) -> None:
        self.source, self.run = source, run
        self._cache, self._file = cache, cache.path_for(source)
        opened = open_source(source)
        self._format, self.channels = opened.plate.format, opened.channels
        self._images = {well: thumbnail_images(images) for well, images in opened.plate.images.items()}
        self._prints = {well: fingerprint(images) for well, images in self._images.items()}
        self._edge = edge_for(len(self._images))
        self._known: dict[str, WellThumbnail] = {}
        self._left = _order(tuple(self._images))
        self._limits: Mapping[int, Limits] = {}
        self._settled = 0
        self._unsaved, self._saved_at = 0, time.monotonic()
        self._take_kept()

    @property
    def wells(self) -> int:
        """Number of wells of the plate."""
        return len(self._images)

    @property
    def known(self) -> tuple[str, ...]:
        """The wells whose thumbnails are there."""
        return tuple(self._known)

    @property
    def nbytes(self) -> int:
        """Bytes of the thumbnails in memory."""
        return sum(well.nbytes for well in self._known.values())

    def make_some(self, seconds: float, stop: threading.Event) -> tuple[str, ...]:
        """Make thumbnails for about as long; return their wells, none if all are there or ``stop`` was set."""
        end = time.monotonic() + seconds
        made: list[str] = []
        while self._left and not stop.is_set() and (not made or time.monotonic() < end):
            well = self._left[0]
            thumbnail = self._of_run(well) or self._make(well, stop)
            if thumbnail is None:
                break
            self._left.pop(0)
            self._known[well] = thumbnail
            self._unsaved += 1
            made.append(well)
        return tuple(made)

    @property
    def should_save(self) -> bool:
        """Whether all is known, or much has been made since it was last saved."""
        return self._unsaved > 0 and (not self._left or time.monotonic() - self._saved_at > _SAVE_SECONDS)

    def save(self) -> None:
        """Write what was made since it was last saved into the cache.

        Raises:
            OutputError: it can't be written.
        """
        if self._unsaved:
            self._unsaved, self._saved_at = 0, time.monotonic()
            write_plate_thumbnails(self._file, self._known.values())
            self._cache.prune(self._file)

    def settle_contrast(self) -> bool:
        """Decide the contrast again if enough has become known; return whether pictures look different now."""
        count = len(self._known)
        reached = sum(count >= number for number in (*_SETTLES_AT, len(self._images)))
        if reached == self._settled:
            return False
        self._settled = reached
        before, self._limits = self._limits, plate_limits(list(self._known.values()))
        return _differs(before, self._limits)

    def pictures(self, wells: Iterable[str], channel: int) -> Mapping[str, NDArray[np.uint8]]:
        """Return the pictures (Y, X, 3) of wells.

        Args:
            wells: names of known wells; those without an image of the channel are left out.
            channel: number of the channel, which is shown in grey; 0 for all channels in their colours.
        """
        colours = {one.number: one.colour for one in self.channels} if channel == 0 else {channel: 0xFFFFFF}
        found = {well: render(self._known[well], self._limits, colours) for well in wells}
        return {well: picture for well, picture in found.items() if picture is not None}

    def lacking(self, wells: Iterable[str]) -> Mapping[str, str]:
        """Return a sentence that names the channels that known wells have no image of, or a damaged one."""
        found = {well: self._lacking(well) for well in wells}
        return {well: text for well, text in found.items() if text}

    def _lacking(self, well: str) -> str:
        there = {image.key.channel for image in self._images[well]}
        lost = [one for one in self.channels if one.number not in self._known[well].planes]
        missing = ", ".join(one.name for one in lost if one.number not in there)
        damaged = ", ".join(one.name for one in lost if one.number in there)
        parts = f"no image of {missing}" if missing else "", f"{damaged} can't be read" if damaged else ""
        return "; ".join(filter(None, parts))

    def _take_kept(self) -> None:
        """Take what is in the cache and still has its images."""
        self._cache.use(self._file)
        for well, thumbnail in read_plate_thumbnails(self._file).items():
            if self._prints.get(well) == thumbnail.fingerprint:
                self._known[well] = thumbnail
        self._left = [well for well in self._left if well not in self._known]

    def _of_run(self, well: str) -> WellThumbnail | None:
        """Return the thumbnail that the run has made of the same images, if it has all channels."""
        found = None if self.run is None else read_run_thumbnail(self.run, well)
        if found is None or found.fingerprint != self._prints[well]:
            return None
        if found.planes.keys() != {image.key.channel for image in self._images[well]}:
            return None
        planes = {channel: shrink(plane, self._edge) for channel, plane in found.planes.items()}
        return WellThumbnail(well, found.fingerprint, planes)

    def _make(self, well: str, stop: threading.Event) -> WellThumbnail | None:
        """Make a thumbnail; None if it was stopped. Images that can't be read are left out."""
        planes, problem = {}, ""
        for image in self._images[well]:
            if stop.is_set():
                return None
            try:
                planes[image.key.channel] = shrink(self._read(image), self._edge)
            except ImageError as error:
                problem = str(error)
        return WellThumbnail(well, self._prints[well], planes, problem)

    def _read(self, image: ImageRef) -> NDArray[np.generic]:
        return read_image(self._format, image)


def _order(wells: tuple[str, ...]) -> list[str]:
    """Return wells in the order in which they are made: a few that are spread over the plate, then row by row."""
    try:
        first = sample_wells(wells, min(_FIRST, len(wells))) if wells else ()
    except ValueError:  # not the names of wells
        first = ()
    return [*first, *(well for well in wells if well not in first)]


def _differs(before: Mapping[int, Limits], now: Mapping[int, Limits]) -> bool:
    if before.keys() != now.keys():
        return True
    return any(
        max(abs(before[channel].low - at.low), abs(before[channel].high - at.high)) > _TOLERANCE * (at.high - at.low)
        for channel, at in now.items()
    )
