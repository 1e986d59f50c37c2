"""A viewer without a window, for the soak: it looks at every pixel and keeps nothing."""

from typing import Any

import numpy.typing as npt

from openhcs_runtime.tasks import OPENHCS_CONFIG
from zmqruntime import Shape
from zmqruntime.streaming import StreamingVisualizerServer, VisualizerProcessManager


class PlainViewer(StreamingVisualizerServer):
    """Takes images, points and shapes."""

    viewer_type = "plain"

    def display_image(self, image_data: npt.NDArray[Any], metadata: dict[str, Any]) -> None:
        """Touch all of it, as a window would."""
        image_data.max()

    def display_points(
        self, points: npt.NDArray[Any], features: dict[str, list[Any]], metadata: dict[str, Any]
    ) -> None:
        """Do nothing with them."""

    def display_shapes(self, shapes: list[Shape], metadata: dict[str, Any]) -> None:
        """Do nothing with them."""


class PlainViewerManager(VisualizerProcessManager):
    """Starts a :class:`PlainViewer` where one of OpenHCS would be."""

    def __init__(self, port: int) -> None:
        super().__init__(port, config=OPENHCS_CONFIG)

    def get_launch_command(self) -> list[str]:
        """A Python that serves it."""
        return self.server_command(PlainViewer)
