"""The plate built from the images that a format has found: their order, duplicates and missing images."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.components import Component, ImageKey, well_position
from openhcs_runtime.exceptions import printable
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind, StagePosition
from openhcs_runtime.plates.format import Listing, Metadata, PlateFormat
from openhcs_runtime.plates.formats import format_named
from openhcs_runtime.plates.image_files import ImageFiles, ImageNotes
from openhcs_runtime.plates.image_table import ImageTable, Numbers, WellImages
from openhcs_runtime.plates.lengths import agreed_length, z_step
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.planned import EqualPlans
from openhcs_runtime.plates.table_builder import table_of
from openhcs_runtime.plates.well_ranges import number_ranges, well_ranges
from openhcs_runtime.stores.path import AnyPath, StorePath

_SMALLEST_UM, _LARGEST_UM = 0.001, 1000.0
"""Pixel sizes beyond these are mistakes, such as a wrong unit."""
_FIRST_PROBES = 3
_MOST_PROBES = 16
_NUMBERED = (Component.SITE, Component.CHANNEL, Component.Z_INDEX, Component.TIMEPOINT)
_WORDS = {
    Component.SITE: "site",
    Component.CHANNEL: "channel",
    Component.Z_INDEX: "z",
    Component.TIMEPOINT: "time point",
}


@dataclass(frozen=True)
class FolderPlate:
    """A plate of any format in a folder (see ``openhcs_runtime.plates.base.Plate``)."""

    path: AnyPath
    format: str
    images: Mapping[str, WellImages]
    missing: Mapping[str, tuple[ImageKey, ...]]
    problems: tuple[PlateProblem, ...]
    components: Mapping[Component, tuple[str | int, ...]]
    metadata: Metadata

    @property
    def wells(self) -> tuple[str, ...]:
        """The wells in plate order; a well can have no images if none of them can be opened."""
        return tuple(self.images)

    @cached_property
    def channel_names(self) -> Mapping[int, str]:
        """Names of the channels that have one: from the metadata, otherwise from the first files of several planes."""
        if self.metadata.channel_names or not any(image.index for image in self._firsts):
            return self.metadata.channel_names
        return _one_line(_agreed_names(zip(self._firsts, self._first_notes, strict=True)))

    @property
    def excitation_nm(self) -> Mapping[int, float]:
        """Excitation wavelengths of channels in nanometres, where known."""
        return self.metadata.excitation_nm

    @property
    def emission_nm(self) -> Mapping[int, float]:
        """Emission wavelengths of channels in nanometres, where known."""
        return self.metadata.emission_nm

    @property
    def shape(self) -> tuple[int, int] | None:
        """Numbers of rows and columns of the plate; None if the metadata don't have them."""
        return self.metadata.shape

    @property
    def time_step_s(self) -> float | None:
        """Time between time points in seconds; None if the metadata don't have it, or for a single time point."""
        return self.metadata.time_step_s if len(self.components[Component.TIMEPOINT]) > 1 else None

    @property
    def planned(self) -> Mapping[str, tuple[ImageKey, ...]]:
        """The images of each well that the plate's description plans; empty without a description."""
        return self.metadata.planned

    @property
    def left_out(self) -> int:
        """Number of image files in the plate folder that are not images of the plate."""
        return sum(problem.left_out for problem in self.problems)

    @property
    def pixel_size_um(self) -> float | None:
        """Edge length of a pixel in micrometres; None if it is unknown, or stated as one that no microscope has."""
        size = self.stated_size_um
        return size if size is not None and _SMALLEST_UM <= size <= _LARGEST_UM else None

    @cached_property
    def stated_size_um(self) -> float | None:
        """The pixel size as stated in the metadata, otherwise in the first readable images."""
        if self.metadata.pixel_size_um is not None:
            return self.metadata.pixel_size_um
        return agreed_length([notes.pixel_size_um for notes in self._first_notes])

    @cached_property
    def z_step_um(self) -> float | None:
        """Distance between planes in micrometres; None for a plate without stacks.

        It comes from the metadata, otherwise from the first images, otherwise from the heights of a stack's planes.
        """
        if len(self.components[Component.Z_INDEX]) < 2:
            return None
        if self.metadata.z_step_um is not None:
            return self.metadata.z_step_um
        return agreed_length([notes.z_step_um for notes in self._first_notes]) or self._measured_step()

    @property
    def has_positions(self) -> bool:
        """Whether stage positions are known: from the metadata, otherwise from the first images."""
        return bool(self.metadata.positions) or any(notes.position is not None for notes in self._first_notes)

    @cached_property
    def positions(self) -> Mapping[tuple[str, int], StagePosition]:
        """Stage position of each (well, site).

        It comes from the metadata, otherwise from the images: the first image of each site is opened.
        """
        if self.metadata.positions or not self.has_positions:
            return self.metadata.positions
        found = ((where, self._files.notes(image).position) for where, image in self._first_of_sites())
        return {where: position for where, position in found if position is not None}

    def read(self, image: ImageRef) -> NDArray[np.generic]:
        """Return the pixels of one image as a 2D array (Y, X).

        Raises:
            ImageError: If the image can't be read.
        """
        return self._files.read(image)

    @property
    def _files(self) -> ImageFiles:
        return format_named(self.format).files

    def _first_of_sites(self) -> Iterator[tuple[tuple[str, int], ImageRef]]:
        """Yield the first image of each site, with its well and the site."""
        for well, images in self.images.items():
            firsts: dict[int, int] = {}
            for at, numbers in enumerate(images.places()):
                firsts.setdefault(numbers[0], at)
            yield from (((well, site), images[at]) for site, at in firsts.items())

    @cached_property
    def _firsts(self) -> tuple[ImageRef, ...]:
        """An image in each of the first files, and in the first file of each channel."""
        few: dict[str, ImageRef] = {}
        for image in chain.from_iterable(self.images.values()):
            few.setdefault(image.path, image)
            if len(few) == _FIRST_PROBES:
                break
        for image in self._first_of_channels():
            few.setdefault(image.path, image)
        return tuple(few.values())[:_MOST_PROBES]

    def _first_of_channels(self) -> Iterator[ImageRef]:
        """Yield the first image of each channel, that of the last channel of the last well first."""
        left = set(self.components[Component.CHANNEL])
        firsts: dict[int, ImageRef] = {}
        for images in self.images.values():
            for at, numbers in enumerate(images.places() if left else ()):
                if numbers[1] in left:
                    firsts[numbers[1]] = images[at]
                    left.remove(numbers[1])
        channels = (numbers[1] for well in reversed(self.wells) for numbers in reversed(self.images[well].places()))
        return (firsts[channel] for channel in _distinct(channels, len(firsts)))

    @cached_property
    def _first_notes(self) -> tuple[ImageNotes, ...]:
        return tuple(map(self._files.notes, self._firsts))

    def _measured_step(self) -> float | None:
        for images in self.images.values():
            stacks: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
            for at, (site, channel, _, timepoint) in enumerate(images.places()):
                stacks[site, channel, timepoint].append(at)
            if stack := [images[at] for at in next((one for one in stacks.values() if len(one) > 1), [])]:
                if any(image.index for image in stack):
                    return None
                return z_step({image.key.z_index: self._files.notes(image).z_um for image in stack[:_MOST_PROBES]})
        return z_step({})


