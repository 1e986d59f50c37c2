"""Reads one image of any plate format, or only its header; what worker processes call for every plane."""

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
    """Size (Y, X) in pixels and type of an image."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]


def read_image(plate_format: PlateFormat, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
    """The pixels of one image as a 2D array (Y, X) of the type they are stored in.

    Needs no plate object, so a worker process can call it with what its plan says.

    Args:
        plate_format: The format of its plate.
        image: Where it is.
        on_bytes: Is handed the bytes from which the pixels are decoded, piece by piece in an order that is always
            the same, before they are decoded: the file of an image; the strips or tiles of a page in a file of
            several; of OME-Zarr, each file of chunks.

    Raises:
        ImageError: With the file's name, when it can't be read, is damaged or is no greyscale plane.
    """
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            return read_plane(image.path, image.index, on_bytes)
        case PlateFormat.OME_ZARR:
            from openhcs_runtime.plates.ome_zarr.read import read_zarr_plane  # noqa: PLC0415  zarr loads slowly

            return read_zarr_plane(image, on_bytes)


def refusals(plate_format: PlateFormat, images: Iterable[ImageRef]) -> list[str]:
    """A line for each reason why some images can't be read, by all that tells without their pixels."""
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            return tiff_refusals(images)
        case PlateFormat.OME_ZARR:
            return zarr_refusals(images)


def read_header(plate_format: PlateFormat, image: ImageRef) -> ImageHeader:
    """Size and type of one image, without its pixels. Raises ImageError with the file's name."""
    match plate_format:
        case PlateFormat.IMAGEXPRESS | PlateFormat.OPERA_PHENIX | PlateFormat.PATTERN:
            shape, dtype = plane_header(image.path, image.index)
        case PlateFormat.OME_ZARR:
            from openhcs_runtime.plates.ome_zarr.read import zarr_header  # noqa: PLC0415  zarr loads slowly

            shape, dtype = zarr_header(image)
    return ImageHeader(shape, dtype)
