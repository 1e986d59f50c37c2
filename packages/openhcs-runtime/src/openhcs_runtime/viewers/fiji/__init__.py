"""Shows the images of a pipeline in Fiji or ImageJ, in a separate process."""

from openhcs_runtime.viewers.fiji.layout import HyperstackAxis, WindowScope
from openhcs_runtime.viewers.fiji.process_manager import FijiProcessManager

__all__ = ["FijiProcessManager", "HyperstackAxis", "WindowScope"]


def __dir__() -> list[str]:
    return sorted(__all__)
