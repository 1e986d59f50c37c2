"""OME-Zarr plates of versions 0.1 to 0.6, in folders, on servers and in ``.ozx`` archives (https://ngff.openmicroscopy.org).

An image, a well or a collection of images (as bioformats2raw writes it) is a plate with one well.

Only JSON is read here. The planes of level 0 are the images: channel, z and time point are numbered from 1 along the
axes c, z and t. ``openhcs_runtime.plates.ome_zarr.fields`` describes which images of a well are its sites.

A plane without any chunk was never written, or was lost: it is missing. The exception are plates whose writer leaves
out empty chunks, which is recognized as follows: at least two images lack some of the chunks of a plane, and no image
lacks all of them. ``openhcs_runtime.plates.ome_zarr.read`` describes what is read for an absent chunk.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import msgspec
import numpy as np
from msgspec import structs

from openhcs_runtime.components import ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ALL_X, ALL_Y, ImageRef, PlateProblem, ProblemKind, StagePosition
from openhcs_runtime.plates.folder import Folder
from openhcs_runtime.plates.format import Fit, Listing, Metadata, PlateFormat
from openhcs_runtime.plates.image_kinds import ImageKind, mixed_problem
from openhcs_runtime.plates.lengths import one_length
from openhcs_runtime.plates.ome_zarr.chunk_stats import chunk_stats
from openhcs_runtime.plates.ome_zarr.fields import FieldPlace, fields_of
from openhcs_runtime.plates.ome_zarr.image_files import ZARR_ARRAYS
from openhcs_runtime.plates.ome_zarr.metadata import (
    ArrayLayout,
    Axis,
    Multiscale,
    read_array,
    read_group,
)
from openhcs_runtime.plates.ome_zarr.wells import UNREADABLE, unreadable, wells_of
from openhcs_runtime.plates.units import micrometre_value, micrometres
from openhcs_runtime.stores.path import AnyPath, StorePath, path_below

_KNOWN_AXES = frozenset("tczyx")
_MOST_CHUNKS = 16
"""Of a plane with more chunks, only this many are checked for changes."""


class OmeZarr(PlateFormat):
    """OME-Zarr plates."""

    name, title = "ome_zarr", "OME-Zarr"
    files = ZARR_ARRAYS

    def fits(self, folder: Folder) -> Fit:
        """Return whether the folder is a zarr group."""
        return Fit.CERTAIN if any(_has(folder, name) for name in ("zarr.json", ".zgroup", ".zattrs")) else Fit.NONE

    def find(self, folder: Folder) -> Listing:
        """List the images of a plate; a field that can't be understood is missing, and a problem of the plate."""
        return _listing(folder.path)


def _has(folder: Folder, name: str) -> bool:
    """Return whether there is a document; some web servers answer with a page for whatever they are asked."""
    if isinstance(folder.path, StorePath) and folder.path.is_web and folder.has(name):
        return (folder.path / name).read_bytes().lstrip()[:1] == b"{"
    return folder.has(name)


def _listing(folder: AnyPath) -> Listing:
    problems: list[PlateProblem] = []
    wells, listed = wells_of(folder, problems)
    several = len({entry.acquisition or 0 for found in listed.values() if found for entry in found.images}) > 1
    fields: list[_Field] = []
    lost = [ImageKey(well) for well, found in listed.items() if found is None]
    for well, found in listed.items():
        places, derived = fields_of(found.images if found else (), several=several)
        problems += [_derived(well, *names) for names in derived]
        for place in places:
            path = wells[well] / place.path
            try:
                fields.append(_open_field(path, well, place))
            except UNREADABLE as error:
                problems.append(unreadable(f"site {place.site} of well {well}", path_below(path, folder), well, error))
                lost.append(ImageKey(well, place.site))
    fields = _without_derived(fields, problems)
    if not fields:
        first = f": {problems[0].message}" if problems else ""
        raise PlateError(f"no images in the OME-Zarr plate {folder}{first}")
    images, names, unwritten = _numbered(fields, problems)
    problems += [_unwritten(folder, fields, unwritten)] if unwritten else []
    kinds = Counter({ImageKind(field.shape, field.dtype): 0 for field in fields})
    for field in fields:
        kinds[ImageKind(field.shape, field.dtype)] += len(field.images)
    examples = {ImageKind(field.shape, field.dtype): field.name for field in reversed(fields)}
    problems += mixed_problem(kinds, examples)
    problems += _odd_scales([field for field in fields if field.has_odd_scale])
    size, step = (_same(fields, what, problems) for what in ("pixel_size_um", "z_step_um"))
    metadata = Metadata(
        channel_names=names,
        positions={(field.well, field.place.site): field.position for field in reversed(fields) if field.position},
        pixel_size_um=size,
        z_step_um=step,
        lost=(*lost, *unwritten),
    )
    return Listing(images, problems, metadata)


@dataclass(frozen=True, slots=True)
class _Plane:
    """A plane with its numbers within its own image, and how many of its chunks exist."""

    channel: int
    z: int
    timepoint: int
    ref: ImageRef
    present: int
    wanted: int


