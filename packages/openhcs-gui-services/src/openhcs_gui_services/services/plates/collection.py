"""The plates of one window, in order: looking them up, changing them, reporting changes, saving the session."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from openhcs_gui_services.services.plates.changes import WindowEvents
from openhcs_gui_services.services.plates.names import folder_names
from openhcs_gui_services.services.plates.record import PlateRecord
from openhcs_gui_services.services.plates.session import RememberedPlate, SessionStore
from openhcs_gui_services.services.plates.values import PlateRow, PlatesAdded, PlatesRemoved
from openhcs_runtime.exceptions import OpenHCSError
from zmqruntime.execution import AxisProgress

__all__ = ["PlateCollection"]

_log = logging.getLogger(__name__)

_SAVE_SECONDS = 0.5
_MOST_REMOVALS = 20
"""How many removals can be undone."""


class PlateCollection:
    """Owns the records of a window. Used from one event loop.

    Args:
        folder: where windows save their plates; a file in it is claimed when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.events = WindowEvents()
        self._folder = folder
        self._records: dict[str, PlateRecord] = {}
        self._rows: dict[str, PlateRow] = {}
        self._removed: deque[list[tuple[int, PlateRecord]]] = deque(maxlen=_MOST_REMOVALS)
        self._is_lost = False
        self._memory: SessionStore | None = None
        self._left_over: dict[str, RememberedPlate] = {}
        self._saving = asyncio.Lock()
        self._save_call: asyncio.TimerHandle | None = None
        self._save_task: asyncio.Task[None] | None = None

    # --- looking up --------------------------------------------------------------------------------------------------

    def __contains__(self, path: object) -> bool:
        return path in self._records

    def records(self) -> list[PlateRecord]:
        """Return all plates."""
        return list(self._records.values())

    def busy(self) -> list[PlateRecord]:
        """Return the plates that are waiting or being worked on."""
        return [record for record in self._records.values() if record.is_busy]

    def get(self, path: str) -> PlateRecord | None:
        """Return the plate with this path."""
        return self._records.get(path)

    def pick(self, paths: Iterable[str]) -> list[PlateRecord]:
        """Return the plates with these paths; unknown paths are reported in the status bar."""
        picked = []
        for path in dict.fromkeys(paths):
            record = self._records.get(path)
            if record is None:
                self.events.say(f"{path} is not in this window: add it first", is_error=True)
            else:
                picked.append(record)
        return picked

    def row(self, path: str) -> PlateRow:
        """Return the row that shows a plate."""
        row = self._rows.get(path)
        if row is None:
            row = self._rows[path] = self._records[path].row(self._is_lost)
        return row

    def rows(self) -> tuple[PlateRow, ...]:
        """Return the rows of all plates."""
        return tuple(self.row(path) for path in self._records)

    # --- changing ----------------------------------------------------------------------------------------------------

    def add(self, records: Sequence[PlateRecord]) -> None:
        """Add new plates."""
        if records:
            self._records.update((record.path, record) for record in records)
            self._name()
            self.events.emit(PlatesAdded(tuple(self.row(record.path) for record in records)))
            self.flush()
            self.save_soon()

    def remove(self, records: Sequence[PlateRecord]) -> None:
        """Remove plates."""
        places = {path: place for place, path in enumerate(self._records)}
        for record in records:
            del self._records[record.path]
            self._rows.pop(record.path, None)
            self.events.forget(record.path)
        if records:
            self._removed.append(sorted(((places[each.path], each) for each in records), key=lambda one: one[0]))
            self.events.emit(PlatesRemoved(tuple(record.path for record in records)))
            self._name()
            self.flush()
            self.save_soon()

    def take_back(self) -> list[PlateRecord]:
        """Add the plates again that were removed last, at their places; empty if there are none to add."""
        while self._removed:
            back = [(place, each) for place, each in self._removed.pop() if each.path not in self._records]
            if back:
                kept = list(self._records.values())
                for place, record in back:
                    kept.insert(place, record)
                self._records = {record.path: record for record in kept}
                self.add([record for _, record in back])
                return [record for _, record in back]
        return []

    def _name(self) -> None:
        """Give each plate a name that no other plate has; :meth:`flush` reports those that are new."""
        for path, name in folder_names(self._records).items():
            record = self._records[path]
            if record.name != name:
                record.name = name
                self.change(record)

    def change(self, record: PlateRecord, wells: Iterable[AxisProgress] = ()) -> None:
        """Note that the record has changed; :meth:`flush` reports it."""
        if self._records.get(record.path) is record:
            self._rows.pop(record.path, None)
            self.events.note(record.path, wells)

    def set_lost(self, is_lost: bool) -> None:
        """Set whether the state of executions is unknown because the server is lost."""
        if is_lost is not self._is_lost:
            self._is_lost = is_lost
            for record in self.busy():
                self.change(record)

    def flush(self) -> None:
        """Report all changes."""
        self.events.flush(self.row)

    # --- the session -------------------------------------------------------------------------------------------------

    async def take_left_over(self) -> list[RememberedPlate]:
        """Return the plates of an earlier window; later calls return an empty list.

        Raises:
            OSError: the folder can't be used.
        """
        async with self._saving:
            await asyncio.to_thread(self._claim)
        left_over, self._left_over = self._left_over, {}
        return [plate for plate in left_over.values() if plate.path not in self._records]

    async def save(self) -> None:
        """Save the session, and return when it is on disk; a failure is reported as an event."""
        async with self._saving:
            try:
                memory = await asyncio.to_thread(self._claim)
                known = [record.remembered() for record in self._records.values()]
                left_over = [plate for path, plate in self._left_over.items() if path not in self._records]
                await asyncio.to_thread(memory.save, [*known, *left_over])
            except (OpenHCSError, OSError) as error:
                self.events.say(f"the plates of this window could not be saved: {error}", is_error=True)

    def save_soon(self) -> None:
        """Call :meth:`save` within half a second, for all changes up to then."""
        if self._save_call is None:
            self._save_call = asyncio.get_running_loop().call_later(_SAVE_SECONDS, self._save_now)

    async def close(self) -> None:
        """Save the session and release its file for another window."""
        if self._save_call is not None:
            self._save_call.cancel()
        if self._save_task is not None:
            await self._save_task
        if self._records or self._memory is not None:
            await self.save()
        if self._memory is not None:
            self._memory.close()

    def _save_now(self) -> None:
        self._save_call = None
        self._save_task = asyncio.create_task(self.save())

    def _claim(self) -> SessionStore:
        """Claim and load the session file; runs in a thread."""
        if self._memory is None:
            memory = SessionStore(self._folder)
            self._left_over = {plate.path: plate for plate in memory.load()}
            self._memory = memory
        return self._memory
