"""Checks that a TIFF page can be read as a plane: greyscale, complete, and in a supported compression."""

import math

import numpy as np
import tifffile
from numpy.typing import NDArray

PHOTOMETRIC = 262
_MINISWHITE, _MINISBLACK, _PALETTE = 0, 1, 3
_UNCOMPRESSED = 1
_END_MARKED = {6, 7, 33007, 33003, 33004, 33005, 34712}
"""JPEG and JPEG 2000: their decoders fill a truncated stream with grey."""
_END_OF_IMAGE = b"\xff\xd9"


def refusal(page: tifffile.TiffPage) -> str:
    """Return why a page can't be read as a plane, judging by its tags; empty if it can."""
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        return f"its compression, {_name(page.compression)}, can't be read: save it uncompressed or as LZW or Deflate"
    if page.samplesperpixel != 1 or page.ndim != 2:
        shape = "x".join(map(str, page.shape))
        return f"it is not one greyscale plane (a page of {shape})"
    photometric = page.photometric if PHOTOMETRIC in page.tags else _MINISBLACK
    if photometric == _PALETTE and not _is_ramp(page.colormap):
        return "it is not greyscale: its pixels are palette colours (save it as greyscale)"
    if photometric not in (_MINISWHITE, _MINISBLACK, _PALETTE):
        return f"it is not greyscale, but {tifffile.PHOTOMETRIC(photometric).name}"
    if page.dtype is None or page.dtype.kind not in "buif":
        return f"its pixel type can't be read ({page.bitspersample} bits, format {page.sampleformat})"
    if is_white_zero(page) and page.dtype.kind not in "bu":
        return f"it stores white as zero, which has no meaning for pixels of type {page.dtype}"
    return ""


def is_white_zero(page: tifffile.TiffPage) -> bool:
    """Return whether bright pixels have low values (PhotometricInterpretation 0); False if the tag is missing."""
    return page.photometric == _MINISWHITE and PHOTOMETRIC in page.tags


def black_zero(page: tifffile.TiffPage, plane: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return the plane with zero for black, whichever way it is stored."""
    if not is_white_zero(page):
        return plane
    if plane.dtype.kind == "b":
        inverse: NDArray[np.generic] = np.logical_not(plane)
    else:
        inverse = np.subtract(plane.dtype.type((1 << _bits(page)) - 1), plane)
    return inverse


def check_whole(page: tifffile.TiffPage, size: int) -> None:
    """Check that all pixels are in the file; decoders would fill missing parts with zeros.

    Args:
        page: The page.
        size: Size of the file in bytes.

    Raises:
        ValueError: If parts are missing.
    """
    offsets, counts = page.dataoffsets, page.databytecounts
    wanted, word = _segments(page)
    if not offsets or not counts:
        raise ValueError("it has no pixels")
    absent = sum(not offset or not count for offset, count in zip(offsets, counts, strict=True))
    lacking = max(wanted - len(offsets), 0) + absent
    if lacking:
        raise ValueError(f"it lacks {lacking} of {wanted} {word}")
    end = max(offset + count for offset, count in zip(offsets, counts, strict=True))
    if end > size:
        raise ValueError(f"it is cut short ({size} of {end} bytes)")
    if page.compression == _UNCOMPRESSED and sum(counts) < page.imagelength * math.ceil(
        page.imagewidth * _bits(page) / 8
    ):
        raise ValueError(f"its {word} are smaller than its pixels ({sum(counts)} bytes)")


def check_ends(page: tifffile.TiffPage, data: NDArray[np.uint8]) -> None:
    """Check that strips and tiles in a format with an end marker have one.

    Args:
        page: The page.
        data: The whole file as bytes.

    Raises:
        ValueError: If an end marker is missing.
    """
    if page.compression not in _END_MARKED:
        return
    for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True), start=1):
        if _END_OF_IMAGE not in data[offset : offset + count].tobytes()[-16:].rstrip(b"\0"):
            raise ValueError(f"strip or tile {number} is cut short")


def contiguous(page: tifffile.TiffPage, data: NDArray[np.uint8]) -> NDArray[np.generic] | None:
    """Return the plane as a view of the file's bytes; None if it is not stored uncompressed in one piece."""
    if not page.is_contiguous or page.predictor != 1 or page.fillorder != 1 or page.dtype is None:
        return None
    kind = page.dtype.newbyteorder(page.parent.byteorder)
    begin = page.dataoffsets[0]
    plane = data[begin : begin + page.nbytes].view(kind).reshape(page.shape)
    return plane if kind.isnative else plane.astype(page.dtype.newbyteorder("="))


def _segments(page: tifffile.TiffPage) -> tuple[int, str]:
    """Return how many strips or tiles a greyscale page should have, and the word for them."""
    if page.is_tiled:
        tiles = math.ceil(page.imagelength / page.tilelength) * math.ceil(page.imagewidth / page.tilewidth)
        return tiles, "tiles"
    rows = page.rowsperstrip or page.imagelength
    return math.ceil(page.imagelength / min(rows, page.imagelength)), "strips"


def _bits(page: tifffile.TiffPage) -> int:
    bits = page.bitspersample
    return int(bits if isinstance(bits, int) else bits[0])


def _is_ramp(colours: NDArray[np.generic] | None) -> bool:
    """Return whether higher values stand for brighter colours, as in the lookup tables of viewers."""
    if colours is None:
        return False
    brightness = np.asarray(colours, np.int64).sum(axis=0)
    return bool(np.all(np.diff(brightness) >= 0) and brightness[-1] > brightness[0])


def _name(compression: int) -> str:
    try:
        return tifffile.COMPRESSION(compression).name
    except ValueError:
        return f"number {compression}"
