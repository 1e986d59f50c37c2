"""Shows the measurements of picked objects, which are read in a thread, the latest pick only."""

import functools
from collections.abc import Callable

from openhcs_gui_services.services.images.latest import LatestTask
from openhcs_gui_services.services.images.reader import PlateImages
from openhcs_gui_services.widgets.images.object_table import ObjectTable
from openhcs_gui_services.widgets.images.picked import PickedObject
from openhcs_runtime.exceptions import OpenHCSError

__all__ = ["ObjectReader"]

_PREVIEWED = "This object is of the preview. Its measurements appear here once the plate has been run."


class ObjectReader:
    """Reads the row of an object and shows it in a table.

    Args:
        images: has the threads.
        table: shows the row.
        on_error: called with one line for the user when something unexpected fails.
    """

    def __init__(self, images: PlateImages, table: ObjectTable, on_error: Callable[[str], None]) -> None:
        self._images, self._table = images, table
        self._reading = LatestTask(on_error, "Reading the object")

    def show(self, picked: PickedObject) -> None:
        """Show an object."""
        key = None if picked.labels is None else picked.labels.of.key
        title = f"{picked.name} {picked.label}" + ("" if key is None else f", {key.well}, site {key.site}")
        self._table.show()
        self._table.show_object(title, None)
        self._reading.start(self._read(title, picked))

    def hide(self) -> None:
        """Show none."""
        self._reading.cancel()
        self._table.hide()

    async def close(self) -> None:
        """Cancel what is being read."""
        await self._reading.close()

    async def _read(self, title: str, picked: PickedObject) -> None:
        # Image libraries, which opening the plate has loaded in a thread.
        from openhcs_gui_services.services.images.objects import ObjectValues, read_object  # noqa: PLC0415

        if picked.labels is None or picked.run is None:
            self._table.show_object(title, ObjectValues(problem=_PREVIEWED))
            return
        of, pixels = picked.labels.of, picked.labels.labels
        call = functools.partial(read_object, picked.run, picked.name, of, picked.label, pixels)
        try:
            values = await self._images.call(("object", picked.run, of, picked.label), call)
        except OpenHCSError as error:
            values = ObjectValues(problem=f"{str(error)[:1].upper()}{str(error)[1:]}.")
        self._table.show_object(title, values)
