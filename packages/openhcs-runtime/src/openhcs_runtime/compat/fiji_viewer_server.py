"""The server of the Fiji viewer under the module name of earlier documents."""

from openhcs_runtime.viewers.fiji.server import FijiViewerServer

__all__ = ["OpenHCSFijiViewer"]

OpenHCSFijiViewer = FijiViewerServer
