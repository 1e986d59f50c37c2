"""Label images and step images as TIFF files."""

from collections.abc import Iterator, Set as AbstractSet
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.atomic import atomic_file
from openhcs_runtime.components import PROJECTED, Component, ImageKey
from openhcs_runtime.exceptions import OutputError

_NO_UNIT = 1
"""TIFF 6.0 ResolutionUnit "none": ImageJ states the unit of the resolution in the image description."""
_MICROMETRE = "\\u00B5m"
"""As ImageJ writes it, in ASCII."""
_TIFF_INTEGER_BYTES = 4
_STRIP_BYTES = 1 << 18
"""Size of the parts that are compressed one by one, as tifffile chooses it."""
_DEFLATE_LEVEL = 6


def image_name(key: ImageKey, named: AbstractSet[Component]) -> str:
    """Return the file name for ``key``, such as ``A01_s1_w1.tif``.

    ``_z`` and ``_t`` are added if the plate has several planes or time points, but not for projections.
    """
    name = f"{key.well}_s{key.site}_w{key.channel}"
    if Component.Z_INDEX in named and key.z_index != PROJECTED:
        name += f"_z{key.z_index}"
    if Component.TIMEPOINT in named and key.timepoint != PROJECTED:
        name += f"_t{key.timepoint}"
    return name + ".tif"


def write_labels(
    path: Path, labels: NDArray[np.integer[Any]], pixel_size_um: float | None, z_step_um: float | None = None
) -> None:
    """Write one label plane (Y, X) as uint16, or as uint32 if it has labels above 65,535.

    The file is compressed with deflate and is not synced to disk.

    Raises:
        OutputError: the file cannot be written, or a label does not fit into 32 bits.
    """
    lowest, highest = int(labels.min(initial=0)), int(labels.max(initial=0))
    if lowest < 0 or highest > np.iinfo(np.uint32).max:
        raise OutputError(f"{path} can't hold the labels {lowest} to {highest}: they must be from 0 to {2**32 - 1}")
    kind = np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32
    write_plane(path, labels.astype(kind), pixel_size_um, z_step_um)


def write_plane(path: Path, plane: NDArray[Any], pixel_size_um: float | None, z_step_um: float | None = None) -> None:
    """Write one plane (Y, X) of any numeric type.

    Types that few programs read are converted: bool to uint8, float16 to float32, 64-bit integers to 32-bit ones.
    Pixel size and z step are stored the way ImageJ does. The file is compressed with deflate and is not synced to
    disk.

    Raises:
        OutputError: the file cannot be written, or an integer does not fit into 32 bits.
    """
    plane = np.ascontiguousarray(_widely_read(path, plane))
    rows = max(1, _STRIP_BYTES // max(1, plane.strides[0]))
    spacing = f"spacing={z_step_um:g}\n" if z_step_um else ""
    unit = f"unit={_MICROMETRE}\n" if pixel_size_um or z_step_um else ""
    per_micrometre = 1 / pixel_size_um if pixel_size_um else 1.0
    with atomic_file(path, sync=False) as file:
        tifffile.imwrite(
            file,
            _packed(plane, rows) if imagecodecs.ZLIBNG.available and plane.size else plane,
            shape=plane.shape,
            dtype=plane.dtype,
            photometric="minisblack",
            compression="zlib",
            rowsperstrip=rows,
            metadata=None,
            software=False,
            description=f"ImageJ=1.11a\n{unit}{spacing}" if unit else None,
            resolution=(per_micrometre, per_micrometre) if pixel_size_um else None,
            resolutionunit=_NO_UNIT if pixel_size_um else None,
        )


def _packed(plane: NDArray[Any], rows: int) -> Iterator[bytes]:
    """Yield strips compressed with deflate by zlib-ng, which is several times as fast as zlib at the same size."""
    for top in range(0, len(plane), rows):
        yield bytes(imagecodecs.zlibng_encode(plane[top : top + rows].tobytes(), level=_DEFLATE_LEVEL))


def _widely_read(path: Path, plane: NDArray[Any]) -> NDArray[Any]:
    if plane.dtype == bool:
        return plane.astype(np.uint8)
    if plane.dtype == np.float16:
        return plane.astype(np.float32)
    if plane.dtype.kind in "iu" and plane.dtype.itemsize > _TIFF_INTEGER_BYTES:
        kind = np.int32 if int(plane.min(initial=0)) < 0 else np.uint32
        limits = np.iinfo(kind)
        if not limits.min <= int(plane.min(initial=0)) <= int(plane.max(initial=0)) <= limits.max:
            raise OutputError(
                f"{path} can't hold {plane.min()} to {plane.max()}: few programs read 64-bit integers; return float64"
            )
        return plane.astype(kind)
    return plane.astype(plane.dtype.newbyteorder("="), copy=False)
