"""Spatial moments of objects: raw, central, normalised, Hu's invariants and the inertia tensor.

Hu, IRE Trans. Information Theory 8(2):179-187, 1962, in the conventions of scikit-image: the first index is the power
of the row, raw moments are taken from the corner of the bounding box. Equal to cp_measure within a relative 1e-9.
Deliberately left out: central moments of the first order and normalised ones of orders below 2, which are 0 or
undefined for every object, so that cp_measure gives the rounding, or nothing.
"""

import numpy as np

from openhcs_runtime.functions.features.ellipses import inertia_of
from openhcs_runtime.functions.features.regions import Columns, Floats, Regions

_ORDER = 4


def moments(regions: Regions) -> Columns:
    """Return the moments of each object."""
    top, left, _, _ = regions.corners()
    rows, cols = (regions.rows - top[regions.owner]).astype(float), (regions.cols - left[regions.owner]).astype(float)
    raw = _moments(regions, rows, cols)
    y, x = raw[1, 0] / raw[0, 0], raw[0, 1] / raw[0, 0]
    central = _moments(regions, rows - y[regions.owner], cols - x[regions.owner])
    powers = np.add.outer(np.arange(_ORDER), np.arange(_ORDER))[..., np.newaxis]
    normal = np.where(powers >= 2, central / raw[0, 0] ** (powers / 2 + 1), np.nan)
    few = [(p, q) for p in range(_ORDER - 1) for q in range(_ORDER)]
    return {
        **{f"moment_spatial_{p}_{q}": raw[p, q] for p, q in few},
        **{f"moment_central_{p}_{q}": central[p, q] for p, q in few if p + q != 1},
        **{f"moment_normalized_{p}_{q}": normal[p, q] for p, q in np.argwhere(powers[..., 0] >= 2).tolist()},
        **{f"moment_hu_{at}": values for at, values in enumerate(_hu(normal))},
        **inertia_of(*(central[p, q] / central[0, 0] for p, q in ((2, 0), (1, 1), (0, 2)))),
    }


def _moments(regions: Regions, rows: Floats, cols: Floats) -> Floats:
    """Return the moments up to the third power of each coordinate, (4, 4, n)."""
    found = np.empty((_ORDER, _ORDER, len(regions)))
    down = np.ones_like(rows)
    for p in range(_ORDER):
        both = down
        for q in range(_ORDER):
            found[p, q] = regions.segments.sums(both)
            both = both * cols
        down = down * rows
    return found


def _hu(normal: Floats) -> list[Floats]:
    n20, n02, n11 = normal[2, 0], normal[0, 2], normal[1, 1]
    n30, n03, n21, n12 = normal[3, 0], normal[0, 3], normal[2, 1], normal[1, 2]
    a, b, c, d = n30 + n12, n21 + n03, n30 - 3 * n12, 3 * n21 - n03
    return [
        n20 + n02,
        (n20 - n02) ** 2 + 4 * n11**2,
        c**2 + d**2,
        a**2 + b**2,
        c * a * (a**2 - 3 * b**2) + d * b * (3 * a**2 - b**2),
        (n20 - n02) * (a**2 - b**2) + 4 * n11 * a * b,
        d * a * (a**2 - 3 * b**2) - c * b * (3 * a**2 - b**2),
    ]
