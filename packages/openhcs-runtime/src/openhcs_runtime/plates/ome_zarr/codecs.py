"""A check of whether the arrays of an OME-Zarr plate can be decoded, from their metadata."""

import os
from collections import defaultdict
from collections.abc import Iterable

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.ome_zarr.metadata import read_codecs
from openhcs_runtime.stores.path import as_path


def refusals(images: Iterable[ImageRef]) -> list[str]:
    """Return a line for each kind of storage that the zarr library can't read.

    One array of each kind is opened. Arrays with damaged metadata are skipped: their wells fail on their own.
    """
    stored: defaultdict[bytes, list[ImageRef]] = defaultdict(list)
    for image in {image.path: image for image in images}.values():
        try:
            stored[read_codecs(as_path(image.path))].append(image)
        except (OSError, ValueError):
            continue
    return [line for of_a_kind in stored.values() if (line := _refusal(of_a_kind))]


def _refusal(images: list[ImageRef]) -> str:
    from openhcs_runtime.plates.ome_zarr.read import zarr_header  # noqa: PLC0415  zarr loads slowly

    try:
        zarr_header(images[0])
    except ImageError as error:
        cause = error.__cause__ or error
        name = "/".join(images[0].path.replace(os.sep, "/").split("/")[-4:])
        what = f"image {name}" if len(images) == 1 else f"{len(images):,} images, such as {name},"
        return f"{what} can't be read in its storage format: {cause}"
    return ""
