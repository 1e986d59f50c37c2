"""Finds or starts the process of the Fiji viewer; this process needs neither Java nor ImageJ."""

from collections.abc import Mapping
from types import MappingProxyType

from openhcs_runtime.viewer_program import ViewerProgram
from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, WindowScope
from zmqruntime import TransportMode, ZMQConfig
from zmqruntime.streaming import ViewerPort, VisualizerProcessManager

__all__ = ["VIEWER", "FijiProcessManager"]

_SERVER = "openhcs_runtime.viewers.fiji.server:FijiViewerServer"


class FijiProcessManager(VisualizerProcessManager):
    """Starts a :class:`~openhcs_runtime.viewers.fiji.server.FijiViewerServer`, or finds one that is running.

    The arguments from ``windows`` on are only used if the viewer is started; see the server.

    Args:
        port: data port of the viewer.
        transport_mode: IPC or TCP.
        config: configuration shared by viewer and producers.
        persistent: whether a viewer started here outlives :meth:`close`.
        windows: what one window contains.
        axes: components that are shown in another way than ``windows`` defines.
        memory_budget: memory for planes and regions, in bytes [default: that of the server].
        max_windows: how many windows open automatically [default: that of the server].
        fiji: folder of a Fiji, or Maven coordinates.
        jar: file of a plain ImageJ.
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
        """Return the command that starts a Python process with ImageJ."""
        return self.server_command(_SERVER, windows=self._windows, axes=self._axes, **self._options)


VIEWER = ViewerProgram(
    usual_port=ViewerPort.FIJI,
    manager=lambda port, modes, config: FijiProcessManager(port, axes=modes, config=config),
    modes=("window", "channel", "slice", "frame"),
    needs="jpype",
    install="openhcs-runtime[fiji]",
)
