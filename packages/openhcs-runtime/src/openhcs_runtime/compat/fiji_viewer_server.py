"""The server of the Fiji viewer under its earlier module name."""

from openhcs_runtime.viewers.fiji.server import FijiViewerServer

__all__ = ["OpenHCSFijiViewer"]

OpenHCSFijiViewer = FijiViewerServer