def _distinct(values: Iterable[int], count: int) -> Iterator[int]:
    """Yield the values that are met first, each once, up to a number of them."""
    seen: set[int] = set()
    for value in values if count else ():
        if value not in seen:
            seen.add(value)
            yield value
            if len(seen) == count:
                return


def list_plate(
    folder: AnyPath, plate_format: PlateFormat, listing: Listing, pages: PageOrder | None = None
) -> FolderPlate:
    """Build the plate from its images; of two images with the same key, the one with the first path is kept.

    Images are missing if the metadata plans them or, without a plan, if most wells have them (see ``_usual``). A
    planned value of a component that no image has is reported once, not for each well: it was not taken or not copied.
    """
    metadata = replace(listing.metadata, channel_names=_one_line(listing.metadata.channel_names))
    files, doubles = _without_doubles(table_of(listing.images))
    expanded, seen = plate_format.files.with_planes(files, pages)
    table = files if expanded is files else _last_of_each(table_of(expanded))
    of_wells = table.wells()
    names = of_wells.keys() | {key.well for key in metadata.lost}
    images = {well: of_wells.get(well, WellImages(table, 0, 0)) for well in sorted(names, key=well_position)}
    places = table.places
    values = {component: tuple(sorted(of)) for component, of in zip(_NUMBERED, _values(places), strict=True)}
    if metadata.planned:
        missing = _lacking(images, places, _planned(metadata.planned))
        absent = _absent(metadata, images, values)
    else:
        missing, absent = _lacking(images, places, _usual(images)), []
    for well, keys in _lost(metadata.lost, images).items():
        missing[well] = tuple(sorted({*missing.get(well, ()), *keys}))
    named = sorted([*listing.problems, *doubles, *seen], key=lambda problem: problem.message)
    gaps = [_gap(well, keys) for well, keys in missing.items()]
    plate = FolderPlate(
        path=folder,
        format=plate_format.name,
        images=images,
        missing=missing,
        problems=(*named, *absent, *gaps),
        components={Component.WELL: tuple(images), **values},
        metadata=metadata,
    )
    odd = _odd_size(plate)
    return replace(plate, problems=(*odd, *plate.problems)) if odd else plate


