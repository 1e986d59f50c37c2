"""What the plate manager asks of the owner of the plates; :class:`PlateWorkspace` is one."""

from collections.abc import Callable, Sequence
from typing import Protocol

from openhcs_gui_services.services.plates.values import PlateRow, WorkspaceEvent
from zmqruntime.execution import AxisProgress

__all__ = ["PlateHost"]


class PlateHost(Protocol):
    """Owns plates and says what becomes of them. All calls are made on Qt's thread, and all events told on it.

    A request may raise an error, whose message is shown. Changes are reported as events, not as return values.
    """

    def subscribe(self, callback: Callable[[WorkspaceEvent], None], /) -> Callable[[], None]:
        """Call back with every event from now on, until what is returned is called."""
        ...

    def rows(self) -> Sequence[PlateRow]:
        """All plates as they are now."""
        ...

    def wells(self, path: str, /) -> Sequence[AxisProgress]:
        """The wells of a plate as they are now; empty when they are not known yet."""
        ...

    async def add(self, paths: Sequence[str], /) -> object:
        """Take these folders in."""
        ...

    async def remove(self, paths: Sequence[str], /) -> object:
        """Forget these plates; their files stay."""
        ...

    async def initialise(self, paths: Sequence[str], /) -> object:
        """Read these folders."""
        ...

    async def compile(self, paths: Sequence[str], /) -> object:
        """Check their pipelines."""
        ...

    async def run(self, paths: Sequence[str], /) -> object:
        """Compile all, then run all."""
        ...

    async def resume(self, paths: Sequence[str], /) -> object:
        """Do what earlier runs have left undone."""
        ...

    async def stop(self, graceful: bool = True) -> object:
        """Stop what this window has started: at the next image group, or at once by ending the processes."""
        ...

    async def stop_after_wells(self) -> object:
        """Begin no more wells, and finish those that are worked on."""
        ...

    async def cancel_well(self, path: str, axis_id: str, /) -> object:
        """Stop one well of a plate that runs."""
        ...
