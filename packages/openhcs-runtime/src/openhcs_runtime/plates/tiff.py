"""Reading one plane and its pixel size from a TIFF file."""

import os

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError

_MICROMETRES_PER_UNIT = {2: 25400.0, 3: 10000.0}
"""ResolutionUnit of TIFF 6.0: 2 is inch, 3 is centimetre."""


def read_plane(path: str | os.PathLike[str]) -> NDArray[np.generic]:
    """The only plane of a greyscale TIFF as an array (Y, X).

    Raises ImageError, naming the file, when it is missing, cut short, damaged, or not one greyscale plane.
    """
    name = os.path.basename(path)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            _check_whole(page, os.path.getsize(path))
            plane = page.asarray()
            pages = len(file.pages)
    except FileNotFoundError:
        raise ImageError(f"image {name} is gone: {path}", str(path)) from None
    except OSError as error:
        raise ImageError(f"image {name} can't be read: {error.strerror or error}", str(path)) from error
    except Exception as error:  # a damaged file makes the decoder raise almost anything
        raise ImageError(f"image {name} is damaged or no TIFF: {error}", str(path)) from error
    if plane.ndim != 2 or pages != 1:
        shape = "x".join(map(str, plane.shape))
        raise ImageError(f"image {name} is not one greyscale plane ({pages} page(s) of {shape})", str(path))
    return plane


def pixel_size_um(path: str | os.PathLike[str]) -> float | None:
    """Edge of a pixel in micrometres from the resolution tags, None when they do not say or the file is damaged."""
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            unit = _MICROMETRES_PER_UNIT.get(int(tags["ResolutionUnit"].value))
            numerator, denominator = tags["XResolution"].value
    except Exception:  # noqa: BLE001  the size is a nicety: reading the image will tell what is wrong with the file
        return None
    if unit is None or not numerator or not denominator:
        return None
    size = unit * denominator / numerator
    # 72 or 96 dots per inch is what programs write that know no pixel size; a microscope's pixel is under 100 um.
    return round(size, 6) if size < 100 else None


def _check_whole(page: tifffile.TiffPage | tifffile.TiffFrame, size: int) -> None:
    """Raise ValueError when the file ends before its pixels do (a decoder may fill such a hole with zeros)."""
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends:
        raise ValueError("it holds no pixels")
    if max(ends) > size:
        raise ValueError(f"it is cut short ({size} of {max(ends)} bytes)")
