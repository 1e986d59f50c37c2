"""ImageXpress-style folders: one TIFF per plane, its components in the file name.

Layout (MetaXpress "TIFF export"): the images lie in `TimePoint_<t>` folders or directly in the plate folder, z planes
either in `ZStep_<z>` folders below that or as `_z<z>` in the name:

    <prefix>_<well>[_s<site>][_w<channel>][_z<z>].tif

Some exports put a UUID right after the channel (`_w1A52B1177-9DC7-4534-9623-9DCA396EFA00.tif`), leave `_s` out for a
single site, and `_w` for a single channel. `ZStep_0` is a projection that the microscope's program made: it is left
out when real planes are there. Files with `_thumb` in the name are thumbnails.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey, well_name, well_position
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.plates.base import ImageRef, PlateFormat, PlateProblem, ProblemKind
from openhcs_runtime.plates.tiff import pixel_size_um, read_plane

_UUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
_NAME = re.compile(
    rf"(?:.*?_)??(?P<well>[A-Z]{{1,2}}\d\d)(?:_s(?P<site>\d+))?(?:_w(?P<channel>\d+?))?(?:_z(?P<z>\d+))?(?:{_UUID})?",
    re.IGNORECASE,
)
_TIMEPOINT = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_ZSTEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)
_SUFFIXES = (".tif", ".tiff")
_PIXEL_SIZE_PROBES = 3


@dataclass(frozen=True)
class ImageXpressPlate:
    """A folder of ImageXpress-style TIFF files (see `openhcs_runtime.plates.base.Plate`)."""

    path: Path
    images: Mapping[str, tuple[ImageRef, ...]]
    missing: Mapping[str, tuple[ImageKey, ...]]
    problems: tuple[PlateProblem, ...]
    components: Mapping[Component, tuple[str | int, ...]]
    format: PlateFormat = PlateFormat.IMAGEXPRESS

    @property
    def wells(self) -> tuple[str, ...]:
        """The wells that have images, in plate order."""
        return tuple(self.images)

    @cached_property
    def pixel_size_um(self) -> float | None:
        """Edge of a pixel in micrometres, from the first images that can be read."""
        candidates = (image.path for images in self.images.values() for image in images)
        for path, _ in zip(candidates, range(_PIXEL_SIZE_PROBES), strict=False):
            if (size := pixel_size_um(path)) is not None:
                return size
        return None

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """The pixels of one image, 2D (Y, X). Raises ImageError."""
        return read_plane(image.path)


def open_imagexpress(folder: Path) -> ImageXpressPlate:
    """List the images of `folder`.

    Raises PlateError when it holds none, OSError when it can't be listed.
    """
    found = [_parse(*file) for file in _files(folder)]
    problems = [entry for entry in found if isinstance(entry, PlateProblem)]
    parsed = [entry for entry in found if not isinstance(entry, PlateProblem)]
    images, more = _sort_out(parsed)
    if not images:
        raise PlateError(_nothing_found(folder, len(problems)))
    missing = _missing_images(images)
    gaps = [_gap(well, keys) for well, keys in missing.items()]
    everything = [image.key for refs in images.values() for image in refs]
    return ImageXpressPlate(
        path=folder,
        images=images,
        missing=missing,
        problems=(*sorted(problems + more, key=lambda problem: problem.message), *gaps),
        components={
            component: tuple(images)
            if component is Component.WELL
            else tuple(sorted({key.value(component) for key in everything}))
            for component in Component
        },
    )


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One image file and which components its name spells out."""

    image: ImageRef
    names_channel: bool
    from_zstep_0: bool


def _files(folder: Path) -> Iterator[tuple[os.DirEntry[str], int | None, int | None]]:
    """Every TIFF file with the time point and z index of the folders it lies in (None: none of its own)."""
    own = _TIMEPOINT.fullmatch(folder.name)
    timepoint_folders = False
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if (match := _TIMEPOINT.fullmatch(entry.name)) and entry.is_dir():
            timepoint_folders = True
            yield from _files_of_timepoint(entry.path, int(match[1]))
    if not timepoint_folders:
        yield from _files_of_timepoint(str(folder), int(own[1]) if own else None)
    else:
        yield from ((entry, None, None) for entry in listed if _is_image(entry))


