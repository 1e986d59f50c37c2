"""The plates that a preview process has open; one whose images have changed is opened again."""

import os
from collections import OrderedDict
from collections.abc import Sequence

from openhcs_runtime.config import PipelineConfig
from openhcs_runtime.plates import open_plate
from openhcs_runtime.plates.base import ImageRef, Plate
from openhcs_runtime.preview.values import PreviewRequest
from openhcs_runtime.stores.path import as_path, is_url

__all__ = ["OpenPlates"]

_MOST_PLATES = 4


class OpenPlates:
    """Keeps the last plates open."""

    def __init__(self) -> None:
        self._plates: OrderedDict[tuple[str | None, ...], Plate] = OrderedDict()

    def get(self, request: PreviewRequest, config: PipelineConfig) -> Plate:
        """Return the plate of a request, opened as the settings of its pipeline and the request say.

        Raises:
            PlateError: it can't be opened.
        """
        pattern, plate_format = config.pattern, config.plate_format
        if request.pattern is not None or request.plate_format is not None:
            pattern, plate_format = request.pattern, request.plate_format
        pages = request.pages if request.pages is not None else config.pages
        key = (request.plate_path, pattern, plate_format, pages)
        plate = self._plates.pop(key, None)
        if plate is None or not _is_current(plate.images.get(request.well, ()), request.site):
            path = as_path(os.path.expanduser(request.plate_path))
            plate = open_plate(path, pattern=pattern, format=plate_format, pages=pages)
        self._plates[key] = plate
        while len(self._plates) > _MOST_PLATES:
            self._plates.popitem(last=False)
        return plate


def _is_current(images: Sequence[ImageRef], site: int) -> bool:
    """Return whether the files of a site are as they were when the plate was opened."""
    of_site = [image for image in images if image.key.site == site]
    return bool(of_site) and all(_is_unchanged(image) for image in of_site)


def _is_unchanged(image: ImageRef) -> bool:
    if is_url(image.path) or not image.mtime_ns:
        return True
    try:
        stat = os.stat(image.path)
    except OSError:
        return False
    return os.path.isdir(image.path) or (stat.st_size, stat.st_mtime_ns) == (image.size, image.mtime_ns)
