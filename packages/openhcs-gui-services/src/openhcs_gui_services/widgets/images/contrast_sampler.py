"""Sets the contrast of a plate by a few wells from all over it, in the background, so that it suits all of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.plate_steps import sampled_wells
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.widgets.images.looks import ChannelLooks
from openhcs_runtime.exceptions import ImageError, PlateError

if TYPE_CHECKING:
    from openhcs_gui_services.services.images.opened import OpenPlate

__all__ = ["ContrastSampler"]


class ContrastSampler:
    """Reads the first sites of a few wells.

    Args:
        images: reads them.
        looks: gets the contrast.
        on_done: called once it has been set.
        on_error: called with one line for the user when something unexpected fails.
    """

    def __init__(
        self,
        images: PlateImages,
        looks: ChannelLooks,
        on_done: Callable[[], None],
        on_error: Callable[[str], None],
    ) -> None:
        self._images, self._looks, self._on_done = images, looks, on_done
        self._sampling = LatestTask(on_error, "Reading the contrast")

    def start(self, plate: "OpenPlate") -> None:
        """Read the wells of a plate; those of another plate are dropped."""
        self._sampling.start(self._sample(plate))

    def cancel(self) -> None:
        """Read no more."""
        self._sampling.cancel()

    async def close(self) -> None:
        """Cancel what is being read."""
        await self._sampling.close()

    async def _sample(self, plate: "OpenPlate") -> None:
        for well in sampled_wells(plate.wells):
            place = plate.first_place(well)
            for channel in plate.channels:
                try:
                    plane = await self._images.pyramid(plate.source, place, channel.number, later=True)
                except (ImageError, PlateError):
                    continue  # it is reported where it is shown
                self._looks.add_sample(channel.number, f"{well} {place.site}", plane.sample)
        self._looks.settle()
        self._on_done()