def _odd_size(plate: FolderPlate) -> list[PlateProblem]:
    """Report a pixel size that is not used; files on the net are not read for it."""
    if plate.metadata.pixel_size_um is None and isinstance(plate.path, StorePath):
        return []
    if plate.stated_size_um is None or plate.pixel_size_um is not None:
        return []
    source = plate.metadata.source if plate.metadata.pixel_size_um is not None else ""
    text = f"the pixel size of {plate.stated_size_um:g} um{f' in {source}' if source else ''} is not used"
    limits = f"it is not between {_SMALLEST_UM:g} and {_LARGEST_UM:g} um"
    return [PlateProblem(ProblemKind.METADATA, f"{text}: {limits}")]


def _lost(lost: Iterable[ImageKey], images: Mapping[str, WellImages]) -> dict[str, list[ImageKey]]:
    """Return the lost images of each well; of a lost site, all images that sites have on this plate."""
    if not lost:
        return {}
    sites = {(well, numbers[0]) for well, refs in images.items() for numbers in refs.places()}
    usual = {numbers[1:] for refs in images.values() for numbers in refs.places()}
    found: defaultdict[str, list[ImageKey]] = defaultdict(list)
    for key in lost:
        is_site = (key.well, key.site) not in sites and _numbers(key)[1:] == (1, 1, 1)
        of_site = [ImageKey(key.well, key.site, *rest) for rest in sorted(usual)] if is_site else []
        found[key.well] += of_site or [key]
    return found


def _one_line(names: Mapping[int, str]) -> dict[int, str]:
    return {channel: printable(name) for channel, name in names.items()}


def _agreed_names(found: Iterable[tuple[ImageRef, ImageNotes]]) -> dict[int, str]:
    """Return the channel names that files state, without those on which they differ.

    The name in a file of one channel is that of the channel in its own name.
    """
    names: defaultdict[int, set[str]] = defaultdict(set)
    for image, notes in found:
        first = image.key.channel if len(notes.channel_names) == 1 else 1
        for channel, name in enumerate(notes.channel_names, start=first):
            names[channel].add(name)
    return {channel: name for channel, of in sorted(names.items()) if len(of) == 1 and (name := min(of))}


def _numbers(key: ImageKey) -> Numbers:
    """Return the values of the numbered components, in their order."""
    return key.site, key.channel, key.z_index, key.timepoint


def _values(places: Iterable[Numbers]) -> tuple[frozenset[int], ...]:
    """Return the values of each numbered component."""
    return tuple(map(frozenset, zip(*set(places), strict=True))) or (frozenset(),) * len(_NUMBERED)


def _without_doubles(images: ImageTable) -> tuple[ImageTable, list[PlateProblem]]:
    doubles = images.doubles()
    if not len(doubles):
        return images, []
    same = _shared_components(images.places)
    rows = sorted(range(len(images)), key=images.columns.path)
    firsts: dict[ImageKey, ImageRef] = {}
    problems, left = [], set()
    among = set(doubles.tolist())
    for row in rows:
        if row not in among:
            continue
        image = images[row]
        first = firsts.setdefault(image.key, image)
        if first is not image:
            left.add(row)
            problems.append(_double(image, first, same))
    return images.take(np.array([row for row in rows if row not in left])), problems


def _double(image: ImageRef, first: ImageRef, same: str) -> PlateProblem:
    name, kept = Path(image.path).name, Path(first.path).name
    if name == kept:
        name, kept = image.path, first.path
    text = f"{name} has the same {same} as {kept}; it is left out"
    return PlateProblem(ProblemKind.DUPLICATE, text, image.key.well, left_out=1)


def _last_of_each(images: ImageTable) -> ImageTable:
    """Return the last of the images with the same key."""
    if not len(images.doubles()):
        return images
    last = {image.key: row for row, image in enumerate(images)}
    return images.take(np.array(list(last.values())))


