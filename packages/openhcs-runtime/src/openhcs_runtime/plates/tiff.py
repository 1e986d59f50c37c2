"""Reading one plane, its pixel size and its position from a TIFF file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tifffile
from numpy.typing import NDArray

from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import StagePosition

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


def plane_header(path: str | os.PathLike[str]) -> tuple[tuple[int, int], np.dtype[np.generic]]:
    """Size (Y, X) and type of the first plane of a TIFF, from its tags. Raises ImageError, naming the file."""
    name = os.path.basename(path)
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            return (page.imagelength, page.imagewidth), np.dtype(page.dtype)
    except Exception as error:  # a damaged file makes the decoder raise almost anything
        raise ImageError(f"image {name} has no header that can be read: {error}", str(path)) from error


@dataclass(frozen=True, slots=True)
class TiffNotes:
    """What a TIFF file says about its image besides the pixels; None where it says nothing."""

    pixel_size_um: float | None = None
    position: StagePosition | None = None


def tiff_notes(path: str | os.PathLike[str]) -> TiffNotes:
    """Edge of a pixel and stage position from the resolution tags and the MetaSeries XML that MetaXpress writes into
    the image description; of a damaged file nothing."""
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            series = file.metaseries_metadata
            size = _size_of_tags(tags)
    except Exception:  # noqa: BLE001  notes are a nicety: reading the image will tell what is wrong with the file
        return TiffNotes()
    plane = series.get("PlaneInfo", {}) if series else {}
    return TiffNotes(size or _size_of_metaseries(plane), _position_of_metaseries(plane))


def _size_of_tags(tags: tifffile.TiffTags) -> float | None:
    if "ResolutionUnit" not in tags or "XResolution" not in tags:
        return None
    unit = _MICROMETRES_PER_UNIT.get(int(tags["ResolutionUnit"].value))
    numerator, denominator = tags["XResolution"].value
    if unit is None or not numerator or not denominator:
        return None
    size = unit * denominator / numerator
    # 72 or 96 dots per inch is what programs write that know no pixel size; a microscope's pixel is under 100 um.
    return round(size, 6) if size < 100 else None


def _position_of_metaseries(plane: Mapping[str, object]) -> StagePosition | None:
    y, x = plane.get("stage-position-y"), plane.get("stage-position-x")
    if not isinstance(y, float | int) or not isinstance(x, float | int):
        return None
    return StagePosition(float(y), float(x))


def _size_of_metaseries(plane: Mapping[str, object]) -> float | None:
    size = plane.get("spatial-calibration-x")
    if plane.get("spatial-calibration-units") not in ("um", "\u00b5m", "\u03bcm") or not isinstance(size, float | int):
        return None
    return float(size) if plane.get("spatial-calibration-state") and size > 0 else None


def _check_whole(page: tifffile.TiffPage | tifffile.TiffFrame, size: int) -> None:
    """Raise ValueError when the file ends before its pixels do (a decoder may fill such a hole with zeros)."""
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if not ends:
        raise ValueError("it holds no pixels")
    if max(ends) > size:
        raise ValueError(f"it is cut short ({size} of {max(ends)} bytes)")
