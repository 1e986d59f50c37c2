"""Label images and step images as TIFF files."""

from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.components import PROJECTED, Component, ImageKey
from openhcs_runtime.outputs.atomic import atomic_file

_NO_UNIT = 1
"""ResolutionUnit none of TIFF 6.0: ImageJ names the unit of the resolution in its description."""
_MICROMETRE = "\\u00B5m"
"""As ImageJ writes it, in ASCII."""


def image_name(key: ImageKey, named: AbstractSet[Component]) -> str:
    """File name of an image made of `key`: `A01_s1_w1.tif`, with `_z` and `_t` where the plate has several of them."""
    name = f"{key.well}_s{key.site}_w{key.channel}"
    if Component.Z_INDEX in named and key.z_index != PROJECTED:
        name += f"_z{key.z_index}"
    if Component.TIMEPOINT in named and key.timepoint != PROJECTED:
        name += f"_t{key.timepoint}"
    return name + ".tif"


def write_labels(
    path: Path, labels: NDArray[np.integer[Any]], pixel_size_um: float | None, z_step_um: float | None = None
) -> None:
    """Write one label plane (Y, X) as uint16, or uint32 when it has more than 65,535 objects; deflate. Not synced.

    Raises OutputError.
    """
    highest = int(labels.max(initial=0))
    kind = np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32
    write_plane(path, labels.astype(kind), pixel_size_um, z_step_um)


def write_plane(path: Path, plane: NDArray[Any], pixel_size_um: float | None, z_step_um: float | None = None) -> None:
    """Write one plane (Y, X) of any numeric type, deflate; bool becomes uint8. Not synced.

    Size of a pixel and distance of the planes of its stack are written as ImageJ does. Raises OutputError.
    """
    if plane.dtype == bool:
        plane = plane.astype(np.uint8)
    spacing = f"spacing={z_step_um:g}\n" if z_step_um else ""
    unit = f"unit={_MICROMETRE}\n" if pixel_size_um or z_step_um else ""
    per_micrometre = 1 / pixel_size_um if pixel_size_um else 1.0
    with atomic_file(path, sync=False) as file:
        tifffile.imwrite(
            file,
            plane,
            photometric="minisblack",
            compression="zlib",
            metadata=None,
            software=False,
            description=f"ImageJ=1.11a\n{unit}{spacing}" if unit else None,
            resolution=(per_micrometre, per_micrometre) if pixel_size_um else None,
            resolutionunit=_NO_UNIT if pixel_size_um else None,
        )
