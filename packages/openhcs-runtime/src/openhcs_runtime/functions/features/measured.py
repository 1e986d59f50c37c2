"""Measures groups of features of the objects of one site in all of its channels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openhcs_runtime.functions.features.arguments import distances_problems, number_problems, refuse, whole_problems
from openhcs_runtime.functions.features.catalogue import FeatureGroup
from openhcs_runtime.functions.features.colocalisation import ChannelPixels, colocalisation
from openhcs_runtime.functions.features.costes import costes
from openhcs_runtime.functions.features.granularity import Granularity, GranularitySettings
from openhcs_runtime.functions.features.hulls import hulls
from openhcs_runtime.functions.features.intensity import intensity
from openhcs_runtime.functions.features.radial import Rings
from openhcs_runtime.functions.features.regions import Columns, Regions
from openhcs_runtime.functions.features.shape import in_micrometres, shape
from openhcs_runtime.functions.features.texture import grey_levels, texture
from openhcs_runtime.functions.features.zernike import zernike

IN_SITES = (
    FeatureGroup.SHAPE,
    FeatureGroup.ZERNIKE,
    FeatureGroup.INTENSITY,
    FeatureGroup.RADIAL,
    FeatureGroup.GRANULARITY,
    FeatureGroup.TEXTURE,
    FeatureGroup.COLOCALISATION,
)
"""The groups that are measured here."""
_FINE_GRID = 65535
_COARSEST_GRID = 255
_MOST_RINGS = 100


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """What is measured, and how.

    Attributes:
        groups: The groups of features.
        intensity_max: The largest value that a pixel can have, for texture and Costes' threshold [default: that of
            unsigned images of 8 or 16 bits].
        distances_px: Distances of the pairs of pixels of the texture.
        rings: Number of rings of the radial distribution.
        granularity: How granularity is measured.
        pixel_size_um: Edge length of a pixel in micrometres; None if unknown.
    """

    groups: tuple[FeatureGroup, ...] = IN_SITES
    intensity_max: float | None = None
    distances_px: tuple[int, ...] = (3,)
    rings: int = 4
    granularity: GranularitySettings = field(default_factory=GranularitySettings)
    pixel_size_um: float | None = None

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.intensity_max is not None:
            yield from number_problems("intensity_max", self.intensity_max, above=True)
        yield from distances_problems("distances_px", self.distances_px)
        yield from whole_problems("rings", self.rings, 1, _MOST_RINGS)


@dataclass(frozen=True, slots=True)
class SiteFeatures:
    """The features of the objects of a site.

    Attributes:
        numbers: The labels of the objects, (n,).
        common: Columns that do not depend on one channel.
        channels: The columns of each channel.
    """

    numbers: NDArray[np.int64]
    common: Columns
    channels: tuple[Columns, ...]


def measure_site(
    planes: Sequence[NDArray[Any]], channels: Sequence[str], labels: NDArray[Any], settings: FeatureSettings
) -> SiteFeatures:
    """Return the features of the objects of a site.

    Args:
        planes: The image (Y, X) of each channel.
        channels: The name of each channel.
        labels: Integer labels (Y, X).
        settings: What is measured, and how.

    Raises:
        ValueError: The largest value of a pixel is not known, or an image has larger ones.
    """
    regions = Regions.of(labels)
    found = SiteFeatures(regions.numbers, {}, tuple({} for _ in planes))
    if not len(regions):
        return found
    _add_shapes(found, regions, planes, settings)
    for columns, plane, channel in zip(found.channels, planes, channels, strict=True):
        if FeatureGroup.INTENSITY in settings.groups:
            columns.update(intensity(regions, plane))
            columns.update(in_micrometres(columns, settings.pixel_size_um))
        if FeatureGroup.TEXTURE in settings.groups:
            grey = grey_levels(plane, largest_value(plane, channel, settings.intensity_max))
            columns.update(texture(regions, grey, settings.distances_px))
    _add_distributions(found, regions, planes, settings)
    if FeatureGroup.COLOCALISATION in settings.groups and len(planes) > 1:
        found.common.update(_pairs(regions, planes, channels, settings.intensity_max))
    return _without_unknown(found, regions, planes)


def largest_value(plane: NDArray[Any], channel: str, given: float | None) -> float:
    """Return the largest value that a pixel can have.

    Raises:
        ValueError: It is not known, or a pixel has a larger one.
    """
    if given is None:
        if plane.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"the largest value that a pixel of channel {channel} can have is not known, since its images are "
                f"{plane.dtype}: set intensity_max, such as intensity_max=65535"
            )
        return float(np.iinfo(plane.dtype).max)
    highest = float(plane.max(initial=0, where=np.isfinite(plane)))
    if highest > given:
        raise ValueError(
            f"channel {channel} has a pixel of {highest:g}, above intensity_max={given:g}: set intensity_max to the "
            "largest value that a pixel can have"
        )
    return given


def _add_shapes(
    found: SiteFeatures, regions: Regions, planes: Sequence[NDArray[Any]], settings: FeatureSettings
) -> None:
    groups = settings.groups
    if FeatureGroup.SHAPE not in groups and FeatureGroup.ZERNIKE not in groups:
        return
    corners = hulls(regions)
    if FeatureGroup.SHAPE in groups:
        columns = shape(regions, corners)
        found.common.update(columns | in_micrometres(columns, settings.pixel_size_um))
    if FeatureGroup.ZERNIKE in groups:
        zernikes = zernike(regions, corners, list(planes))
        found.common.update(zernikes.shape)
        for columns, radial in zip(found.channels, zernikes.radial, strict=True):
            columns.update(radial)


def _add_distributions(
    found: SiteFeatures, regions: Regions, planes: Sequence[NDArray[Any]], settings: FeatureSettings
) -> None:
    if FeatureGroup.RADIAL in settings.groups:
        rings = Rings.of(regions, settings.rings)
        for columns, plane in zip(found.channels, planes, strict=True):
            columns.update(rings.measure(plane))
    if FeatureGroup.GRANULARITY in settings.groups:
        granularity = Granularity(regions, settings.granularity)
        for columns, plane in zip(found.channels, planes, strict=True):
            columns.update(granularity(plane))


def _pairs(
    regions: Regions, planes: Sequence[NDArray[Any]], channels: Sequence[str], intensity_max: float | None
) -> Columns:
    scales = [largest_value(*both, intensity_max) for both in zip(planes, channels, strict=True)]
    pixels = [ChannelPixels.of(regions, plane) for plane in planes]
    columns: Columns = {}
    for one, other in combinations(range(len(planes)), 2):
        first, second = channels[one], channels[other]
        columns |= colocalisation(pixels[one], pixels[other], first, second)
        columns |= costes(
            regions.segments,
            pixels[one].values / scales[one],
            pixels[other].values / scales[other],
            scale=int(scales[one]) if scales[one] >= _COARSEST_GRID else _FINE_GRID,
            first=first,
            second=second,
        )
    return columns


def _without_unknown(found: SiteFeatures, regions: Regions, planes: Sequence[NDArray[Any]]) -> SiteFeatures:
    """Return the features with NaN for the brightness of objects that have a pixel that is not finite."""
    channels = []
    for columns, plane in zip(found.channels, planes, strict=True):
        known = regions.where_all(np.isfinite(regions.values(plane)))
        spoilt = ("intensity_", "mass_displacement", "texture_", "radial_")
        channels.append(
            {
                name: np.where(known, values, np.nan) if name.startswith(spoilt) and not known.all() else values
                for name, values in columns.items()
            }
        )
    return SiteFeatures(found.numbers, found.common, tuple(channels))