def _shared_components(places: Iterable[Numbers]) -> str:
    """Name the components of doubles: well, site and channel, and those of which there are several values."""
    several = zip(_NUMBERED, _values(places), strict=True)
    named = [_WORDS[one] for one, values in several if one in (Component.SITE, Component.CHANNEL) or len(values) > 1]
    return f"{', '.join(['well', *named[:-1]])} and {named[-1]}"


def _planned(planned: Mapping[str, Sequence[ImageKey]]) -> Callable[[str], Iterable[Numbers]]:
    """Return a function for the images expected in a well: those in the plan."""
    if isinstance(planned, EqualPlans):
        return lambda well: planned.places if well in planned else ()
    return lambda well: [_numbers(key) for key in planned.get(well, ())]


def _usual(images: Mapping[str, WellImages]) -> Callable[[str], Iterable[Numbers]]:
    """Return a function for the images expected in a well: all combinations of its own values and the usual ones.

    Usual sites are those that most wells have, so a plate where some wells have more sites by design has no gaps.
    Usual channels, planes and time points are those that half of the wells have: they rarely differ by design. Planes
    and time points that lie between others of a well are expected as well.
    """
    layouts = {well: refs.codes.tobytes() for well, refs in images.items()}
    values_of = {layout: _values(images[well].places()) for well, layout in _each_once(layouts)}
    own = {well: values_of[layout] for well, layout in layouts.items()}
    common = []
    for position in range(len(_NUMBERED)):
        counts = Counter(value for values in own.values() for value in values[position])
        least = len(images) // 2 + 1 if _NUMBERED[position] is Component.SITE else max(1, math.ceil(len(images) / 2))
        common.append(frozenset(value for value, wells in counts.items() if wells >= least))

    def expected(well: str) -> Iterable[Numbers]:
        values = [sorted(mine | usual) for mine, usual in zip(own[well], common, strict=True)]
        values[2:] = map(_without_holes, values[2:])
        if math.prod(map(len, values)) == len(images[well]):
            return ()  # none is missing
        return ((site, channel, z, time) for site, channel, z, time in product(*values))

    return expected


def _each_once(layouts: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield a well with each layout."""
    return ((well, layout) for layout, well in {layout: well for well, layout in layouts.items()}.items())


def _without_holes(numbers: list[int]) -> list[int]:
    """Return sorted numbers with those between them; 0 is a projection and not one of them."""
    planes = [number for number in numbers if number]
    return [*numbers[: len(numbers) - len(planes)], *range(planes[0], planes[-1] + 1)] if planes else numbers


def _lacking(
    images: Mapping[str, WellImages], places: Sequence[Numbers], expected: Callable[[str], Iterable[Numbers]]
) -> dict[str, tuple[ImageKey, ...]]:
    """Return the missing images of wells, ignoring planes of a channel, sites and time points that no well has."""
    planes = {(channel, z) for _, channel, z, _ in places}
    sites, timepoints = {numbers[0] for numbers in places}, {numbers[3] for numbers in places}
    missing = {}
    for well, refs in images.items():
        if not (wanted := expected(well)):
            continue
        present = set(refs.places())
        lacking = tuple(
            ImageKey(well, *numbers)
            for numbers in wanted
            if numbers not in present and numbers[1:3] in planes and numbers[0] in sites and numbers[3] in timepoints
        )
        if lacking:
            missing[well] = lacking
    return missing


def _absent(
    metadata: Metadata, images: Mapping[str, WellImages], values: Mapping[Component, tuple[int, ...]]
) -> list[PlateProblem]:
    """Return one problem for all wells without images, and one for all values of a component without images."""
    lines = []
    wells = [well for well in sorted(metadata.planned, key=well_position) if well not in images]
    if wells:
        lines.append(f"no image of well(s) {well_ranges(wells)}, which {metadata.source} lists")
    in_plan = _values(_places_in(metadata.planned))
    for component, planned in zip(_NUMBERED, in_plan, strict=True):
        if lacking := planned.difference(values[component]):
            lines.append(f"no image of {_WORDS[component]} {number_ranges(lacking)}, which {metadata.source} lists")
    return [PlateProblem(ProblemKind.GAP, line) for line in lines]


def _places_in(planned: Mapping[str, Sequence[ImageKey]]) -> Iterable[Numbers]:
    if isinstance(planned, EqualPlans):
        return planned.places
    return (_numbers(key) for keys in planned.values() for key in keys)


def _gap(well: str, keys: tuple[ImageKey, ...]) -> PlateProblem:
    more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
    return PlateProblem(ProblemKind.GAP, f"no image of {keys[0].describe()}{more}", well)
