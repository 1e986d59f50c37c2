"""The interface of the kinds of files that hold images: how their pixels, their headers and their notes are read."""

import abc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, StagePosition
from openhcs_runtime.plates.pages import PageOrder

__all__ = ["ImageFiles", "ImageHeader", "ImageNotes", "TakeBytes"]

TakeBytes: TypeAlias = Callable[[memoryview], None]
"""Called with the encoded bytes of an image, piece by piece, always in the same order."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Shape (Y, X) in pixels and dtype of an image."""

    shape: tuple[int, int]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True, slots=True)
class ImageNotes:
    """Metadata in an image file; None for values that the file does not have.

    Attributes:
        pixel_size_um: Edge length of a pixel in micrometres.
        position: Stage position.
        z_um: Height of its plane in micrometres.
        z_step_um: Distance between the planes of its stack in micrometres.
        channel_names: Names of all channels of the file, in order; empty for a channel without a name.
    """

    pixel_size_um: float | None = None
    position: StagePosition | None = None
    z_um: float | None = None
    z_step_um: float | None = None
    channel_names: tuple[str, ...] = ()


class ImageFiles(abc.ABC):
    """A kind of image file. Worker processes read every plane through it."""

    @abc.abstractmethod
    def read(self, image: ImageRef, on_bytes: TakeBytes | None = None) -> NDArray[np.generic]:
        """Return the pixels of one image as a 2D array (Y, X) in the dtype they are stored in.

        Args:
            image: The image to read.
            on_bytes: Called with the encoded bytes of the image before they are decoded; its checksum is made from
                them, so equal images must have equal bytes.

        Raises:
            ImageError: If the image can't be read, is damaged or is not a greyscale plane; the error names the file.
        """

    @abc.abstractmethod
    def header(self, image: ImageRef) -> ImageHeader:
        """Return shape and dtype of one image without reading its pixels.

        Raises:
            ImageError: If the image can't be read; the error names the file.
        """

    def refusals(self, images: Iterable[ImageRef]) -> list[str]:
        """Return a line for each reason why some images can't be read, as far as known without reading pixels."""
        return []

    def with_planes(
        self, images: Sequence[ImageRef], pages: PageOrder | None = None
    ) -> tuple[Sequence[ImageRef], list[PlateProblem]]:
        """Replace files of several planes by one image per plane, and return the problems to report about the files.

        Args:
            images: One image per file.
            pages: What the planes of files are that don't describe them, as the user says it.

        Returns:
            The same object if no file has several planes.
        """
        return images, []

    def labels_of(self, images: Iterable[ImageRef], name: str) -> tuple[ImageRef, ...]:
        """Return the labels that are stored with some images, each under the key of the image that it belongs to.

        Args:
            images: The images of a well.
            name: Name of the labels.

        Raises:
            PlateError: If these files hold no labels, or not these.
        """
        raise PlateError(f"labels {name!r} can't be read: only OME-Zarr plates have labels")

    def notes(self, image: ImageRef) -> ImageNotes:
        """Return the metadata in an image's file; empty for a file that is damaged or has none."""
        return ImageNotes()