@dataclass(frozen=True, slots=True)
class _Field:
    """One image of a well."""

    well: str
    place: FieldPlace
    images: tuple[_Plane, ...]
    channels: int
    channel_names: dict[int, str]
    shape: tuple[int, int]
    dtype: str
    pixel_size_um: float | None
    z_step_um: float | None
    position: StagePosition | None
    has_odd_scale: bool = False

    @property
    def name(self) -> str:
        """The image as called in messages."""
        return f"image {self.place.path} of well {self.well}" if self.place.path else f"the image of well {self.well}"

    def is_derived_from(self, other: "_Field") -> bool:
        """Return whether it was derived from another image of its acquisition: same position, or other channels.

        A position of zero is inconclusive: writers that don't know the position use it.
        """
        if self.position is not None and self.position == other.position != StagePosition(0.0, 0.0):
            return True
        own, others = set(self.channel_names.values()), set(other.channel_names.values())
        return bool(own and others) and own.isdisjoint(others)

    @property
    def is_patchy(self) -> bool:
        """Whether some planes have only a part of their chunks."""
        return any(0 < plane.present < plane.wanted for plane in self.images)

    @property
    def is_empty(self) -> bool:
        """Whether no chunk exists."""
        return not any(plane.present for plane in self.images)


def _derived(well: str, path: str, origin: str) -> PlateProblem:
    message = f"image {path} of well {well} was derived from image {origin}; it is left out"
    return PlateProblem(ProblemKind.STRAY_FILE, message, well)


def _without_derived(fields: Sequence[_Field], problems: list[PlateProblem]) -> list[_Field]:
    """Return the fields without the images derived from an earlier field of their acquisition."""
    kept: list[_Field] = []
    of_acquisition: defaultdict[tuple[str, int], list[_Field]] = defaultdict(list)
    for field in fields:
        others = of_acquisition[field.well, field.place.acquisition]
        origin = next((other for other in others if field.is_derived_from(other)), None)
        if origin is None:
            others.append(field)
            kept.append(field)
        else:
            problems.append(_derived(field.well, field.place.path, origin.place.path))
    return kept


def _unwritten(folder: AnyPath, fields: Sequence[_Field], keys: Sequence[ImageKey]) -> PlateProblem:
    empty = [field for field in fields if field.is_empty]
    where = f"{keys[0].describe()}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")
    whole = f"; {empty[0].name} has no chunks at all" if empty else ""
    return PlateProblem(ProblemKind.GAP, f"no chunks were written for {where}{whole}")


def _open_field(folder: AnyPath, well: str, place: FieldPlace) -> _Field:
    """Open a field; raise one of ``UNREADABLE`` if its metadata can't be used."""
    metadata = read_group(folder)
    if not metadata.multiscales or not metadata.multiscales[0].datasets:
        raise msgspec.ValidationError("it has no multiscales")
    multiscale = metadata.multiscales[0]
    path = folder / multiscale.datasets[0].path
    layout = read_array(path)
    axes = multiscale.described_axes(len(layout.shape))
    names = [axis.name.lower() for axis in axes]
    if len(layout.shape) != len(names):
        raise msgspec.ValidationError(f"its array has {len(layout.shape)} axes, not {len(names)}")
    strange = [name for name, length in zip(names, layout.shape, strict=True) if name not in _KNOWN_AXES and length > 1]
    order = [name if name in "tc" else "space" for name in names if name in _KNOWN_AXES]
    if strange or len(set(names)) != len(names) or not {"y", "x"}.issubset(names) or order != _in_order(order):
        raise msgspec.ValidationError(f"its axes are {', '.join(names)}, not any of t, c and z followed by y and x")
    channels = metadata.omero.channels if metadata.omero else ()
    length = dict(zip(names, layout.shape, strict=True))
    is_odd = any(not (math.isfinite(value) and value > 0) for value in multiscale.scale(len(axes)) or ())
    is_odd = is_odd or not all(map(math.isfinite, multiscale.translation(len(axes)) or ()))
    return _Field(
        well,
        place,
        tuple(_planes(path, layout, names, ImageKey(well, place.site))),
        length.get("c", 1),
        {number: str(channel.label) for number, channel in enumerate(channels, start=1) if channel.label is not None},
        (length["y"], length["x"]),
        _type_name(layout.dtype),
        None if is_odd else one_length(_length(multiscale, axes, "x"), _length(multiscale, axes, "y")),
        None if is_odd else _length(multiscale, axes, "z"),
        None if is_odd else _position(multiscale, axes),
        is_odd,
    )


def _in_order(kinds: Sequence[str]) -> list[str]:
    """Return kinds of axes in the order of the specification: time, channel, space."""
    return sorted(kinds, key=("t", "c", "space").index)


def _type_name(spelled: str) -> str:
    """Return ``uint16`` for ``<u2``, the spelling of zarr 2."""
    try:
        return np.dtype(spelled).name
    except TypeError:
        return spelled


