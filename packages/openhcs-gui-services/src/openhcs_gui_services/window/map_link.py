"""Link between the plate map and what is read for it: thumbnails, the plate map of the plate, and numbers of a well."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal as Signal
from PyQt6.QtGui import QImage

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.images.source import PlateSource
from openhcs_gui_services.services.plates.values import PlatesChanged, WorkspaceEvent
from openhcs_gui_services.services.plates.well_numbers import read_well_numbers
from openhcs_gui_services.services.runs.workspace import PlateWorkspace
from openhcs_gui_services.services.thumbnails.cache import ThumbnailCache
from openhcs_gui_services.services.thumbnails.loader import ThumbnailBatch, ThumbnailLoader
from openhcs_gui_services.widgets.plates.manager import PlateManagerWidget
from openhcs_gui_services.widgets.plates.map_look import MapLook
from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime.execution import AxisState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from openhcs_runtime.plate_map import PlateMap as WellContents

__all__ = ["MapLink"]


class MapLink(QObject):
    """Fills the map of the current plate.

    Thumbnails are read and made while the map shows them, and no longer; of one plate at a time.

    Args:
        manager: has the map.
        workspace: has the plates.
        tasks: runs what is read in the background.
        cache: where thumbnails are kept [default: in the folder of caches of the user].
    """

    shown = Signal()
    """Something that was read in the background is shown now."""

    def __init__(
        self,
        manager: PlateManagerWidget,
        workspace: PlateWorkspace,
        tasks: BackgroundTasks,
        cache: ThumbnailCache | None = None,
    ) -> None:
        super().__init__(manager)
        self._manager, self._workspace, self._tasks = manager, workspace, tasks
        self._map, self._bar = manager.map, manager.map_bar
        self._loader = ThumbnailLoader(cache or ThumbnailCache(OPENHCS_CONFIG.cache_dir / "thumbnails"))
        self._turn = 0
        """Counts what was asked for; what is of an earlier turn is not shown."""
        self._plate = ""
        self._shown_well: tuple[object, ...] = ()
        self._known: tuple[object, ...] = ()
        self._descriptions: dict[str, str] = {}
        self._map_file: _MapFile | None = None
        manager.current_changed.connect(lambda _: self._on_plate())
        self._map.wells_changed.connect(self._on_wells)
        self._map.look_changed.connect(lambda _: self._load())
        self._map.selection_changed.connect(self._show_well)
        self._bar.channel_chosen.connect(lambda _: self._load(reread=False))
        self._bar.menu.aboutToShow.connect(self._look_at_plate_map)
        self._leave = workspace.subscribe(self._on_event)
        self._on_plate()

    async def close(self) -> None:
        """Stop reading. May be called twice."""
        self._leave()
        self._turn += 1
        await self._loader.close()

    def read_plate_map(self) -> None:
        """Read the plate map of the current plate again, as after it was edited."""
        self._tasks.start(self._read_plate_map(self._plate), "Reading the plate map")

    def read_again(self) -> None:
        """Look again for images that have changed."""
        self._load()

    # --- the plate -----------------------------------------------------------------------------------------------

    def _on_plate(self) -> None:
        self._plate = self._manager.table.current_path() or ""
        self._map.select(self._map.selected)  # several wells were selected on another plate
        self._map.clear_thumbnails()
        self._map_file = None
        self._show_contents(None)
        if self._plate:
            self.read_plate_map()
        self._load()

    def _on_wells(self) -> None:
        """The plate was read, perhaps again."""
        self._load()

    def _on_event(self, event: WorkspaceEvent) -> None:
        row = self._manager.current
        if not isinstance(event, PlatesChanged) or row is None or all(each.path != row.path for each in event.rows):
            return
        self._show_well()
        known = row.snapshot.state, row.results
        if known != self._known:
            self._known = known
            if not row.snapshot.state.is_working:
                self._load()  # it was read again, or a run has ended: images may have changed

    # --- thumbnails ----------------------------------------------------------------------------------------------

    def _load(self, *, reread: bool = True) -> None:
        """Show the thumbnails of the current plate, or stop if they are not wanted."""
        self._turn += 1
        self._loader.stop()
        if self._map.look is MapLook.IMAGES and self._plate and self._map.wells():
            self._tasks.start(self._show_thumbnails(self._turn, reread=reread), "Making the pictures of wells")

    async def _show_thumbnails(self, turn: int, *, reread: bool) -> None:
        path, row = self._plate, self._manager.current
        run = None if row is None or row.results is None else Path(row.results)
        channel = self._bar.channel
        try:
            async with aclosing(self._loader.load(self._source(path), run, channel, reread=reread)) as batches:
                async for batch in batches:
                    if turn != self._turn:
                        return
                    self._show_batch(batch, channel)
        except OpenHCSError as error:
            if turn == self._turn:
                self._map.set_caption(str(error))
                self.shown.emit()

    def _show_batch(self, batch: ThumbnailBatch, channel: int) -> None:
        self._bar.set_channels(batch.channels)
        for well, picture in batch.pictures.items():
            self._map.set_thumbnail(well, _image(picture), batch.lacking.get(well, ""))
        for well in batch.lacking.keys() - batch.pictures.keys():
            self._map.set_thumbnail(well, QImage(), batch.lacking[well])
        name = batch.channels.get(channel, "")
        shown = name or ("All channels" if len(batch.channels) > 1 else next(iter(batch.channels.values()), ""))
        left = f", {batch.known} of {batch.wells} wells" if batch.known < batch.wells else ""
        self._map.set_caption(f"{shown}, first site{left}")
        self.shown.emit()

    def _source(self, path: str) -> PlateSource:
        settings = self._workspace.settings_of(path)
        return PlateSource(path, settings.pattern, settings.plate_format, settings.pages)

    # --- what is in the wells ------------------------------------------------------------------------------------

    def _look_at_plate_map(self) -> None:
        """Read the plate map again if its file has changed since, as when the layout was edited."""
        if self._plate:
            self._tasks.start(self._read_plate_map(self._plate, self._map_file), "Reading the plate map")

    async def _read_plate_map(self, path: str, known: "_MapFile | None" = None) -> None:
        try:
            found = await asyncio.to_thread(_plate_map_of, path, known)
        except OpenHCSError as error:
            if path == self._plate:
                self._map_file = None
                self._show_contents(None, str(error))
            return
        if path == self._plate and (found is None or found != known):
            self._map_file = found
            self._show_contents(None if found is None else found.contents)

    def _show_contents(self, contents: "WellContents | None", problem: str = "") -> None:
        self._bar.set_plate_map(contents, problem)
        self._descriptions = {} if contents is None else _descriptions(contents)
        self._map.set_descriptions(self._descriptions)
        self._show_note()
        self.shown.emit()

    # --- the current well ----------------------------------------------------------------------------------------

    def _show_well(self) -> None:
        """Say what is in the current well, and read its numbers if they may have changed."""
        self._manager.details.show_selected(len(self._map.selected_wells))
        self._show_note()
        row, axis_id = self._manager.current, self._map.selected
        well = None if axis_id is None else self._map.well(axis_id)
        shown = (self._plate, axis_id, well and well.state, row and row.results)
        if shown == self._shown_well:
            return
        self._shown_well = shown
        self._look_at_plate_map()
        if row is not None and row.results is not None and well is not None and well.state is AxisState.COMPLETE:
            self._tasks.start(self._read_numbers(row.results, well.axis_id, shown), "Reading the numbers of a well")
        elif axis_id is not None:
            self._manager.details.show_numbers(axis_id, None)

    async def _read_numbers(self, run: str, axis_id: str, shown: tuple[object, ...]) -> None:
        numbers = await read_well_numbers(run, axis_id)
        if shown == self._shown_well:
            self._manager.details.show_numbers(axis_id, numbers)
            self.shown.emit()

    def _show_note(self) -> None:
        self._manager.details.show_note(self._descriptions.get(self._map.selected or "", ""))


@dataclass(frozen=True, slots=True)
class _MapFile:
    """A plate map, its file, and when that was changed."""

    path: Path
    mtime_ns: int
    contents: "WellContents" = field(compare=False)


def _plate_map_of(path: str, known: _MapFile | None) -> _MapFile | None:
    """Return the plate map of a plate; None if there is none, and ``known`` if that has not changed.

    Raises:
        PlateMapError: it can't be read.
    """
    from openhcs_runtime.plate_map import plate_map_if_any, read_plate_map  # noqa: PLC0415  loaded with the first one
    from openhcs_runtime.stores.path import as_path  # noqa: PLC0415  as above

    file = plate_map_if_any(as_path(path))
    if file is None:
        return None
    mtime_ns = file.stat().st_mtime_ns
    is_same = known is not None and (known.path, known.mtime_ns) == (file, mtime_ns)
    return known if is_same else _MapFile(file, mtime_ns, read_plate_map(file))


def _descriptions(contents: "WellContents") -> dict[str, str]:
    from openhcs_runtime.plate_map import describe_well  # noqa: PLC0415  as above

    return {well: describe_well(contents, well) for well in contents.wells}


def _image(picture: "NDArray[np.uint8]") -> QImage:
    """Return a picture (Y, X, 3) as an image of its own."""
    height, width, _ = picture.shape
    return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
