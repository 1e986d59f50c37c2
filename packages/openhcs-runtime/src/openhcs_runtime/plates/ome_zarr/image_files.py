"""Arrays of OME-Zarr as image files of plates."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ImageRef
from openhcs_runtime.plates.image_files import ImageFiles, ImageHeader, TakeBytes
from openhcs_runtime.plates.ome_zarr.codecs import refusals
from openhcs_runtime.plates.ome_zarr.labels import label_images

__all__ = ["ZARR_ARRAYS"]


class _ZarrArrays(ImageFiles):
    """Arrays with any axes; the index of an image is the place of its plane. The zarr library loads on first use."""

    def read(self, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
        from openhcs_runtime.plates.ome_zarr.read import read_zarr_plane  # noqa: PLC0415  zarr loads slowly

        return read_zarr_plane(image, on_bytes)

    def header(self, image: ImageRef) -> ImageHeader:
        from openhcs_runtime.plates.ome_zarr.read import zarr_header  # noqa: PLC0415  zarr loads slowly

        return ImageHeader(*zarr_header(image))

    def refusals(self, images: Iterable[ImageRef]) -> list[str]:
        return refusals(images)

    def labels_of(self, images: Iterable[ImageRef], name: str) -> tuple[ImageRef, ...]:
        return label_images(images, name)


ZARR_ARRAYS = _ZarrArrays()