def _planes(path: AnyPath, layout: ArrayLayout, names: list[str], key: ImageKey) -> Iterable[_Plane]:
    stat_of, where = chunk_stats(path), str(path)
    in_order = names[-2:] == ["y", "x"]
    lengths = zip(names, layout.shape, strict=True)
    plane_axes = {"y": (ALL_Y,), "x": (ALL_X,)}
    for place in product(*(plane_axes.get(name) or range(length) for name, length in lengths)):
        at = dict(zip(names, place, strict=True))
        index = place[:-2] if in_order else place
        size, newest, present, wanted = 0, 0, 0, 0
        for chunk in layout.chunk_files(index, _MOST_CHUNKS):
            wanted += 1
            if (stat := stat_of(chunk)) is None:
                continue
            present += 1
            size, newest = size + stat.st_size, max(newest, stat.st_mtime_ns)
        ref = ImageRef(key, where, size, newest, index)
        yield _Plane(at.get("c", 0) + 1, at.get("z", 0) + 1, at.get("t", 0) + 1, ref, present, wanted)


def _numbered(
    fields: Sequence[_Field], problems: list[PlateProblem]
) -> tuple[list[ImageRef], dict[int, str], list[ImageKey]]:
    """Return the images with the plate's channel numbers, the names of the channels, and the planes never written.

    The channels of an image that has the same names in another order are told by their names.
    """
    leaves_out = sum(field.is_patchy for field in fields) > 1 and not any(field.is_empty for field in fields)
    most: defaultdict[int, int] = defaultdict(int)
    for field in fields:
        most[field.place.acquisition] = max(most[field.place.acquisition], field.channels)
    before = {acquisition: sum(most[other] for other in most if other < acquisition) for acquisition in most}
    images, unwritten = [], []
    names: dict[int, str] = {}
    for field in fields:
        first = before[field.place.acquisition]
        number_of = _channel_numbers(field, first, names, problems)
        for plane in field.images:
            channel = number_of.get(plane.channel, first + plane.channel)
            key = ImageKey(field.well, field.place.site, channel, plane.z, plane.timepoint)
            if plane.present or leaves_out:
                images.append(structs.replace(plane.ref, key=key, absent_is_fill=leaves_out))
            else:
                unwritten.append(key)
    return images, dict(sorted(names.items())), unwritten


def _channel_numbers(field: _Field, first: int, names: dict[int, str], problems: list[PlateProblem]) -> dict[int, int]:
    """Return the plate's number of each channel of an image, and add to the names that are known so far."""
    known = {number - first: names[number] for number in names if first < number <= first + field.channels}
    own = field.channel_names
    if sorted(own.values()) == sorted(known.values()) and len(set(own.values())) == len(own) and own != known:
        order = {name: number for number, name in known.items()}
        text = (
            f"{field.name} has its channels in another order ({', '.join(own.values())}): they are told by their names"
        )
        problems.append(PlateProblem(ProblemKind.NOTE, text, field.well))
        return {number: first + order[name] for number, name in own.items()}
    for number, name in own.items():
        if names.setdefault(first + number, name) != name:
            text = f"channel {first + number} is called {name} in {field.name} and {names[first + number]} elsewhere"
            problems.append(PlateProblem(ProblemKind.MIXED, text, field.well))
    return {}


def _odd_scales(fields: Sequence[_Field]) -> list[PlateProblem]:
    """Report the images whose scale has a value that is not a size."""
    if not fields:
        return []
    what = fields[0].name if len(fields) == 1 else f"{len(fields):,} images, such as {fields[0].name},"
    verb = "has" if len(fields) == 1 else "have"
    text = f"{what} {verb} a scale or translation that is not a size: sizes and positions are treated as unknown"
    return [PlateProblem(ProblemKind.METADATA, text)]


def _same(fields: Sequence[_Field], what: str, problems: list[PlateProblem]) -> float | None:
    """Return a length that all images share; None, and a problem, if they differ."""
    known = [(value, field) for field in fields if (value := getattr(field, what)) is not None]
    if not known:
        return None
    first, of = known[0]
    for value, field in known:
        if one_length(first, value) is None:
            words = {"pixel_size_um": "a pixel", "z_step_um": "a z step"}[what]
            text = f"{words} is {first:g} um in {of.name} and {value:g} um in {field.name}: it is treated as unknown"
            problems.append(PlateProblem(ProblemKind.MIXED, text))
            return None
    return float(first)


def _length(multiscale: Multiscale, axes: Sequence[Axis], name: str) -> float | None:
    """Return the size of a pixel along an axis; None without a unit, as the numbers may be in pixels."""
    scale = multiscale.scale(len(axes))
    place = next((number for number, axis in enumerate(axes) if axis.name.lower() == name), None)
    return None if place is None or scale is None else micrometre_value(scale[place], axes[place].unit)


def _position(multiscale: Multiscale, axes: Sequence[Axis]) -> StagePosition | None:
    offset = multiscale.translation(len(axes))
    names = [axis.name.lower() for axis in axes]
    y, x = names.index("y"), names.index("x")
    factors = micrometres(axes[y].unit), micrometres(axes[x].unit)
    if offset is None or factors[0] is None or factors[1] is None:
        return None
    return StagePosition(offset[y] * factors[0], offset[x] * factors[1])
