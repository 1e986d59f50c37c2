"""Change notifications for the parts of a window: each changed plate is reported once per flush."""

import functools
from collections.abc import Callable, Iterable

from openhcs_gui_services.services.plates.values import (
    PlateRow,
    PlatesChanged,
    StatusMessage,
    WellsChanged,
    WorkspaceEvent as Event,
)
from openhcs_gui_services.services.plates.wording import window_text
from zmqruntime.execution import AxisProgress
from zmqruntime.execution.callbacks import call_guarded

__all__ = ["WindowEvents"]


class WindowEvents:
    """Subscribers and the changes that have not been reported to them yet. Used from one thread."""

    def __init__(self) -> None:
        self._subscribers: dict[object, Callable[[Event], None]] = {}
        self._plates: dict[str, None] = {}
        self._wells: dict[str, dict[str, AxisProgress]] = {}

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``callback`` with every event until the returned function is called; its exceptions are logged."""
        key = object()
        self._subscribers[key] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    def emit(self, event: Event) -> None:
        """Send the event to all subscribers now."""
        for callback in list(self._subscribers.values()):
            call_guarded(functools.partial(callback, event))

    def say(self, text: str, *, is_error: bool = False, path: str = "") -> None:
        """Show a line in the status bar; ``path`` is the plate that it is about."""
        self.emit(StatusMessage(window_text(text), is_error, path))

    def note(self, path: str, wells: Iterable[AxisProgress] = ()) -> None:
        """Report this plate and these wells of it with the next :meth:`flush`."""
        self._plates[path] = None
        changed = {well.axis_id: well for well in wells}
        if changed:
            self._wells.setdefault(path, {}).update(changed)

    def forget(self, path: str) -> None:
        """Drop what was noted about a plate that has been removed."""
        self._plates.pop(path, None)
        self._wells.pop(path, None)

    def flush(self, row_of: Callable[[str], PlateRow]) -> None:
        """Report everything that was noted."""
        plates, self._plates = self._plates, {}
        wells, self._wells = self._wells, {}
        if plates:
            self.emit(PlatesChanged(tuple(map(row_of, plates))))
        for path, changed in wells.items():
            self.emit(WellsChanged(path, tuple(changed.values())))
