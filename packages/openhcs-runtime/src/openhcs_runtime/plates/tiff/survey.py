"""A survey of the TIFF files of a plate before reading them: which can't be read, which differ, which have pages.

A plate of up to ``SURVEYED`` files is examined completely; in a larger plate the same number of files is examined,
spread over the plate and including one of each file size per channel. Compiling examines all files of the selected
wells.
"""

import math
import os
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import tifffile
from msgspec import structs

from openhcs_runtime.components import Component
from openhcs_runtime.exceptions import ImageError
from openhcs_runtime.plates.base import ImageRef, PlateProblem, ProblemKind
from openhcs_runtime.plates.image_kinds import ImageKind, mixed_problem
from openhcs_runtime.plates.image_table import ImageTable
from openhcs_runtime.plates.pages import PageOrder
from openhcs_runtime.plates.tiff.heads import TiffHead, tiff_head
from openhcs_runtime.plates.tiff.opened import open_tiff
from openhcs_runtime.plates.tiff.page import is_white_zero, refusal
from openhcs_runtime.plates.tiff.read import errors_named, full_pages, planes_of_first_page
from openhcs_runtime.stores.path import is_url

SURVEYED = 256
_MOST_PLANES = 1_000_000
_AXES = {"C": Component.CHANNEL, "Z": Component.Z_INDEX, "T": Component.TIMEPOINT}
_WORDS = {Component.CHANNEL: "channels", Component.Z_INDEX: "planes", Component.TIMEPOINT: "time points"}


@dataclass(frozen=True, slots=True)
class _Plane:
    """A page and what it shows: channel, plane and time point, numbered from 1, if the file has them."""

    page: int
    shows: dict[Component, int]


@dataclass(frozen=True, slots=True)
class _Look:
    """The result of examining a file.

    Attributes:
        kind: Size and type of its images.
        refused: Why it can't be read.
        damaged: Why it is not a TIFF, or not a complete one.
        white_is_zero: Whether bright pixels have low values.
        planes: The planes of a multi-page file.
    """

    kind: ImageKind | None = None
    refused: str = ""
    damaged: str = ""
    white_is_zero: bool = False
    planes: tuple[_Plane, ...] = ()


@dataclass(slots=True)
class Survey:
    """The results of examining some images."""

    kinds: Counter[ImageKind] = field(default_factory=Counter)
    examples: dict[ImageKind, str] = field(default_factory=dict)
    refused: defaultdict[str, list[ImageRef]] = field(default_factory=lambda: defaultdict(list))
    damaged: list[tuple[str, str]] = field(default_factory=list)
    white_is_zero: list[ImageRef] = field(default_factory=list)
    looks: dict[str, _Look] = field(default_factory=dict)
    """Results for multi-page files, by path."""

    def sort(self) -> None:
        """Put what was found into the order of the paths."""
        self.damaged.sort()
        for images in (self.white_is_zero, *self.refused.values()):
            images.sort(key=attrgetter("path"))
        in_order = sorted(self.refused.items(), key=lambda item: item[1][0].path)
        self.refused = defaultdict(list, in_order)

    def problems(self) -> list[PlateProblem]:
        """Return the problems to report about the images."""
        found = [_problem(ProblemKind.UNREADABLE, images, reason) for reason, images in self.refused.items()]
        found += [PlateProblem(ProblemKind.UNREADABLE, text) for _, text in self.damaged]
        if self.white_is_zero:
            reason = "it stores white as zero and is inverted when read"
            found.append(_problem(ProblemKind.NOTE, self.white_is_zero, reason))
        return found + mixed_problem(self.kinds, {kind: os.path.basename(path) for kind, path in self.examples.items()})


def survey(images: Iterable[ImageRef], pages: PageOrder | None = None) -> Survey:
    """Examine the files of images; what is found does not depend on their order.

    Args:
        images: The images.
        pages: What the pages of files are that don't describe them.
    """
    found = Survey()
    known: dict[TiffHead, _Look] = {}
    for image in _on_the_net(images):
        try:
            head = tiff_head(image.path, image.size)
        except OSError:
            continue  # it can't be opened: reading it will report why
        look = known.get(head) if head is not None else None
        if look is None:
            look = _look(image.path, pages)
            if head is not None and not head.has_more and not look.damaged:
                known[head] = look
        _take(found, image, look)
    found.sort()
    return found


