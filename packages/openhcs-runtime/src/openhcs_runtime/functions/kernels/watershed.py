"""Watershed from seeds, at a cost that depends on the regions with several seeds only."""

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.kernels.components import components
from openhcs_runtime.functions.kernels.packing import apart

__all__ = ["watershed"]

_Labels = NDArray[np.int32]


def watershed(height: NDArray[np.float32], seeds: _Labels, mask: NDArray[np.bool_]) -> _Labels:
    """Divide a mask into the basins of seeds (Meyer & Beucher, J. Vis. Commun. Image Represent. 1(1), 1990).

    Of pixels at the same height, the one that is reached first comes first. A connected region of the mask with one
    seed belongs to it as a whole; the others are flooded by ``skimage.segmentation.watershed``, and only they. Where
    seeds reach pixels of the same height at the same time, the result may differ from that function's for the whole
    image, as their order depends on the number of seeds.

    Args:
        height: The surface (Y, X) to be flooded.
        seeds: Labels of the seeds (Y, X), 0 elsewhere.
        mask: The pixels to divide.

    Returns:
        Labels int32 (Y, X); 0 outside of the mask and in regions without a seed.
    """
    regions, count = components(mask)
    inside = np.flatnonzero(mask)
    region, seed = regions.ravel()[inside], seeds.ravel()[inside]
    sown = seed > 0
    owner = np.zeros(count + 1, dtype=np.int32)
    owner[region[sown]] = seed[sown]
    shared = np.zeros(count + 1, dtype=bool)
    shared[region[sown][owner[region[sown]] != seed[sown]]] = True
    found = owner[region]
    flooded = shared[region]
    if flooded.any():
        found[flooded] = _flooded(height, seeds, inside[flooded], region[flooded])
    basins: _Labels = np.zeros(mask.shape, dtype=np.int32)
    basins.ravel()[inside] = found
    return basins


def _flooded(
    height: NDArray[np.float32], seeds: _Labels, pixels: NDArray[np.intp], regions: NDArray[np.int32]
) -> _Labels:
    """Return the basins of some pixels."""
    from skimage.segmentation import watershed as flood  # noqa: PLC0415  loads slowly

    packed = apart(pixels, regions, height.shape[1])
    basins = flood(
        packed.spread(height.ravel()[pixels]),
        packed.spread(seeds.ravel()[pixels]),
        mask=packed.spread(np.ones(len(pixels), dtype=bool)),
    )
    return packed.gather(basins).astype(np.int32, copy=False)
