"""Makes the thumbnail of a well from the images that a run reads anyway."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.thumbnails.choice import fingerprint, thumbnail_images
from openhcs_runtime.thumbnails.reduction import shrink
from openhcs_runtime.thumbnails.store import read_run_thumbnail, write_run_thumbnail
from openhcs_runtime.thumbnails.well import WellThumbnail

__all__ = ["ThumbnailRecorder"]

_log = logging.getLogger(__name__)


class ThumbnailRecorder:
    """Takes planes as they are read, and keeps small ones of those that stand for the well.

    Args:
        well: name of the well.
        images: the images of the well.
    """

    def __init__(self, well: str, images: Iterable[ImageRef]) -> None:
        self._well = well
        self._images = thumbnail_images(images)
        self._wanted = {(image.path, image.index): image.key.channel for image in self._images}
        self._planes: dict[int, NDArray[Any]] = {}

    def add(self, image: ImageRef, plane: NDArray[Any]) -> None:
        """Take the plane (Y, X) of an image that was read."""
        channel = self._wanted.pop((image.path, image.index), None)
        if channel is not None:
            self._planes[channel] = shrink(plane)

    def write(self, run: Path) -> None:
        """Write the thumbnail into the folder of the run, if planes were taken; a failure is only logged.

        Channels that are there already stay, as a well may be processed in several parts.
        """
        if not self._planes:
            return
        mark, there = fingerprint(self._images), read_run_thumbnail(run, self._well)
        before = there.planes if there is not None and there.fingerprint == mark else {}
        made = WellThumbnail(self._well, mark, {**before, **self._planes})
        self._planes = {}
        try:
            write_run_thumbnail(run, made)
        except OutputError as error:
            _log.warning("well %s has no thumbnail: %s", self._well, error)
