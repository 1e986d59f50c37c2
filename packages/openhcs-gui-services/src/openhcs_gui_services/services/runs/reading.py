"""Reading the plates of a window and their results on disk, in the background, whatever their runs do."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from openhcs_gui_services.services.background import BackgroundTasks
from openhcs_gui_services.services.plates.collection import PlateCollection
from openhcs_gui_services.services.plates.disk_stamp import DiskStamp, stamp_of
from openhcs_gui_services.services.plates.on_disk import counts_of
from openhcs_gui_services.services.plates.presenter import Trouble
from openhcs_gui_services.services.plates.reader import read_facts, read_plate_disk, results_folder
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.settings import RunSettings
from openhcs_gui_services.services.plates.status import PlateStatus
from openhcs_gui_services.services.plates.values import PlateFacts
from openhcs_gui_services.services.runs.host import TellEnd
from openhcs_runtime.exceptions import OpenHCSError
from openhcs_runtime.stores.path import is_url
from zmqruntime.execution import AxisProgress

__all__ = ["PlateReading"]

_LOOK_AGAIN_SECONDS: Final = 3.0
"""How often plates are looked for whose folders are away."""
_AWAY: Final = "no such plate: {} (name the folder that holds the images)"
"""As the runtime says it, which a window translates."""


class PlateReading:
    """Reads folders of plates and of results. Used from one event loop.

    Args:
        book: the plates of the window.
        tasks: where background work is started.
        settings_of: returns the settings that apply to a plate.
    """

    def __init__(
        self, book: PlateCollection, tasks: BackgroundTasks, settings_of: Callable[[str], RunSettings]
    ) -> None:
        self._book = book
        self._tasks = tasks
        self._settings_of = settings_of
        self._away: set[str] = set()
        self._is_watching = False

    async def read(self, records: Sequence[PlateRecord]) -> None:
        """Read the folders of these plates, and their results."""
        for record in records:
            await self._read_one(record)

    async def read_results(self, records: Sequence[PlateRecord]) -> None:
        """Look up the results of these plates on disk."""
        for record in records:
            await self._read_results(record)

    async def learn(self, records: Sequence[PlateRecord]) -> None:
        """Read the plates of an earlier window, without changing their states."""
        await self.read_results(records)
        for record in records:
            if record.facts is None and record.is_read and not record.is_busy and record.path in self._book:
                try:
                    self._book.change(record, record.be_read(await self._facts(record)))
                except OpenHCSError as error:
                    self._book.events.say(str(error), is_error=True, path=record.path)
        self._book.flush()

    async def then_results(self, work: Coroutine[Any, Any, None], records: Sequence[PlateRecord]) -> None:
        """Look up the results of these plates after ``work``, however it ends."""
        try:
            await work
        finally:
            await self.read_results(records)

    async def look(self, record: PlateRecord) -> None:
        """Look whether its folder is there, and read its results again if a run has changed them."""
        if record.is_busy:
            return
        is_gone = await asyncio.to_thread(_is_gone, record.path)
        stamp = await asyncio.to_thread(_stamp, record.path, self._settings_of(record.path).output_dir)
        if record.is_busy:
            return
        if is_gone and record.path not in self._away:
            await self._be_away(record)
        elif not is_gone and record.path in self._away:
            self._away.discard(record.path)
            await self._read_one(record)
        elif stamp != record.stamp:
            await self._read_results(record)

    async def there(self, records: Sequence[PlateRecord]) -> list[PlateRecord]:
        """Return the plates whose folders are there; the others fail, and are read again once they are back."""
        found = []
        for record in records:
            if await asyncio.to_thread(_is_gone, record.path):
                await self._be_away(record)
            else:
                found.append(record)
        return found

    def results_soon(self, record: PlateRecord, tell: TellEnd | None = None) -> None:
        """Look up the results of a plate in the background, then tell how its run has ended, with its counts."""

        async def work() -> None:
            await self._read_results(record)
            if tell is not None:
                found = record.found
                is_same = found is not None and record.execution_id in found.run.executions
                tell(await asyncio.to_thread(counts_of, found.run) if found is not None and is_same else {})

        self._tasks.start(work(), "Reading results")

    # --- parts -------------------------------------------------------------------------------------------------------

    async def _read_one(self, record: PlateRecord) -> None:
        await self._read_results(record)
        try:
            changed = () if record.stop else record.be_read(await self._facts(record))
        except OpenHCSError as error:
            changed = record.fail(str(error), Trouble.READ)
            self._watch_for(record)
            self._show(record, changed)
            self._book.events.say(str(error), is_error=True, path=record.path)
        else:
            record.rest()
            self._show(record, changed)

    async def _be_away(self, record: PlateRecord) -> None:
        """Show that the folder of a plate is not there just now."""
        error = _AWAY.format(record.path)
        changed = record.fail(error, Trouble.READ)
        self._watch_for(record)
        self._show(record, changed)
        self._book.events.say(error, is_error=True, path=record.path)
        await self._read_results(record)

    def _show(self, record: PlateRecord, changed: Sequence[AxisProgress]) -> None:
        self._book.change(record, (*changed, *record.merge_wells()))
        self._book.flush()
        self._book.save_soon()

    async def _facts(self, record: PlateRecord) -> PlateFacts:
        settings = self._settings_of(record.path)
        return await read_facts(record.path, settings.pattern, settings.plate_format, settings.pages)

    async def _read_results(self, record: PlateRecord) -> None:
        async with record.reading:  # the last to read must be the last to apply it
            await self._read_disk(record)

    async def _read_disk(self, record: PlateRecord) -> None:
        results_dir = self._settings_of(record.path).output_dir
        try:
            record.stamp = await asyncio.to_thread(_stamp, record.path, results_dir)
            disk = await read_plate_disk(record.path, results_dir)
            is_away = disk.found is None and await asyncio.to_thread(_is_away, record.path, results_dir)
        except OpenHCSError as error:
            self._book.events.say(str(error), is_error=True, path=record.path)
            return
        self._book.change(record, record.find(disk, is_away=is_away))
        self._book.flush()

    def _watch_for(self, record: PlateRecord) -> None:
        """Read a plate again once its folder is back; one whose folder is there has another problem."""
        if not _is_gone(record.path):
            return
        self._away.add(record.path)
        if not self._is_watching:
            self._is_watching = True
            self._tasks.start(self._watch(), "Looking for plates")

    async def _watch(self) -> None:
        try:
            while self._away:
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                await self.read([record for path in tuple(self._away) if (record := await self._returned(path))])
        finally:
            self._is_watching = False

    async def _returned(self, path: str) -> PlateRecord | None:
        """Return a plate whose folder is back; one that was removed or acted on is no longer looked for."""
        record = self._book.get(path)
        is_wanted = record is not None and record.state is PlateStatus.FAILED and record.trouble is Trouble.READ
        is_back = is_wanted and await asyncio.to_thread(os.path.isdir, path)
        if is_back or not is_wanted:
            self._away.discard(path)
        return record if is_back else None


def _is_away(path: str, results_dir: str | None) -> bool:
    """Return whether the place of a plate's results can't be found, as when a drive is not connected."""
    return not results_folder(path, results_dir).parent.is_dir() or _is_gone(path)


def _is_gone(path: str) -> bool:
    """Return whether the folder of a plate is not there."""
    return not is_url(path) and not os.path.exists(path)


def _stamp(path: str, results_dir: str | None) -> DiskStamp:
    return stamp_of(results_folder(path, results_dir))
