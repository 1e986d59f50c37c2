"""Reading of images and image headers of all plate formats; worker processes call it for every plane."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.formats import format_named
from openhcs_runtime.plates.image_files import ImageHeader, TakeBytes

__all__ = ["labels_of", "read_header", "read_image", "refusals"]


def read_image(plate_format: str, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
    """Return the pixels of one image as a 2D array (Y, X) in the dtype they are stored in.

    It does not need a plate object, so a worker process can call it with the references in its plan.

    Args:
        plate_format: Name of the format of its plate.
        image: The image to read.
        on_bytes: Called with the encoded bytes of the image, piece by piece, always in the same order and before
            they are decoded: the whole file of an image; the strips or tiles of a page of a multi-page file; each
            chunk file of an OME-Zarr array.

    Raises:
        ImageError: If the image can't be read, is damaged or is not a greyscale plane; the error names the file.
        PlateError: If the format is not installed.
    """
    return format_named(plate_format).files.read(image, on_bytes)


def labels_of(plate_format: str, images: Iterable[ImageRef], name: str) -> tuple[ImageRef, ...]:
    """Return the labels that are stored with the images of a well, each under the key of the image it belongs to.

    Raises:
        PlateError: If the format has no labels, or an image lacks these.
    """
    return format_named(plate_format).files.labels_of(images, name)


def refusals(plate_format: str, images: Iterable[ImageRef]) -> list[str]:
    """Return a line for each reason why some images can't be read, as far as known without reading pixels."""
    return format_named(plate_format).files.refusals(images)


def read_header(plate_format: str, image: ImageRef) -> ImageHeader:
    """Return shape and dtype of one image without reading its pixels.

    Raises:
        ImageError: If the image can't be read; the error names the file.
    """
    return format_named(plate_format).files.header(image)
