"""The images on which the functions of the library are measured: simulated nuclei, their labels, and stacks of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from openhcs_runtime.plates.synthetic.camera import compose, planes
from openhcs_runtime.plates.synthetic.scene import Look

_DIAMETER_PX = 28


@dataclass(frozen=True)
class Images:
    """What the functions get.

    Attributes:
        size: Edge length of the images.
        nuclei: An image (1, Y, X) of nuclei, uint16.
        channels: The same image and one of another channel, (2, Y, X).
        depth: Five planes (5, Y, X), which are sharp in different places.
        frames: Labels (5, Y, X) of five time points between which all nuclei move.
        labels: The labels (1, Y, X) of the nuclei, int32.
        cells: Labels (1, Y, X) of somewhat larger objects.
        even: A float32 image (1, Y, X) of 1, as an illumination.
    """

    size: int
    nuclei: NDArray[np.uint16]
    channels: NDArray[np.uint16]
    depth: NDArray[np.uint16]
    frames: NDArray[np.int32]
    labels: NDArray[np.int32]
    cells: NDArray[np.int32]
    even: NDArray[np.float32]

    @property
    def plane(self) -> NDArray[np.uint16]:
        """The image of nuclei, (Y, X)."""
        return np.asarray(self.nuclei[0])

    @property
    def marked(self) -> NDArray[np.int32]:
        """The labels of the nuclei, (Y, X)."""
        return np.asarray(self.labels[0])

    @property
    def count(self) -> int:
        """The number of nuclei."""
        return len(np.unique(self.marked)) - 1


def images_of(size: int) -> Images:
    """Return the images of a size; the same ones each time."""
    rng = np.random.default_rng([1, size])
    frame = compose(rng, size, Look(diameter_px=_DIAMETER_PX))
    channels = np.stack([image for _, _, image in planes(rng, frame, channels=2, z=1)])
    labels = frame.labels().astype(np.int32)[np.newaxis]
    grown = ndimage.grey_dilation(labels[0], (7, 7))
    return Images(
        size=size,
        nuclei=channels[:1],
        channels=channels,
        depth=np.stack([np.rint(ndimage.gaussian_filter(channels[0], sigma)).astype(np.uint16) for sigma in range(5)]),
        frames=np.stack([np.roll(labels[0], 3 * step, axis=0) for step in range(5)]),
        labels=labels,
        cells=np.where(labels > 0, labels, grown).astype(np.int32),
        even=np.ones((1, size, size), np.float32),
    )
