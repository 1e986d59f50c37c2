"""The Fiji viewer's process: found or started, on its port; needs neither Java nor ImageJ in this process."""

from collections.abc import Mapping
from types import MappingProxyType

from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, WindowScope
from zmqruntime import TransportMode, ZMQConfig
from zmqruntime.streaming import ViewerPort, VisualizerProcessManager

__all__ = ["FijiProcessManager"]

_SERVER = "openhcs_runtime.viewers.fiji.server:FijiViewerServer"


class FijiProcessManager(VisualizerProcessManager):
    """Starts a :class:`~openhcs_runtime.viewers.fiji.server.FijiViewerServer`, or finds the one that is there.

    Args:
        port: the viewer's data port.
        transport_mode: IPC or TCP.
        config: what the viewer and its producers agree on.
        persistent: whether a viewer that was started here outlives :meth:`close`.
        windows: see the server, as for the rest. They matter for a viewer that is started, not for one that is found.
        axes: components that go elsewhere than ``windows`` says.
        memory_budget: bytes that planes may take; the server's default when None.
        max_windows: as many open by themselves; the server's default when None.
        fiji: the folder of a Fiji, or Maven coordinates.
        jar: the file of a plain ImageJ.
    """

    def __init__(
        self,
        port: int = ViewerPort.FIJI,
        *,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
        windows: WindowScope | str = WindowScope.WELL,
        axes: Mapping[str, HyperstackAxis | str] = MappingProxyType({}),
        memory_budget: int | None = None,
        max_windows: int | None = None,
        fiji: str | None = None,
        jar: str | None = None,
    ) -> None:
        super().__init__(port, transport_mode=transport_mode, config=config, persistent=persistent)
        given = {"memory_budget": memory_budget, "max_windows": max_windows, "fiji": fiji, "jar": jar}
        self._options = {name: value for name, value in given.items() if value is not None}
        self._windows = str(windows)
        self._axes = {name: str(axis) for name, axis in axes.items()}

    def get_launch_command(self) -> list[str]:
        """A Python with ImageJ in it."""
        return self.server_command(_SERVER, windows=self._windows, axes=self._axes, **self._options)
