"""The napari viewer's process: found or started, on its port; needs neither napari nor Qt in this process."""

from collections.abc import Mapping
from types import MappingProxyType

from openhcs_runtime.viewers.components import ComponentMode
from zmqruntime import TransportMode, ZMQConfig
from zmqruntime.streaming import ViewerPort, VisualizerProcessManager

__all__ = ["NapariProcessManager"]

_SERVER = "openhcs_runtime.viewers.napari.server:NapariViewerServer"
_WITHOUT_OPENGL = ("offscreen", "minimal")


class NapariProcessManager(VisualizerProcessManager):
    """Starts a :class:`~openhcs_runtime.viewers.napari.server.NapariViewerServer`, or finds the one that is there.

    Args:
        port: the viewer's data port.
        transport_mode: IPC or TCP.
        config: what the viewer and its producers agree on.
        persistent: whether a viewer that was started here outlives :meth:`close`.
        modes: components that are something else than the usual, for example ``{"site": "layer"}``. This and the
            budget matter for a viewer that is started, not for one that is found.
        memory_budget: bytes that images and regions may take; the server's default when None.
    """

    def __init__(
        self,
        port: int = ViewerPort.NAPARI,
        *,
        transport_mode: TransportMode | None = None,
        config: ZMQConfig | None = None,
        persistent: bool = True,
        modes: Mapping[str, ComponentMode | str] = MappingProxyType({}),
        memory_budget: int | None = None,
    ) -> None:
        super().__init__(port, transport_mode=transport_mode, config=config, persistent=persistent)
        self._modes = {name: str(mode) for name, mode in modes.items()}
        self._options = {} if memory_budget is None else {"memory_budget": memory_budget}

    def get_launch_command(self) -> list[str]:
        """A Python with napari in it."""
        return self.server_command(_SERVER, modes=self._modes, **self._options)

    def get_launch_env(self) -> Mapping[str, str]:
        """As ever, but with a Qt that has OpenGL, which napari needs: platforms without it are for other windows."""
        env = dict(super().get_launch_env())
        if env.get("QT_QPA_PLATFORM", "").partition(":")[0] in _WITHOUT_OPENGL:
            del env["QT_QPA_PLATFORM"]
        return env