def with_pages(
    images: Sequence[ImageRef], most: int | None = SURVEYED, pages: PageOrder | None = None
) -> tuple[Sequence[ImageRef], list[PlateProblem]]:
    """Replace multi-page files by one image per plane.

    A multi-page file has to describe its planes (OME-XML, ImageJ, or the axes that tifffile writes), and the file names
    of the plate must not contain the same components.

    Args:
        images: The images of a plate, one per file.
        most: The largest number of files to examine; None for all.
        pages: What the pages of files are that don't describe them.

    Returns:
        The same object if there are no multi-page files, otherwise a list; and the problems to report.
    """
    chosen = _chosen(images, most)
    found = survey(chosen, pages)
    if found.looks and chosen is not images:
        found = survey(images, pages)
    if not found.looks:
        return images, found.problems()
    named = {component for component in _AXES.values() if any(image.key.value(component) != 1 for image in images)}
    expanded: list[ImageRef] = []
    for image in images:
        look = found.looks.get(image.path)
        twice = next((one for plane in look.planes for one in plane.shows if one in named), None) if look else None
        if look is None or look.refused:
            expanded.append(image)
        elif twice is not None:
            text = (
                f"it has several {_WORDS[twice]}, but the file names of the plate distinguish {_WORDS[twice]} as well"
            )
            found.refused[text].append(image)
            expanded.append(image)
        else:
            expanded += [_of_page(image, plane) for plane in look.planes]
    return expanded, found.problems()


def refusals(images: Iterable[ImageRef]) -> list[str]:
    """Return a line for each reason why some of these images can't be read; all of them are examined."""
    found = survey(image for image in images if not image.index)
    return [_problem(ProblemKind.UNREADABLE, of, reason).message for reason, of in found.refused.items()]


def _chosen(images: Sequence[ImageRef], most: int | None) -> Sequence[ImageRef]:
    if most is None or len(images) <= most:
        return images
    chosen = images[:: math.ceil(2 * len(images) / most)]
    if isinstance(images, ImageTable):
        kinds = images.one_of_each_size()
        return [*chosen, *(images[int(row)] for row in kinds[:: math.ceil(2 * len(kinds) / most)])]
    each = list({(image.key.channel, image.size): image for image in images}.values())
    return [*chosen, *each[:: math.ceil(2 * len(each) / most)]]


def _on_the_net(images: Iterable[ImageRef]) -> Iterable[ImageRef]:
    """Return the images, of those on the net one of each channel and size: they are read as a whole."""
    seen: set[tuple[int, int]] = set()
    for image in images:
        if not is_url(image.path):
            yield image
        elif (kind := (image.key.channel, image.size)) not in seen:
            seen.add(kind)
            yield image


def _take(found: Survey, image: ImageRef, look: _Look) -> None:
    if look.damaged:
        found.damaged.append((image.path, look.damaged))
        return
    if look.kind is not None and not look.refused:
        found.kinds[look.kind] += 1
        found.examples[look.kind] = min(image.path, found.examples.get(look.kind, image.path))
    if look.refused:
        found.refused[look.refused].append(image)
    if look.white_is_zero and not look.refused:
        found.white_is_zero.append(image)
    if look.planes:
        found.looks[image.path] = look


def _problem(kind: ProblemKind, images: Sequence[ImageRef], reason: str) -> PlateProblem:
    name, wells = os.path.basename(images[0].path), {image.key.well for image in images}
    what = f"image {name}" if len(images) == 1 else f"{len(images):,} images, such as {name}"
    verb = " can't be used" if kind is ProblemKind.UNREADABLE else ""
    return PlateProblem(kind, f"{what}{verb}: {reason}", wells.pop() if len(wells) == 1 else "")


