"""Finds or starts the process of the napari viewer; this process needs neither napari nor Qt."""

from collections.abc import Mapping
from types import MappingProxyType

from openhcs_runtime.viewer_program import ViewerProgram
from openhcs_runtime.viewers.components import ComponentMode
from zmqruntime import TransportMode, ZMQConfig
from zmqruntime.streaming import ViewerPort, VisualizerProcessManager

__all__ = ["VIEWER", "NapariProcessManager"]

_SERVER = "openhcs_runtime.viewers.napari.server:NapariViewerServer"
_WITHOUT_OPENGL = ("offscreen", "minimal")


class NapariProcessManager(VisualizerProcessManager):
    """Starts a :class:`~openhcs_runtime.viewers.napari.server.NapariViewerServer`, or finds one that is running.

    ``modes`` and ``memory_budget`` are only used if the viewer is started.

    Args:
        port: data port of the viewer.
        transport_mode: IPC or TCP.
        config: configuration shared by viewer and producers.
        persistent: whether a viewer started here outlives :meth:`close`.
        modes: components with other than the default modes, for example ``{"site": "layer"}``.
        memory_budget: memory for images and regions, in bytes [default: that of the server].
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
        """Return the command that starts a Python process with napari."""
        return self.server_command(_SERVER, modes=self._modes, **self._options)

    def get_launch_env(self) -> Mapping[str, str]:
        """Return the environment, without a Qt platform that lacks OpenGL, which napari needs."""
        env = dict(super().get_launch_env())
        if env.get("QT_QPA_PLATFORM", "").partition(":")[0] in _WITHOUT_OPENGL:
            del env["QT_QPA_PLATFORM"]
        return env


VIEWER = ViewerProgram(
    usual_port=ViewerPort.NAPARI,
    manager=lambda port, modes, config: NapariProcessManager(port, modes=modes, config=config),
    modes=("slider", "layer"),
    needs="napari",
    install="openhcs-runtime[napari]",
)
