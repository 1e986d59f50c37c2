"""An opened plate as an image view uses it: which images there are, what its channels are, how large a pixel is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from openhcs_gui_services.services.images.source import ImagePlace, PlateSource
from openhcs_runtime.components import Component, ImageKey
from openhcs_runtime.exceptions import ImageError, PlateError
from openhcs_runtime.plates import ImageRef, Plate, StagePosition, open_plate
from openhcs_runtime.stores.path import is_url
from openhcs_runtime.viewers.colours import channel_colormap
from openhcs_runtime.viewers.metadata import colour_of

__all__ = ["ImageChannel", "OpenPlate", "open_source"]

_WHITE = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class ImageChannel:
    """A channel of a plate.

    Attributes:
        number: its number, from 1.
        name: its name in the plate, such as ``"DAPI"``; ``"Channel 2"`` if it has none.
        colour: 0xRRGGBB, by its name or the emission wavelength, or else by its number; white for a single channel.
    """

    number: int
    name: str
    colour: int


@dataclass(frozen=True)
class OpenPlate:
    """A plate whose folder has been read.

    Attributes:
        source: what was opened.
        plate: the plate.
        channels: its channels, by number.
        pixel_size_um: edge of a pixel in micrometres; None if it is not known.
    """

    source: PlateSource
    plate: Plate
    channels: tuple[ImageChannel, ...]
    pixel_size_um: float | None

    @property
    def wells(self) -> tuple[str, ...]:
        """The wells that have images, in plate order."""
        return self.plate.wells

    @cached_property
    def missing_wells(self) -> frozenset[str]:
        """Wells that should have images."""
        return frozenset(self.plate.missing)

    @cached_property
    def sites(self) -> tuple[int, ...]:
        """All sites."""
        return self._numbers(Component.SITE)

    @cached_property
    def z_indexes(self) -> tuple[int, ...]:
        """All planes."""
        return self._numbers(Component.Z_INDEX)

    @cached_property
    def timepoints(self) -> tuple[int, ...]:
        """All time points."""
        return self._numbers(Component.TIMEPOINT)

    def sites_of(self, well: str) -> tuple[int, ...]:
        """Return the sites of a well, with those whose images are missing."""
        keys = [*(image.key for image in self.plate.images.get(well, ())), *self.plate.missing.get(well, ())]
        return tuple(sorted({key.site for key in keys}))

    def first_place(self, well: str) -> ImagePlace:
        """Return the first field of view of a well: its first site, the middle plane, the first time point."""
        planes = self.z_indexes
        sites = self.sites_of(well) or self.sites
        return ImagePlace(well, sites[0] if sites else 1, planes[len(planes) // 2] if planes else 1, self._first_time)

    def known_place(self, place: ImagePlace) -> ImagePlace:
        """Return a place whose plane and time point the plate has: those of the first place for a projection."""
        first = self.first_place(place.well)
        z_index = place.z_index if place.z_index in self.z_indexes else first.z_index
        timepoint = place.timepoint if place.timepoint in self.timepoints else first.timepoint
        return ImagePlace(place.well, place.site, z_index, timepoint)

    def near(self, place: ImagePlace, well: str) -> ImagePlace:
        """Return the field of view of another well at the same site, plane and time point, or its first site."""
        sites = self.sites_of(well)
        site = place.site if place.site in sites or not sites else sites[0]
        return ImagePlace(well, site, place.z_index, place.timepoint)

    def image(self, place: ImagePlace, channel: int) -> ImageRef:
        """Return the image of a channel at a place.

        Raises:
            ImageError: the plate does not have it.
        """
        key = ImageKey(place.well, place.site, channel, place.z_index, place.timepoint)
        for image in self.plate.images.get(place.well, ()):
            if image.key == key:
                return image
        raise ImageError(f"no image of {key.describe()} in {self.source.path}: copy it from the microscope again")

    @cached_property
    def positions(self) -> Mapping[tuple[str, int], StagePosition]:
        """Stage positions by well and site; the first use may read files, so it belongs into a thread."""
        return self.plate.positions if self.plate.has_positions else {}

    @property
    def _first_time(self) -> int:
        return self.timepoints[0] if self.timepoints else 1

    def _numbers(self, component: Component) -> tuple[int, ...]:
        return tuple(int(value) for value in self.plate.components[component])


def open_source(source: PlateSource) -> OpenPlate:
    """Open a plate; for a thread, as it reads a folder and a few image headers.

    Raises:
        PlateError: the folder is away or is not a plate.
    """
    if not is_url(source.path) and not Path(source.path).exists():
        raise PlateError(f"the folder {source.path} is not there: connect its drive or move it back, then press F5")
    plate = open_plate(source.path, pattern=source.pattern, format=source.plate_format, pages=source.pages)
    return OpenPlate(source, plate, _channels(plate), plate.pixel_size_um)


def _channels(plate: Plate) -> tuple[ImageChannel, ...]:
    numbers = [int(value) for value in plate.components[Component.CHANNEL]]
    return tuple(_channel(plate, number, is_single=len(numbers) == 1) for number in numbers)


def _channel(plate: Plate, number: int, *, is_single: bool) -> ImageChannel:
    name = plate.channel_names.get(number, "")
    known = colour_of(channel_colormap(number, name, plate.emission_nm.get(number)))
    return ImageChannel(number, name or f"Channel {number}", _WHITE if is_single or known is None else known)
