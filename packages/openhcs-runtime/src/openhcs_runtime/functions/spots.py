"""Finds bright spots of a known size."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.arguments import length_problems, number_problems, refuse
from openhcs_runtime.functions.features.lengths import in_pixels
from openhcs_runtime.functions.features.spots import Spots, find_spots
from openhcs_runtime.pipeline.decorators import (
    InputKind,
    Measurements,
    OutputKind,
    Stack,
    checked_by,
    special_inputs,
    special_outputs,
)

_DIAMETER_PX = 5.0
_SMALLEST_PX, _LARGEST_PX = 2.0, 500.0
"""Diameters that the filter can tell from the noise of single pixels, and in a reasonable time."""
_PLACES = ("spot_y", "spot_x")


def _problems(
    diameter_px: float | None = None, diameter_um: float | None = None, min_snr: float = 6.0, **_arguments: Any
) -> Iterator[str]:
    """Yield what is wrong with the arguments of a step."""
    yield from length_problems("diameter", diameter_px, diameter_um, lowest_px=_SMALLEST_PX, highest_px=_LARGEST_PX)
    yield from number_problems("min_snr", min_snr, above=True)


@special_inputs(InputKind.PIXEL_SIZE_UM)
@special_outputs(OutputKind.LABELS, OutputKind.MEASUREMENTS)
@checked_by(_problems)
def detect_spots(
    stack: Stack,
    *,
    pixel_size_um: float | None,
    name: str = "spots",
    diameter_px: float | None = None,
    diameter_um: float | None = None,
    min_snr: float = 6.0,
) -> tuple[Stack, Stack, list[Measurements]]:
    """Find bright spots of a known diameter in each plane, such as foci or vesicles; the stack is passed on.

    Maxima of the Laplacian of Gaussian (Lindeberg, Int. J. Computer Vision 30(2), 1998) that stand out from the noise
    of the image. Columns of a spot: ``label``, ``spot_y_px``, ``spot_x_px`` (finer than a pixel), ``spot_intensity``
    (mean of the centre above the surroundings, in counts), ``spot_background``, ``spot_response``, ``spot_snr`` (the
    response divided by the noise) and, if the pixel size is known, the place as ``_um``. Column of a plane:
    ``<name>_count``. ``relate_objects`` counts them by cell.

    Args:
        stack: The images (n, Y, X).
        pixel_size_um: Edge length of a pixel in micrometres, from the engine; None if unknown.
        name: Name of the set of spots.
        diameter_px: Diameter of a spot, 2 to 500 pixels [default: 5].
        diameter_um: The same in micrometres; needs the pixel size of the plate.
        min_snr: How far a spot has to stand out from the noise, in its standard deviations.

    Returns:
        The stack, labels int32 (n, Y, X) of the pixels within the radius of each spot, and one ``Measurements`` for
        each plane.

    Raises:
        ValueError: If both diameters are given, one or ``min_snr`` is out of range, or the pixel size is not known.
    """
    refuse(_problems(diameter_px, diameter_um, min_snr))
    diameter = in_pixels("diameter", diameter_px, diameter_um, pixel_size_um, _DIAMETER_PX)
    if not _SMALLEST_PX <= diameter <= _LARGEST_PX:
        raise ValueError(
            f"diameter_um must be from {_SMALLEST_PX:g} to {_LARGEST_PX:g} pixels, and {diameter_um} micrometres are "
            f"{diameter:g} pixels here"
        )
    found = [find_spots(plane, diameter, min_snr) for plane in stack]
    labels = np.stack([spots.labels for spots in found])
    return stack, labels, [_measured(spots, pixel_size_um, name) for spots in found]


def _measured(spots: Spots, pixel_size_um: float | None, name: str) -> Measurements:
    columns: dict[str, NDArray[np.generic]] = {
        "label": np.arange(1, len(spots.y) + 1),
        "spot_y_px": spots.y,
        "spot_x_px": spots.x,
        "spot_intensity": spots.intensity,
        "spot_background": spots.background,
        "spot_response": spots.response,
        "spot_snr": spots.snr,
    }
    if pixel_size_um is not None:
        columns |= {"spot_y_um": spots.y * pixel_size_um, "spot_x_um": spots.x * pixel_size_um}
    places = tuple(column for column in columns if column.startswith(_PLACES))
    return Measurements({f"{name}_count": len(spots.y)}, columns, name, (*places, f"{name}_count"))
