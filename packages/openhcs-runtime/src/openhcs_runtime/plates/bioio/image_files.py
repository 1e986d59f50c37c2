"""Files that bioio reads, as image files of plates; the index of an image is (scene, time point, channel, plane)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.bioio.reader import BioImage, open_image
from openhcs_runtime.plates.image_files import ImageFiles, ImageHeader, TakeBytes

__all__ = ["BIOIO_FILES"]

_LOCK = threading.Lock()
"""An open file has a current scene, so that only one thread can read from it."""


class _BioioFiles(ImageFiles):
    """Files of any number of scenes."""

    def read(self, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
        _, t, c, z = image.index
        with _scene_of(image) as opened:
            lazy = opened.get_image_dask_data("YX", T=t, C=c, Z=z)
            pixels = np.ascontiguousarray(lazy.compute(scheduler="synchronous"))
        if on_bytes is not None:
            on_bytes(memoryview(pixels.tobytes()))
        return pixels

    def header(self, image: ImageRef) -> ImageHeader:
        with _scene_of(image) as opened:
            return ImageHeader((opened.dims.Y, opened.dims.X), np.dtype(opened.dtype))


@contextmanager
def _scene_of(image: ImageRef) -> Iterator[BioImage]:
    """Open the scene of an image, and translate errors."""
    with _LOCK:
        opened = open_image(image.path)
        try:
            opened.set_scene(image.index[0])
            yield opened
        except Exception as error:  # bioio's readers raise all kinds of errors
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ImageError(f"image {image.path} can't be read by bioio: {first}") from error


BIOIO_FILES = _BioioFiles()
