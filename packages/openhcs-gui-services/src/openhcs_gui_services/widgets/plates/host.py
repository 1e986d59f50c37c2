"""The interface of the plate manager to the owner of the plates, such as :class:`PlateWorkspace`."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from openhcs_gui_services.services.plates.choice import ChosenPreview, WellChoice
from openhcs_gui_services.services.plates.values import PlateRow, WorkspaceEvent
from zmqruntime.execution import AxisProgress

__all__ = ["FullPlateHost", "PlateHost"]


class PlateHost(Protocol):
    """Owns plates and reports changes. All methods and callbacks are called on Qt's thread.

    A request may raise an error, whose message is shown. Changes are reported by events, not by return values.
    """

    def subscribe(self, callback: Callable[[WorkspaceEvent], None], /) -> Callable[[], None]:
        """Call ``callback`` with every event until the returned function is called."""
        ...

    def rows(self) -> Sequence[PlateRow]:
        """Return all plates in their present state."""
        ...

    def wells(self, path: str, /) -> Sequence[AxisProgress]:
        """Return the wells of a plate in their present state; empty until they are known."""
        ...

    async def add(self, paths: Sequence[str], /) -> object:
        """Add these folders as plates."""
        ...

    async def remove(self, paths: Sequence[str], /) -> object:
        """Remove these plates; their files are kept."""
        ...

    async def initialise(self, paths: Sequence[str], /) -> object:
        """Read these folders."""
        ...

    async def compile(self, paths: Sequence[str], /) -> object:
        """Check their pipelines."""
        ...

    async def run(self, paths: Sequence[str], /) -> object:
        """Compile these plates, then run them."""
        ...

    async def resume(self, paths: Sequence[str], /) -> object:
        """Finish what earlier runs have left undone."""
        ...

    async def stop(self, graceful: bool = True) -> object:
        """Stop the runs of this window: after the current image group, or at once by killing their processes."""
        ...

    async def stop_after_wells(self) -> object:
        """Start no more wells, and finish the running ones."""
        ...

    async def cancel_well(self, path: str, axis_id: str, /) -> object:
        """Cancel one well of a running plate."""
        ...


@runtime_checkable
class FullPlateHost(PlateHost, Protocol):
    """A host that can also run chosen wells, stop single plates, order its queue and undo a removal.

    What a host without these methods can't do is not offered; Stop then stops all of its plates.
    """

    async def stop_plates(self, paths: Sequence[str], graceful: bool = True) -> object:
        """Stop these plates, or take them out of the queue."""
        ...

    async def stop_plates_after_wells(self, paths: Sequence[str]) -> object:
        """Start no more wells of these plates, and finish the running ones."""
        ...

    async def run_wells(self, path: str, choice: WellChoice, /) -> object:
        """Run some wells of a plate."""
        ...

    async def preview_wells(self, path: str, choice: WellChoice, /) -> ChosenPreview:
        """Return which wells a choice stands for."""
        ...

    async def move_in_queue(self, path: str, place: int, /) -> object:
        """Move a waiting plate to a place in the queue, from 1, the next to run."""
        ...

    async def take_back(self) -> object:
        """Add the plates again that were removed last."""
        ...
