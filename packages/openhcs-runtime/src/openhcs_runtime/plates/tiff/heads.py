"""A quick comparison of the TIFF tags that decide how a file is read.

Only the tags of the first page are compared, as raw bytes (TIFF 6.0, section 2; BigTIFF has wider fields): a plate has
tens of thousands of files, and only one of each kind is then examined in full.
"""

import io
import struct
from dataclasses import dataclass

from openhcs_runtime.stores.path import as_path, is_url

_TAGS = frozenset({254, 256, 257, 258, 259, 262, 266, 277, 284, 317, 322, 323, 338, 339})
"""Subfile type, size, bits, compression, photometric, fill order, samples, planar configuration, predictor, tile size,
extra samples and sample format."""
_COMPRESSION = 259
_BEGIN = 1024
_MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class TiffHead:
    """The properties that have to be equal for two files to be read in the same way.

    Attributes:
        entries: The relevant tags of the first page, as bytes.
        has_more: Whether other pages follow the first.
        stored_size: Size of the file if it is uncompressed, which tells how many planes it has.
    """

    entries: tuple[bytes, ...]
    has_more: bool
    stored_size: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Layout of TIFF or BigTIFF: place of the first offset, type of the entry count, entry size, type of an offset."""

    first: int
    count: str
    entry: int
    offset: str


_CLASSIC, _BIG = _Layout(4, "H", 12, "I"), _Layout(8, "Q", 20, "Q")


def tiff_head(path: str, size: int) -> TiffHead | None:
    """Return the head of a file; None if it does not look like a TIFF.

    Args:
        path: The file.
        size: Its size in bytes.

    Raises:
        OSError: If it can't be read.
    """
    with io.BytesIO(as_path(path).read_bytes()) if is_url(path) else open(path, "rb", buffering=0) as file:
        begin = file.read(_BEGIN)
        order = {b"II": "<", b"MM": ">"}.get(begin[:2])
        if order is None or len(begin) < 16:
            return None
        layout = {42: _CLASSIC, 43: _BIG}.get(struct.unpack_from(f"{order}H", begin, 2)[0])
        if layout is None:
            return None
        (offset,) = struct.unpack_from(order + layout.offset, begin, layout.first)
        directory = begin[offset:]
        wanted = _length(directory, order, layout)
        if wanted is None or len(directory) < wanted:
            file.seek(offset)
            directory = file.read(_BEGIN)
            wanted = _length(directory, order, layout)
            if wanted is not None and len(directory) < wanted:
                directory += file.read(wanted - len(directory))
    if wanted is None or len(directory) < wanted:
        return None
    return _head(directory, wanted, order, layout, size)


def _length(directory: bytes, order: str, layout: _Layout) -> int | None:
    """Return the size of a directory in bytes; None if the data does not start with one."""
    counted = struct.calcsize(order + layout.count)
    if len(directory) < counted:
        return None
    (count,) = struct.unpack_from(order + layout.count, directory)
    if not 0 < count <= _MOST_ENTRIES:
        return None
    return counted + int(count) * layout.entry + struct.calcsize(order + layout.offset)


def _head(directory: bytes, length: int, order: str, layout: _Layout, size: int) -> TiffHead:
    counted, end = struct.calcsize(order + layout.count), length - struct.calcsize(order + layout.offset)
    entries, plain = [], True
    for begin in range(counted, end, layout.entry):
        (tag,) = struct.unpack_from(f"{order}H", directory, begin)
        if tag in _TAGS:
            entries.append(directory[begin : begin + layout.entry])
            if tag == _COMPRESSION:
                plain = struct.unpack_from(f"{order}H", directory, begin + (8 if layout is _CLASSIC else 12))[0] == 1
    (following,) = struct.unpack_from(order + layout.offset, directory, end)
    return TiffHead((order.encode(), *entries), bool(following), size if plain else 0)
