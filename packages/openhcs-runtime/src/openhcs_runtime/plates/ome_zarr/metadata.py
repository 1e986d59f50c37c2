"""Typed values for the parts of OME-Zarr metadata, and of zarr 2 and 3 metadata, that are read here.

Sources: https://ngff.openmicroscopy.org/0.5/ (and /0.1/ to /0.4/), the coordinate systems of 0.6 (RFC 5 of OME-NGFF),
https://zarr-specs.readthedocs.io (v2 and v3 core). Anything not declared here is ignored.

Before 0.4, axes are names only (0.3) or not stated (t, c, z, y and x), there are no pixel sizes, and wells have a path
but no numbers of row and column. In 0.6 the axes belong to coordinate systems, of which an image has an intrinsic one.
"""

import json
import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeVar

import msgspec

from openhcs_runtime.plates.base import ALL_X, ALL_Y
from openhcs_runtime.stores.path import AnyPath

_T = TypeVar("_T")
_FIRST_AXES = "tczyx"
_UNDERSTOOD = frozenset({"scale", "translation", "identity"})


class Axis(msgspec.Struct, frozen=True):
    """One axis of an image; its name is t, c, z, y or x, which some programs write in upper case."""

    name: str
    type: str | None = None
    unit: str | None = None


class Transformation(msgspec.Struct, frozen=True):
    """A scale or a translation with a number for each axis, or a sequence of them."""

    type: str
    scale: tuple[float, ...] = ()
    translation: tuple[float, ...] = ()
    transformations: tuple["Transformation", ...] = ()
    output: object = None

    def steps(self) -> tuple["Transformation", ...]:
        """Return the transformations of a sequence, or itself."""
        if self.type != "sequence":
            return (self,)
        return tuple(step for part in self.transformations for step in part.steps())


class CoordinateSystem(msgspec.Struct, frozen=True):
    """The axes of a coordinate system of 0.6."""

    name: str
    axes: tuple[Axis, ...]


class Dataset(msgspec.Struct, frozen=True, rename="camel"):
    """One resolution level."""

    path: str
    coordinate_transformations: tuple[Transformation, ...] = ()


class Multiscale(msgspec.Struct, frozen=True, rename="camel"):
    """An image at several resolutions, the highest first."""

    datasets: tuple[Dataset, ...]
    axes: tuple[Axis | str, ...] = ()
    coordinate_systems: tuple[CoordinateSystem, ...] = ()
    coordinate_transformations: tuple[Transformation, ...] = ()

    def described_axes(self, count: int) -> tuple[Axis, ...]:
        """Return the axes of an array with ``count`` axes; those of the first versions if none are stated."""
        if self.coordinate_systems:
            ends = [step.output for step in self.datasets[0].coordinate_transformations]
            named = {system.name: system for system in self.coordinate_systems}
            found = [named[end] for end in reversed(ends) if isinstance(end, str) and end in named]
            return (found or self.coordinate_systems)[0].axes
        if not self.axes and count == len(_FIRST_AXES):
            return tuple(map(Axis, _FIRST_AXES))
        return tuple(Axis(axis) if isinstance(axis, str) else axis for axis in self.axes)

    def scale(self, count: int) -> tuple[float, ...] | None:
        """Return the size of an element of level 0 along each of ``count`` axes; None if it can't be determined."""
        if any(step.type not in _UNDERSTOOD for step in self._steps()):
            return None
        scale = [1.0] * count
        for step in self._steps():
            if step.type == "scale":
                scale = [a * b for a, b in zip(scale, step.scale, strict=False)]
        return tuple(scale) if len(scale) == count else None

    def translation(self, count: int) -> tuple[float, ...] | None:
        """Return the origin of level 0 along each of ``count`` axes; None if it is not given."""
        if any(step.type not in _UNDERSTOOD for step in self._steps()):
            return None
        origin, is_given = [0.0] * count, False
        for step in self._steps():
            if step.type == "translation" and len(step.translation) == count:
                origin, is_given = [a + b for a, b in zip(origin, step.translation, strict=True)], True
            elif step.type == "scale" and len(step.scale) == count:
                origin = [a * b for a, b in zip(origin, step.scale, strict=True)]
        return tuple(origin) if is_given else None

    def _steps(self) -> list[Transformation]:
        """Return what leads from level 0 to its coordinates: in 0.6, other systems are reached from there."""
        others = () if self.coordinate_systems else self.coordinate_transformations
        return [step for part in (*self.datasets[0].coordinate_transformations, *others) for step in part.steps()]


