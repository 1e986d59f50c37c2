"""Writing of one OME-Zarr image: its resolution levels, metadata and labels."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import zarr
from numpy.typing import NDArray

from openhcs_runtime.components import PROJECTED, ImageKey
from openhcs_runtime.exceptions import OutputError
from openhcs_runtime.plates.base import StagePosition

Json = dict[str, Any]  # a document in a third-party format

_CHUNK = 2048
_SMALLEST_EDGE = 256
_COLOURS = ("0000FF", "00FF00", "FF0000", "FF00FF", "00FFFF", "FFFF00")


class OmeZarrVersion(StrEnum):
    """The versions that can be written."""

    V04 = "0.4"
    """zarr 2"""
    V05 = "0.5"
    """zarr 3"""

    @property
    def zarr_format(self) -> Literal[2, 3]:
        """The zarr version that it is based on."""
        return 2 if self is OmeZarrVersion.V04 else 3


@dataclass(frozen=True, slots=True)
class ImageStyle:
    """Properties shared by all images of a plate.

    Attributes:
        version: Version of OME-Zarr.
        channels: Names of channels 1, 2, ... of the plate.
        pixel_size_um: Edge length of a pixel in micrometres.
        z_step_um: Distance between planes in micrometres.
        sharded: Whether each resolution level is one file; only with zarr 3.
    """

    version: OmeZarrVersion
    channels: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None = None
    sharded: bool = False


def write_group(folder: Path, metadata: Json, version: OmeZarrVersion) -> None:
    """Make ``folder`` a zarr group with OME metadata.

    Raises:
        OSError: If it can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in group_documents(metadata, version).items():
        (folder / name).write_bytes(document)


