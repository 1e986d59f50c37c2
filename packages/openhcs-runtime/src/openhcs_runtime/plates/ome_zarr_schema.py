"""The parts of OME-Zarr 0.4 and 0.5 metadata, and of zarr 2 and 3 metadata, that are read here, as typed values.

Sources: https://ngff.openmicroscopy.org/0.5/ (and /0.4/), https://zarr-specs.readthedocs.io (v2 and v3 core). What
is not declared here is passed over.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import msgspec

UNITS_UM = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3, "centimeter": 1e4, "meter": 1e6}


class Axis(msgspec.Struct, frozen=True):
    """One axis of an image; names are t, c, z, y and x."""

    name: str
    type: str | None = None
    unit: str | None = None


class Transformation(msgspec.Struct, frozen=True):
    """A scale or a translation with a number for each axis."""

    type: str
    scale: tuple[float, ...] = ()
    translation: tuple[float, ...] = ()


class Dataset(msgspec.Struct, frozen=True, rename="camel"):
    """One level of resolution."""

    path: str
    coordinate_transformations: tuple[Transformation, ...] = ()


class Multiscale(msgspec.Struct, frozen=True, rename="camel"):
    """An image in several resolutions, the highest first."""

    axes: tuple[Axis, ...]
    datasets: tuple[Dataset, ...]
    coordinate_transformations: tuple[Transformation, ...] = ()

    def scale(self) -> tuple[float, ...]:
        """Size of an element of level 0 along each axis."""
        scale = [1.0] * len(self.axes)
        for step in self._steps("scale"):
            scale = [a * b for a, b in zip(scale, step.scale, strict=False)]
        return tuple(scale)

    def translation(self) -> tuple[float, ...] | None:
        """Where level 0 begins along each axis, None when that is not said."""
        steps = [step for step in self._steps("translation") if len(step.translation) == len(self.axes)]
        return tuple(map(sum, zip(*(step.translation for step in steps), strict=True))) if steps else None

    def _steps(self, kind: str) -> list[Transformation]:
        steps = (*self.datasets[0].coordinate_transformations, *self.coordinate_transformations)
        return [step for step in steps if step.type == kind]


class OmeroChannel(msgspec.Struct, frozen=True):
    """How a channel is called."""

    label: str | int | None = None


class Omero(msgspec.Struct, frozen=True):
    """How channels are shown."""

    channels: tuple[OmeroChannel, ...] = ()


class FieldEntry(msgspec.Struct, frozen=True):
    """One field of a well."""

    path: str


class Well(msgspec.Struct, frozen=True):
    """The fields of a well."""

    images: tuple[FieldEntry, ...]


class Named(msgspec.Struct, frozen=True):
    """A row or a column."""

    name: str


class WellEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One well of a plate."""

    path: str
    row_index: int
    column_index: int


class Plate(msgspec.Struct, frozen=True):
    """The wells of a plate."""

    wells: tuple[WellEntry, ...]
    rows: tuple[Named, ...]
    columns: tuple[Named, ...]


class OmeMetadata(msgspec.Struct, frozen=True):
    """What a group says about itself: it is a plate, a well or an image."""

    plate: Plate | None = None
    well: Well | None = None
    multiscales: tuple[Multiscale, ...] = ()
    omero: Omero | None = None


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


class _Zarr3Array(msgspec.Struct, frozen=True):
    shape: tuple[int, ...]
    chunk_grid: _Extension
    chunk_key_encoding: _Extension


class _Zarr2Array(msgspec.Struct, frozen=True):
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dimension_separator: str = "."


class ArrayLayout(msgspec.Struct, frozen=True):
    """Shape of an array and where its chunks are; `chunks` has one edge for each axis."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    prefix: str
    separator: str

    def chunk_files(self, index: Sequence[int], most: int) -> Iterator[str]:
        """The files below the array's folder that hold a plane, at most `most` of them, spread over the plane."""
        fixed = [place // edge for place, edge in zip(index, self.chunks, strict=False)]
        rows, columns = (math.ceil(n / edge) for n, edge in zip(self.shape[-2:], self.chunks[-2:], strict=True))
        step = max(1, math.ceil(rows * columns / most))
        for number, place in enumerate(product(range(rows), range(columns))):
            if number % step == 0:
                yield self.prefix + self.separator.join(map(str, (*fixed, *place)))


def read_group(folder: Path) -> OmeMetadata:
    """The OME metadata of a zarr group, of zarr 3 or 2; empty when it has none.

    Raises FileNotFoundError when there is no group, msgspec.MsgspecError when its metadata is not as specified.
    """
    try:
        return msgspec.json.decode((folder / "zarr.json").read_bytes(), type=_Zarr3Group).attributes.ome
    except FileNotFoundError:
        return msgspec.json.decode((folder / ".zattrs").read_bytes(), type=OmeMetadata)


def read_array(folder: Path) -> ArrayLayout:
    """The layout of a zarr array, of zarr 3 or 2. Raises as `read_group` does."""
    try:
        array = msgspec.json.decode((folder / "zarr.json").read_bytes(), type=_Zarr3Array)
    except FileNotFoundError:
        old = msgspec.json.decode((folder / ".zarray").read_bytes(), type=_Zarr2Array)
        return _checked(ArrayLayout(old.shape, old.chunks, "", old.dimension_separator))
    keys = array.chunk_key_encoding
    if keys.name == "v2":
        layout = ArrayLayout(
            array.shape, array.chunk_grid.configuration.chunk_shape, "", keys.configuration.separator or "."
        )
    else:
        separator = keys.configuration.separator or "/"
        layout = ArrayLayout(array.shape, array.chunk_grid.configuration.chunk_shape, f"c{separator}", separator)
    return _checked(layout)


def _checked(layout: ArrayLayout) -> ArrayLayout:
    if len(layout.chunks) != len(layout.shape) or min((*layout.shape, *layout.chunks), default=0) < 1:
        raise msgspec.ValidationError(f"shape {layout.shape} in chunks of {layout.chunks} makes no array")
    return layout
