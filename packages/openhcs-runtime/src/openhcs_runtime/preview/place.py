"""A plate as one preview sees it: the images of one site that its pipeline needs."""

from collections.abc import Iterable, Sequence

from openhcs_runtime.components import PROJECTED, Component, ImageKey
from openhcs_runtime.exceptions import PlateError
from openhcs_runtime.pipeline.decorators import InputKind, traits_of
from openhcs_runtime.pipeline.plate_step import Step, calls_of
from openhcs_runtime.pipeline.step import FunctionStep
from openhcs_runtime.plates.base import ImageRef, Plate
from openhcs_runtime.preview.values import PreviewRequest

__all__ = ["PlaceFilter", "PlateOfPlace"]


class PlaceFilter:
    """Chooses images for a place.

    Planes of a stack and time points are independent of each other unless a step puts them together or draws random
    numbers, so only those that are shown are processed.

    Args:
        request: the place.
        steps: the enabled steps.
    """

    def __init__(self, request: PreviewRequest, steps: Sequence[Step]) -> None:
        self._request = request
        joined = {part for step in steps if isinstance(step, FunctionStep) for part in step.variable_components}
        kinds = {kind for call in calls_of(steps) for kind in traits_of(call.function).inputs}
        draws = InputKind.RNG in kinds
        self._all_z = draws or Component.Z_INDEX in joined
        self._all_times = draws or Component.TIMEPOINT in joined

    def needs(self, key: ImageKey) -> bool:
        """Return whether an image of the plate is processed."""
        asked = self._request
        return (
            key.site == asked.site
            and (self._all_z or key.z_index == asked.z_index)
            and (self._all_times or key.timepoint == asked.timepoint)
        )

    def shows(self, key: ImageKey) -> bool:
        """Return whether an image, or what was made of several, belongs to what is shown."""
        asked = self._request
        return (
            key.site in (asked.site, PROJECTED)
            and key.z_index in (asked.z_index, PROJECTED)
            and key.timepoint in (asked.timepoint, PROJECTED)
        )


class PlateOfPlace:
    """A plate with the images of a place only; all else is that of the plate, so that results are the same.

    Args:
        plate: the plate.
        well: the well.
        chosen: which of its images are needed.

    Raises:
        PlateError: the plate has no such images.
    """

    def __init__(self, plate: Plate, well: str, chosen: PlaceFilter) -> None:
        self._plate = plate
        images = _of_place(plate.images.get(well, ()), chosen)
        missing = tuple(key for key in plate.missing.get(well, ()) if chosen.needs(key))
        if not images and not missing:
            raise PlateError(f"the plate has no images of this place in well {well}: choose another well or site")
        self.wells = (well,)
        self.images = {well: images}
        self.missing = {well: missing} if missing else {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._plate, name)


def _of_place(images: Iterable[ImageRef], chosen: PlaceFilter) -> tuple[ImageRef, ...]:
    return tuple(image for image in images if chosen.needs(image.key))
