"""Reading of images and image headers of all plate formats; worker processes call it for every plane."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ImageRef, PlateFormat
from openhcs_runtime.plates.ome_zarr.codecs import refusals as zarr_refusals
from openhcs_runtime.plates.tiff.read import TakeBytes, plane_header, read_plane
from openhcs_runtime.plates.tiff.survey import refusals as tiff_refusals


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Shape (Y, X) in pixels and dtype of an image."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]


def read_image(plate_format: PlateFormat, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
    """Return the pixels of one image as a 2D array (Y, X) in the dtype they are stored in.

    It does not need a plate object, so a worker process can call it with the references in its plan.

    Args:
        plate_format: The format of its plate.
        image: The image to read.
        on_bytes: Called with the encoded bytes of the image, piece by piece, always in the same order and before
            they are decoded: the whole file of an image; the strips or tiles of a page of a multi-page file; each
            chunk file of an OME-Zarr array.

    Raises:
        ImageError: If the image can't be read, is damaged or is not a greyscale plane; the error names the file.
    """
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            return read_plane(image.path, image.index, on_bytes)
        case PlateFormat.OME_ZARR:
            from openhcs_runtime.plates.ome_zarr.read import read_zarr_plane  # noqa: PLC0415  zarr loads slowly

            return read_zarr_plane(image, on_bytes)


def refusals(plate_format: PlateFormat, images: Iterable[ImageRef]) -> list[str]:
    """Return a line for each reason why some images can't be read, as far as known without reading pixels."""
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            return tiff_refusals(images)
        case PlateFormat.OME_ZARR:
            return zarr_refusals(images)


def read_header(plate_format: PlateFormat, image: ImageRef) -> ImageHeader:
    """Return shape and dtype of one image without reading its pixels.

    Raises:
        ImageError: If the image can't be read; the error names the file.
    """
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            shape, dtype = plane_header(image.path, image.index)
        case PlateFormat.OME_ZARR:
            from openhcs_runtime.plates.ome_zarr.read import zarr_header  # noqa: PLC0415  zarr loads slowly

            shape, dtype = zarr_header(image)
    return ImageHeader(shape, dtype)
