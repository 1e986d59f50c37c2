"""Zernike moments of objects within their smallest enclosing circle, of their shape and of their brightness.

Boland, Markey & Murphy, Cytometry 33:366-375, 1998, up to degree 9, as CellProfiler has them. Equal to cp_measure
within 1e-9 of the brightness, except for the pixels on the circle itself, of which there are two or three: cp_measure
counts one or not, depending on rounding; here each counts. Magnitudes differ by up to 3 / (pi r^2) for that. Phases
are ``arctan2(real, imaginary)`` as in CellProfiler, in degrees. Objects of one pixel have no circle: NaN.
"""

from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.hulls import enclosing_circles
from openhcs_runtime.functions.features.regions import Columns, Floats, Integers, Regions

DEGREES = tuple((n, m) for n in range(10) for m in range(n % 2, n + 1, 2))
"""The degree and the angular frequency of each moment."""
_MOST_PIXELS = 1 << 18
"""Pixels of which the polynomials are in memory at the same time."""


@dataclass(frozen=True, slots=True)
class ZernikeMoments:
    """Moments of the shape of objects, and of their brightness in each image.

    Attributes:
        shape: Columns ``zernike_<n>_<m>``.
        radial: For each image the columns ``radial_zernike_magnitude_<n>_<m>`` and ``..._phase_<n>_<m>_deg``.
    """

    shape: Columns
    radial: tuple[Columns, ...]


def zernike(regions: Regions, hulls: list[Floats], planes: list[NDArray[Any]]) -> ZernikeMoments:
    """Return the Zernike moments of each object.

    Args:
        regions: The objects.
        hulls: Their convex hulls.
        planes: Images (Y, X).
    """
    centres, radii = enclosing_circles(hulls)
    weights = np.stack([np.ones(len(regions.flat)), *(regions.values(plane) for plane in planes)])
    sums = _sums(regions, centres, radii, weights)
    missing = np.where(radii > 0, 1.0, np.nan)[:, np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.abs(sums[0]) / (np.pi * radii**2)[:, np.newaxis] * missing
        radial = np.abs(sums[1:]) / regions.areas[:, np.newaxis] * missing
    phases = np.degrees(np.arctan2(sums[1:].real, sums[1:].imag)) * missing
    return ZernikeMoments(
        {f"zernike_{n}_{m}": shape[:, at] for at, (n, m) in enumerate(DEGREES)},
        tuple(_radial(*both) for both in zip(radial, phases, strict=True)),
    )


def _radial(magnitudes: Floats, phases: Floats) -> Columns:
    columns: Columns = {}
    for at, (n, m) in enumerate(DEGREES):
        columns[f"radial_zernike_magnitude_{n}_{m}"] = magnitudes[:, at]
        columns[f"radial_zernike_phase_{n}_{m}_deg"] = phases[:, at]
    return columns


def _sums(regions: Regions, centres: Floats, radii: Floats, weights: Floats) -> NDArray[np.complex128]:
    """Return the sums of weighted polynomials, complex (weights, n, moments)."""
    found = np.zeros((len(weights), len(regions), len(DEGREES)), complex)
    ends = np.cumsum(regions.areas)
    first = 0
    while first < len(regions):
        start = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, start + _MOST_PIXELS, side="right")))
        part = slice(start, int(ends[last - 1]))
        owner = regions.owner[part]
        with np.errstate(divide="ignore", invalid="ignore"):  # circles of one pixel
            y = (regions.rows[part] - centres[owner, 0]) / radii[owner]
            x = (regions.cols[part] - centres[owner, 1]) / radii[owner]
        table = _polynomials(y, x)
        for place in range(first, last):
            mine = slice(int(ends[place]) - int(regions.areas[place]) - start, int(ends[place]) - start)
            sums = weights[:, part][:, mine] @ table[mine]
            found[:, place] = sums[:, : len(DEGREES)] + 1j * sums[:, len(DEGREES) :]
        first = last
    return found


def _polynomials(y: Floats, x: Floats) -> Floats:
    """Return the real parts of all polynomials and then the imaginary ones, (m, 2 x moments)."""
    square = y * y + x * x
    powers = [np.ones(len(y), complex)]
    for _ in range(max(m for _, m in DEGREES)):
        powers.append(powers[-1] * (y + 1j * x))
    table = np.empty((2 * len(DEGREES), len(y)))
    for at, (n, m) in enumerate(DEGREES):
        radial = np.zeros(len(y))
        for coefficient in _coefficients(n, m):
            radial = radial * square + coefficient
        table[at] = radial * powers[m].real
        table[at + len(DEGREES)] = radial * powers[m].imag
    return table.T


def _coefficients(n: int, m: int) -> Integers:
    """Return the coefficients of the radial polynomial divided by r^m, from the highest power of r^2 on."""
    return np.array(
        [
            (-1) ** k * factorial(n - k) // (factorial(k) * factorial((n + m) // 2 - k) * factorial((n - m) // 2 - k))
            for k in range((n - m) // 2 + 1)
        ]
    )