def group_documents(metadata: Json, version: OmeZarrVersion) -> dict[str, bytes]:
    """Return the files of a zarr group and their contents."""
    if version is OmeZarrVersion.V04:
        documents: dict[str, Json] = {".zgroup": {"zarr_format": 2}, ".zattrs": metadata}
    else:
        ome = {"ome": {"version": version.value, **metadata}} if metadata else {}
        documents = {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": ome}}
    return {name: msgspec.json.format(msgspec.json.encode(document)) for name, document in documents.items()}


def write_image(
    folder: Path, planes: Mapping[ImageKey, NDArray[Any]], style: ImageStyle, position: StagePosition | None
) -> None:
    """Write the planes (Y, X) of one site as an image with the axes t, c, z, y, x.

    Each level below the first halves y and x: a pixel is the mean of four.

    Raises:
        OutputError: If planes are missing or differ in shape.
        OSError: If the image can't be written to disk.
    """
    highest = max(key.channel for key in planes)
    if highest > len(style.channels):
        raise OutputError(
            f"channel {highest} has no name: the OME-Zarr plate was created with {len(style.channels)} channels"
        )
    data = _stacked(planes, tuple(range(1, len(style.channels) + 1)))
    levels = _pyramid(data, _mean_of_four)
    window = {"min": 0, "max": _highest(data.dtype)}
    channels = [
        {
            "label": name,
            "color": _COLOURS[number % len(_COLOURS)],
            "active": True,
            "window": {
                **window,
                "start": float(levels[-1][:, number].min()),
                "end": float(levels[-1][:, number].max()),
            },
        }
        for number, name in enumerate(style.channels)
    ]
    multiscale = _multiscale("tczyx", len(levels), _with_step(style, planes), position)
    write_group(folder, {"multiscales": [multiscale], "omero": {"channels": channels}}, style.version)
    _write_levels(folder, levels, "tczyx", style)


def write_labels(
    folder: Path,
    labels: Mapping[str, Mapping[ImageKey, NDArray[Any]]],
    style: ImageStyle,
    position: StagePosition | None,
) -> None:
    """Write label images, by name, into the image ``folder`` with the axes t, z, y, x.

    Each level below the first takes every second pixel.

    Raises:
        OutputError: If planes are missing or differ in shape, or the labels of one name are for several channels.
        OSError: If the labels can't be written to disk.
    """
    write_group(folder / "labels", {"labels": list(labels)}, style.version)
    for name, planes in labels.items():
        channels = {key.channel for key in planes}
        if len(channels) != 1:
            raise OutputError(
                f"labels {name!r} are for {len(channels)} channels: give the labels of each channel their own name"
            )
        data = _stacked(planes, tuple(channels))[:, 0]
        kind = np.uint16 if data.max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
        levels = _pyramid(data.astype(kind), lambda level: level[..., ::2, ::2])
        about = {"version": style.version.value, "source": {"image": "../../"}}
        multiscale = _multiscale("tzyx", len(levels), _with_step(style, planes), position)
        target = folder / "labels" / name
        write_group(target, {"multiscales": [multiscale], "image-label": about}, style.version)
        _write_levels(target, levels, "tzyx", style)


def _with_step(style: ImageStyle, planes: Iterable[ImageKey]) -> ImageStyle:
    """Return the style without a z step for projections, which have no distance to other planes."""
    return replace(style, z_step_um=None) if any(key.z_index == PROJECTED for key in planes) else style


def _stacked(planes: Mapping[ImageKey, NDArray[Any]], channels: tuple[int, ...]) -> NDArray[Any]:
    """Return all planes as one array (t, c, z, Y, X)."""
    timepoints = sorted({key.timepoint for key in planes})
    depths = sorted({key.z_index for key in planes})
    places = {(key.timepoint, key.channel, key.z_index): plane for key, plane in planes.items()}
    shapes = {plane.shape for plane in planes.values()}
    wanted = len(timepoints) * len(channels) * len(depths)
    first = next(iter(planes))
    where = f"well {first.well}, site {first.site}"
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise OutputError(f"{where} can't be one OME-Zarr image: its planes have the shapes {sorted(shapes)}")
    if len(places) != wanted or len(planes) != wanted:
        raise OutputError(f"{where} can't be one OME-Zarr image: it has only {len(planes)} of {wanted} planes")
    dtype = np.result_type(*planes.values())
    data = np.empty(
        (len(timepoints), len(channels), len(depths), *next(iter(shapes))), np.uint8 if dtype.kind == "b" else dtype
    )
    for (timepoint, channel, depth), plane in places.items():
        place = timepoints.index(timepoint), channels.index(channel), depths.index(depth)
        data[place] = plane
        if plane.dtype.itemsize == 8 and plane.dtype != data.dtype and not np.array_equal(data[place], plane, True):
            raise OutputError(f"{where} can't be one OME-Zarr image: {data.dtype} would round its {plane.dtype} planes")
    return data


def _pyramid(data: NDArray[Any], halved: Callable[[NDArray[Any]], NDArray[Any]]) -> list[NDArray[Any]]:
    """Return ``data`` and its repeated halvings until the longer edge is small."""
    levels = [data]
    while max(levels[-1].shape[-2:]) > _SMALLEST_EDGE:
        levels.append(halved(levels[-1]))
    return levels


def _mean_of_four(data: NDArray[Any]) -> NDArray[Any]:
    """Halve y and x in the same dtype; with an odd number of rows or columns, the last one counts twice."""
    y, x = data.shape[-2:]
    even = np.pad(data, [(0, 0)] * (data.ndim - 2) + [(0, y % 2), (0, x % 2)], mode="edge")
    blocks = even.reshape(*data.shape[:-2], (y + 1) // 2, 2, (x + 1) // 2, 2)
    mean = blocks.mean(axis=(-3, -1), dtype=np.float64)
    result: NDArray[Any] = (np.rint(mean) if np.issubdtype(data.dtype, np.integer) else mean).astype(data.dtype)
    return result


def _highest(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0


def _multiscale(axes: str, levels: int, style: ImageStyle, position: StagePosition | None) -> Json:
    """Return the metadata of an image with these axes; the stage position is the origin of all levels."""
    in_um = {"y": style.pixel_size_um, "x": style.pixel_size_um, "z": style.z_step_um}
    kinds: dict[str, Json] = {"t": {"type": "time"}, "c": {"type": "channel"}}
    datasets = []
    for level in range(levels):
        scale = [(in_um.get(axis) or 1.0) * (2**level if axis in "yx" else 1) for axis in axes]
        steps: list[Json] = [{"type": "scale", "scale": scale}]
        if position is not None and style.pixel_size_um:
            begin = [0.0] * (len(axes) - 2) + [position.y_um, position.x_um]
            steps.append({"type": "translation", "translation": begin})
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    unit = {axis: {"unit": "micrometer"} for axis, length in in_um.items() if length}
    described = [{"name": axis, **kinds.get(axis, {"type": "space", **unit.get(axis, {})})} for axis in axes]
    version = {"version": style.version.value} if style.version is OmeZarrVersion.V04 else {}  # 0.5: in the group only
    return {**version, "axes": described, "datasets": datasets}


def _write_levels(folder: Path, levels: list[NDArray[Any]], axes: str, style: ImageStyle) -> None:
    """Write the levels with one chunk per plane, unless planes are very large; all of them in one shard if wanted."""
    old = style.version is OmeZarrVersion.V04
    for number, level in enumerate(levels):
        y, x = level.shape[-2:]
        chunks = (*([1] * (level.ndim - 2)), min(y, _CHUNK), min(x, _CHUNK))
        whole = tuple(math.ceil(length / edge) * edge for length, edge in zip(level.shape, chunks, strict=True))
        array = zarr.create_array(
            store=str(folder / str(number)),
            shape=level.shape,
            dtype=level.dtype,
            chunks=chunks,
            shards=whole if style.sharded else None,
            zarr_format=style.version.zarr_format,
            chunk_key_encoding={"name": "v2", "separator": "/"} if old else {"name": "default", "separator": "/"},
            dimension_names=None if old else tuple(axes),
        )
        array[...] = level
