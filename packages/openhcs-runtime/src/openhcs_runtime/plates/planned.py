"""A plan in which all wells have the same images: they are stated once, and made for a well when it is asked for."""

from collections.abc import Iterator, Mapping

from openhcs_runtime.components import ImageKey
from openhcs_runtime.plates.image_table import Numbers

__all__ = ["EqualPlans"]


class EqualPlans(Mapping[str, tuple[ImageKey, ...]]):
    """The planned images of each well.

    Attributes:
        places: Site, channel, z_index and timepoint of each image of a well.
    """

    def __init__(self, wells: tuple[str, ...], places: tuple[Numbers, ...]) -> None:
        self._wells, self.places = dict.fromkeys(wells), places

    def __getitem__(self, well: str) -> tuple[ImageKey, ...]:
        if well not in self._wells:
            raise KeyError(well)
        return tuple(ImageKey(well, *numbers) for numbers in self.places)

    def __contains__(self, well: object) -> bool:
        return well in self._wells

    def __iter__(self) -> Iterator[str]:
        return iter(self._wells)

    def __len__(self) -> int:
        return len(self._wells)