def _of_page(image: ImageRef, plane: _Plane) -> ImageRef:
    key, shows = image.key, plane.shows
    shown = structs.replace(
        key,
        channel=shows.get(Component.CHANNEL, key.channel),
        z_index=shows.get(Component.Z_INDEX, key.z_index),
        timepoint=shows.get(Component.TIMEPOINT, key.timepoint),
    )
    return structs.replace(image, key=shown, index=(plane.page,))


def _look(path: str, order: PageOrder | None) -> _Look:
    """Examine one file in full."""
    try:
        with errors_named(path), open_tiff(path) as tiff:
            first = tiff.pages.first
            assert isinstance(first, tifffile.TiffPage)
            if reason := refusal(first):
                return _Look(refused=reason)
            kind = ImageKind((first.imagelength, first.imagewidth), str(first.dtype))
            white = is_white_zero(first)
            pages = full_pages(tiff)
            if pages > 1:
                planes, reason = _planes(tiff, order)
                return _Look(kind, reason, white_is_zero=white, planes=planes)
            if first.is_reduced and len(tiff.pages) > 1:
                return _Look(refused="its first page is a thumbnail of another page")
            if (count := planes_of_first_page(tiff)) > 1:
                return _Look(kind, f"it has {count} planes in one page: save each as a separate page")
            return _Look(kind, white_is_zero=white)
    except ImageError as error:
        return _Look(damaged=str(error))


def _planes(tiff: tifffile.TiffFile, order: PageOrder | None) -> tuple[tuple[_Plane, ...], str]:
    """Return what each page shows, or the reason why that is not clear."""
    pages = full_pages(tiff)
    unclear = f"it has {pages} pages but does not say what they are: use --pages, or pages= in PipelineConfig"
    if (planes := _described_planes(tiff)) > max(pages, _MOST_PLANES):
        return (), f"it has {pages} pages but describes {planes}"
    series = tiff.series
    if len(series) != 1:
        return (), f"it has {len(series)} images with {pages} pages in total"
    axes, shape, parts = series[0].axes, series[0].shape, series[0].pages
    if any(part is not None and part.parent is not tiff for part in parts):
        return (), "according to its OME-XML, its planes are in several files"
    if axes[-2:] != "YX" or any(
        length > 1 and axis not in _AXES for axis, length in zip(axes[:-2], shape, strict=False)
    ):
        return ((), unclear) if order is None or axes[-2:] != "YX" else _ordered(parts, order)
    if len(parts) != math.prod(shape[:-2]) or any(part is None for part in parts) or len(parts) != pages:
        return (), f"it has {pages} pages but describes {math.prod(shape[:-2])}"
    return tuple(_numbered(tiff, axes, shape)), ""


def _described_planes(tiff: tifffile.TiffFile) -> int:
    """Return the number of planes in the OME-XML, 0 if there is none: tifffile makes a list of that length."""
    if not tiff.is_ome or not tiff.ome_metadata:
        return 0
    try:
        pixels = [one for one in ET.fromstring(tiff.ome_metadata).iter() if one.tag.rpartition("}")[2] == "Pixels"]
        return sum(math.prod(int(one.get(f"Size{axis}", "1")) for axis in "CZT") for one in pixels)
    except (ET.ParseError, ValueError):
        return 0  # tifffile judges it


def _ordered(
    parts: Sequence[tifffile.TiffPage | tifffile.TiffFrame | None], order: PageOrder
) -> tuple[tuple[_Plane, ...], str]:
    """Return what each page shows according to the user."""
    if None in parts:
        return (), "some of its pages are not stored"
    shown = list(order.shows(len(parts)))
    if not shown:
        return (), f"it has {len(parts)} pages, which does not fit --pages"
    return tuple(_Plane(int(part.index), shows) for part, shows in zip(parts, shown, strict=True) if part), ""


def _numbered(tiff: tifffile.TiffFile, axes: str, shape: tuple[int, ...]) -> Iterator[_Plane]:
    for number, part in enumerate(tiff.series[0].pages):
        shows, rest = {}, number
        for axis, length in reversed(list(zip(axes[:-2], shape[:-2], strict=True))):
            rest, place = divmod(rest, length)
            if length > 1:
                shows[_AXES[axis]] = place + 1
        assert part is not None
        yield _Plane(int(part.index), shows)