class OmeroChannel(msgspec.Struct, frozen=True):
    """The name of a channel."""

    label: str | int | None = None


class Omero(msgspec.Struct, frozen=True):
    """Rendering settings of channels."""

    channels: tuple[OmeroChannel, ...] = ()


class FieldEntry(msgspec.Struct, frozen=True):
    """One image of a well; images of another acquisition show the same fields in other channels."""

    path: str
    acquisition: int | None = None


class Well(msgspec.Struct, frozen=True):
    """The images of a well."""

    images: tuple[FieldEntry, ...]


class Named(msgspec.Struct, frozen=True):
    """A row or a column."""

    name: str


class WellEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One well of a plate."""

    path: str
    row_index: int | None = None
    column_index: int | None = None


class Plate(msgspec.Struct, frozen=True):
    """The wells of a plate."""

    wells: tuple[WellEntry, ...]
    rows: tuple[Named, ...]
    columns: tuple[Named, ...]


class OmeMetadata(msgspec.Struct, frozen=True):
    """The metadata of a group, which is a plate, a well or an image."""

    plate: Plate | None = None
    well: Well | None = None
    multiscales: tuple[Multiscale, ...] = ()
    omero: Omero | None = None
    series: tuple[str, ...] = ()
    collection: int | None = msgspec.field(name="bioformats2raw.layout", default=None)


class _Attributes(msgspec.Struct, frozen=True):
    ome: OmeMetadata = OmeMetadata()


class _Zarr3Group(msgspec.Struct, frozen=True):
    attributes: _Attributes = _Attributes()


class _Configuration(msgspec.Struct, frozen=True):
    chunk_shape: tuple[int, ...] = ()
    separator: str | None = None


class _Extension(msgspec.Struct, frozen=True):
    name: str
    configuration: _Configuration = _Configuration()


class _Codec(msgspec.Struct, frozen=True):
    name: str


class _Zarr3Array(msgspec.Struct, frozen=True):
    shape: tuple[int, ...]
    chunk_grid: _Extension
    chunk_key_encoding: _Extension
    data_type: str | dict[str, object] = ""
    codecs: tuple[_Codec, ...] = ()


class _Zarr2Array(msgspec.Struct, frozen=True):
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: object = ""
    dimension_separator: str = "."


class ArrayLayout(msgspec.Struct, frozen=True):
    """The shape of an array and the location of its chunks.

    Attributes:
        shape: Length of each axis.
        chunks: Edge length of a chunk along each axis.
        dtype: The type as spelled in the metadata.
        sharded: Whether a file has many chunks, with an index of the empty ones.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    prefix: str
    separator: str
    dtype: str = ""
    sharded: bool = False

    def place(self, index: Sequence[int]) -> tuple[int, ...]:
        """Return the index of a plane with one entry per axis: ``ALL_Y`` and ``ALL_X`` for the plane's own axes."""
        return tuple(index) if len(index) == len(self.shape) else (*index, ALL_Y, ALL_X)

    def chunk_count(self, index: Sequence[int]) -> int:
        """Return the number of files that contain a plane."""
        return math.prod(len(numbers) for numbers in self._chunk_numbers(index))

    def chunk_files(self, index: Sequence[int], most: int | None = None) -> Iterator[str]:
        """Yield the files below the array folder that contain a plane; at most ``most``, spread over the plane."""
        if most is None:
            yield from map(self.chunk_file, self.chunk_places(index))
            return
        ranges = self._chunk_numbers(index)
        count = self.chunk_count(index)
        for number in range(0, count, max(1, math.ceil(count / most))):
            place, rest = [], number
            for numbers in reversed(ranges):
                rest, at = divmod(rest, len(numbers))
                place.append(numbers[at])
            yield self.chunk_file(place[::-1])

    def chunk_places(self, index: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Yield the positions in the chunk grid of the chunks that contain a plane."""
        yield from product(*self._chunk_numbers(index))

    def chunk_file(self, place: Sequence[int]) -> str:
        """Return the file of the chunk at a position in the chunk grid."""
        return self.prefix + self.separator.join(map(str, place))

    def _chunk_numbers(self, index: Sequence[int]) -> list[range]:
        return [
            range(math.ceil(length / edge)) if at in (ALL_Y, ALL_X) else range(at // edge, at // edge + 1)
            for at, length, edge in zip(self.place(index), self.shape, self.chunks, strict=True)
        ]


def read_group(folder: AnyPath) -> OmeMetadata:
    """Return the OME metadata of a zarr group, of zarr 3 or 2; empty if it has none.

    Raises:
        FileNotFoundError: If there is no group.
        msgspec.MsgspecError: If its metadata is not as specified.
    """
    try:
        return _decode((folder / "zarr.json").read_bytes(), _Zarr3Group).attributes.ome
    except FileNotFoundError:
        return _decode((folder / ".zattrs").read_bytes(), OmeMetadata)


def read_array(folder: AnyPath) -> ArrayLayout:
    """Return the layout of a zarr array, of zarr 3 or 2.

    Raises:
        FileNotFoundError: If there is no array.
        msgspec.MsgspecError: If its metadata is not as specified.
    """
    try:
        array = _decode((folder / "zarr.json").read_bytes(), _Zarr3Array)
    except FileNotFoundError:
        old = _decode((folder / ".zarray").read_bytes(), _Zarr2Array)
        return _checked(ArrayLayout(old.shape, old.chunks, "", old.dimension_separator, str(old.dtype)))
    keys = array.chunk_key_encoding
    is_old = keys.name == "v2"
    separator = keys.configuration.separator or ("." if is_old else "/")
    return _checked(
        ArrayLayout(
            array.shape,
            array.chunk_grid.configuration.chunk_shape,
            "" if is_old else f"c{separator}",
            separator,
            str(array.data_type),
            any(codec.name == "sharding_indexed" for codec in array.codecs),
        )
    )


def read_codecs(folder: AnyPath) -> bytes:
    """Return a text that is equal for arrays whose chunks are stored in the same way.

    Raises:
        OSError: If the metadata can't be read.
        ValueError: If it is not zarr metadata.
    """
    try:
        said = json.loads((folder / "zarr.json").read_bytes())
        names = ["zarr_format", "codecs", "data_type", "storage_transformers"]
    except FileNotFoundError:
        said = json.loads((folder / ".zarray").read_bytes())
        names = ["zarr_format", "compressor", "filters", "dtype", "order"]
    if not isinstance(said, dict):
        raise ValueError("it is not zarr metadata")
    kept = [said.get(name) for name in names]
    return json.dumps(kept, sort_keys=True).encode()


def _decode(data: bytes, kind: type[_T]) -> _T:
    """Decode JSON, including the NaN and Infinity that Python writes."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        try:
            return msgspec.convert(json.loads(data), type=kind)
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from None


def _checked(layout: ArrayLayout) -> ArrayLayout:
    if len(layout.chunks) != len(layout.shape) or min((*layout.shape, *layout.chunks), default=0) < 1:
        raise msgspec.ValidationError(f"shape {layout.shape} with chunks of {layout.chunks} is not a valid array")
    return layout
