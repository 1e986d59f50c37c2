"""What a view shows of a field of view, or of all sites of a well: planes, label images, and what could not be read."""

import asyncio
import functools
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from openhcs_gui_services.services.images.labels import LabelFile, find_label_files
from openhcs_gui_services.services.images.mosaic import SitePlan, assemble, plan_sites
from openhcs_gui_services.services.images.opened import OpenPlate
from openhcs_gui_services.services.images.pyramid import Pyramid
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.services.images.set_names import name_sets
from openhcs_gui_services.services.images.source import ImagePlace
from openhcs_runtime.exceptions import ImageError, OpenHCSError

__all__ = ["LabelSet", "Picture", "load_all_sites", "load_labels", "load_site"]


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """The labels of a set of objects in a field of view.

    Attributes:
        of: the file that they are in.
        labels: the label image (Y, X).
    """

    of: LabelFile
    labels: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The planes of a field of view, or of all sites of a well.

    Attributes:
        place: the field of view; of all sites, the one that was chosen last.
        shape: rows and columns in pixels of an image.
        planes: the plane of each channel that could be read, by number.
        problems: a sentence for each image that could not be read, which names it and says what to do.
        plan: where the sites lie, if all are shown.
        lost: sites of which no channel could be read.
        size: pixels of an image for one pixel of the planes.
    """

    place: ImagePlace
    shape: tuple[int, int]
    planes: Mapping[int, Pyramid]
    problems: tuple[str, ...] = ()
    plan: SitePlan | None = None
    lost: tuple[int, ...] = ()
    size: int = 1


async def load_site(images: PlateImages, plate: OpenPlate, place: ImagePlace, channels: Sequence[int]) -> Picture:
    """Read the channels of a field of view; those that can't be read are among the problems.

    Raises:
        PlateError: the folder is away.
    """
    read = (images.pyramid(plate.source, place, channel) for channel in channels)
    found = await _all_of(read)
    planes = {channel: one for channel, one in zip(channels, found, strict=True) if isinstance(one, Pyramid)}
    problems = [_sentence(one) for one in found if isinstance(one, ImageError)]
    shapes = {plane.plane.shape for plane in planes.values()}
    shape = max(shapes, default=(1, 1))
    return Picture(place, (shape[0], shape[1]), planes, tuple(dict.fromkeys(problems)))


async def load_all_sites(images: PlateImages, plate: OpenPlate, place: ImagePlace, channels: Sequence[int]) -> Picture:
    """Read all sites of a well at a reduced resolution, as one picture.

    Raises:
        PlateError: the folder is away.
        ImageError: the well has no image that can be read.
    """
    sites = plate.sites_of(place.well)
    first = next(iter(plate.plate.images.get(place.well, ())), None)
    if first is None:
        raise ImageError(f"well {place.well} has no images in {plate.source.path}: copy them from the microscope again")
    shape = await images.shape(plate, first)
    plan = await images.call(
        ("sites", plate.source, place.well), functools.partial(plan_sites, plate, place.well, sites, shape)
    )
    where = [(site, channel) for channel in channels for site in sites]
    read = (
        images.pyramid(plate.source, ImagePlace(place.well, site, place.z_index, place.timepoint), channel, plan.level)
        for site, channel in where
    )
    found = dict(zip(where, await _all_of(read), strict=True))
    planes = {}
    for channel in channels:
        tiles = {site: tile for site in sites if isinstance(tile := found[site, channel], Pyramid)}
        if tiles:
            planes[channel] = await images.call(("mosaic", place, channel), functools.partial(assemble, plan, tiles))
    problems = tuple(dict.fromkeys(_sentence(one) for one in found.values() if isinstance(one, ImageError)))
    lost = tuple(site for site in sites if all(isinstance(found[site, channel], ImageError) for channel in channels))
    return Picture(place, plan.shape, planes, problems, plan, lost, 2**plan.level)


async def load_labels(images: PlateImages, run: Path, place: ImagePlace) -> tuple[Mapping[str, LabelSet], str]:
    """Read the label images that a run has of a field of view.

    Returns:
        The labels by name of the set, and a sentence about what could not be read; empty if everything was.
    """
    try:
        files = await images.call(("labels", run, place), functools.partial(find_label_files, run, place))
    except OpenHCSError as error:
        return {}, _sentence(error)
    found = await _all_of([images.labels(one.file, one.digest) for one in files])
    problems = [_sentence(one) for one in found if isinstance(one, ImageError)]
    read = [(file, one) for file, one in zip(files, found, strict=True) if not isinstance(one, ImageError)]
    names: Sequence[str] = [file.name for file, _ in read]
    if len(read) > 1:
        call = functools.partial(name_sets, run, [file for file, _ in read], [labels for _, labels in read])
        try:
            names = await images.call(("names", run, place), call)
        except OpenHCSError as error:
            problems.append(_sentence(error))
    sets = {
        name if names.count(name) == 1 else f"{name}, channel {file.key.channel}": LabelSet(file, labels)
        for name, (file, labels) in zip(names, read, strict=True)
    }
    return sets, " ".join(problems)


async def _all_of(readings: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Return what each reading gives, or the error of an image that can't be read."""
    found = await asyncio.gather(*readings, return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, ImageError):
            raise one
    return found


def _sentence(error: OpenHCSError) -> str:
    """Return the message of an error as a sentence, with what to do if it does not say that."""
    text = str(error)
    remedy = "" if ": " in text and text.rstrip(".").endswith("again") else ". Copy the file again, then press F5"
    return f"{text[:1].upper()}{text[1:]}{remedy}."