def _files_of_timepoint(
    folder: str, timepoint: int | None
) -> Iterator[tuple[os.DirEntry[str], int | None, int | None]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if (match := _ZSTEP.fullmatch(entry.name)) and entry.is_dir():
                with os.scandir(entry.path) as planes:
                    yield from ((plane, timepoint, int(match[1])) for plane in planes if _is_image(plane))
            elif _is_image(entry):
                yield entry, timepoint, None


def _is_image(entry: os.DirEntry[str]) -> bool:
    name = entry.name.lower()
    return name.endswith(_SUFFIXES) and "_thumb" not in name and not name.startswith(".") and entry.is_file()


def _parse(entry: os.DirEntry[str], timepoint: int | None, z_step: int | None) -> _Parsed | PlateProblem:
    match = _NAME.fullmatch(os.path.splitext(entry.name)[0])
    try:
        row, column = well_position(match["well"]) if match else (-1, -1)
    except ValueError:
        match = None
    if match is None:
        return PlateProblem(ProblemKind.STRAY_FILE, f"{entry.name} is no image of the plate: its name has no well")
    stat = entry.stat()
    key = ImageKey(
        well=well_name(row, column),
        site=int(match["site"] or 1),
        channel=int(match["channel"] or 1),
        z_index=int(match["z"]) if match["z"] else 1 if z_step is None else z_step,
        timepoint=1 if timepoint is None else timepoint,
    )
    return _Parsed(
        ImageRef(key, entry.path, stat.st_size, stat.st_mtime_ns),
        names_channel=match["channel"] is not None,
        from_zstep_0=z_step == 0 and not match["z"],
    )


def _sort_out(parsed: list[_Parsed]) -> tuple[dict[str, tuple[ImageRef, ...]], list[PlateProblem]]:
    """Images by well in plate order, and the files left out: doubles, projections, and names that say less than the
    others."""
    problems = []
    channels_named = any(entry.names_channel for entry in parsed)
    real_planes = any(entry.image.key.z_index > 0 for entry in parsed)
    by_key: dict[ImageKey, ImageRef] = {}
    for entry in sorted(parsed, key=lambda entry: entry.image.path):
        image, name = entry.image, os.path.basename(entry.image.path)
        if entry.from_zstep_0 and real_planes:
            continue
        if entry.from_zstep_0:
            image = replace(image, key=replace(image.key, z_index=1))
        if channels_named and not entry.names_channel:
            problems.append(PlateProblem(ProblemKind.STRAY_FILE, f"{name} names no channel while other images do"))
        elif image.key in by_key:
            first = os.path.basename(by_key[image.key].path)
            problems.append(
                PlateProblem(
                    ProblemKind.DUPLICATE, f"{name} is the same image as {first}; it is left out", image.key.well
                )
            )
        else:
            by_key[image.key] = image
    wells: defaultdict[str, list[ImageRef]] = defaultdict(list)
    for image in by_key.values():
        wells[image.key.well].append(image)
    ordered = sorted(wells, key=well_position)
    return {well: tuple(sorted(wells[well], key=lambda image: image.key)) for well in ordered}, problems


def _missing_images(images: Mapping[str, tuple[ImageRef, ...]]) -> dict[str, tuple[ImageKey, ...]]:
    """The images that wells lack.

    Expected of a well are all combinations of its own component values and those which most wells have: a hole in a
    regular plate is found, and a plate in which some wells have more sites by design is not full of holes.
    """
    others = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)
    own = {
        well: tuple(frozenset(int(image.key.value(component)) for image in refs) for component in others)
        for well, refs in images.items()
    }
    common = []
    for position in range(len(others)):
        counts = Counter(value for values in own.values() for value in values[position])
        common.append(frozenset(value for value, wells in counts.items() if wells * 2 > len(images)))
    missing = {}
    for well, refs in images.items():
        expected = [sorted(own[well][position] | common[position]) for position in range(len(others))]
        wanted = 1
        for values in expected:
            wanted *= len(values)
        if wanted == len(refs):
            continue
        present = {image.key for image in refs}
        lacking = (ImageKey(well, *values) for values in product(*expected))
        missing[well] = tuple(key for key in lacking if key not in present)
    return missing


def _gap(well: str, keys: tuple[ImageKey, ...]) -> PlateProblem:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return PlateProblem(ProblemKind.GAP, f"no image of {keys[0].describe()}{more}", well)


def _nothing_found(folder: Path, strays: int) -> str:
    nested = next((path.parent for path in sorted(folder.glob("*/TimePoint_*"))[:1]), None)
    if nested is not None:
        return f"no images in {folder}, but {nested.name} in it looks like a plate: name {nested}"
    if strays:
        return (
            f"no images of a plate in {folder}: none of its {strays} TIFF files is named "
            "<prefix>_<well>_s<site>_w<channel>.tif"
        )
    return f"no images in {folder} (expected TIFF files named <prefix>_<well>_s<site>_w<channel>.tif)"
