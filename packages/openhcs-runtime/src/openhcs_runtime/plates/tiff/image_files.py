"""TIFF files as image files of plates."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.plates.base import ImageRef, PlateProblem
from openhcs_runtime.plates.image_files import ImageFiles, ImageHeader, ImageNotes, TakeBytes
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.tiff.metadata import tiff_notes
from openhcs_runtime.plates.tiff.read import plane_header, read_plane
from openhcs_runtime.plates.tiff.survey import refusals, with_pages

__all__ = ["TIFF_FILES"]


class _TiffFiles(ImageFiles):
    """TIFF files of one plane, or of several pages that are described; the index of an image is its page."""

    def read(self, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
        return read_plane(image.path, image.index, on_bytes)

    def header(self, image: ImageRef) -> ImageHeader:
        return ImageHeader(*plane_header(image.path, image.index))

    def refusals(self, images: Iterable[ImageRef]) -> list[str]:
        return refusals(images)

    def with_planes(
        self, images: Sequence[ImageRef], pages: PageOrder | None = None
    ) -> tuple[Sequence[ImageRef], list[PlateProblem]]:
        return with_pages(images, pages=pages)

    def notes(self, image: ImageRef) -> ImageNotes:
        return tiff_notes(image.path)


TIFF_FILES = _TiffFiles()
